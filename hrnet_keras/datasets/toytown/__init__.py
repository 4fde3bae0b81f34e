"""Toytown: street scenes drawn on the fly from a seed, with every kind of annotation, so that any task learns at once.

Colour alone says little: walls, cars, skies and trees share their colours, and every scene has its own light. What a
pixel belongs to shows in texture (window grids, leaves, grain, slabs), shape and place.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hrnet_keras.datasets import DatasetInfo, MaskSet
from hrnet_keras.datasets.dataset import Dataset, Example
from hrnet_keras.datasets.toytown.classes import CLASSES, THINGS
from hrnet_keras.datasets.toytown.figures import EDGES, FLIP_PAIRS, JOINTS
from hrnet_keras.datasets.toytown.objects import SMALLEST, open_objects
from hrnet_keras.datasets.toytown.people import open_people
from hrnet_keras.datasets.toytown.scene import draw_scene

__all__ = ["INFO", "THINGS", "Toytown", "draw_scene", "load"]

INFO = DatasetInfo(
    name="toytown",
    class_names=tuple(CLASSES),
    palette=tuple(CLASSES.values()),
    point_names=JOINTS,
    flip_pairs=FLIP_PAIRS,
    edges=EDGES,
    source="drawn by this package",
    terms="Apache-2.0",
)
SPLITS = {"train": (0, 400), "val": (1_000_000, 60), "test": (2_000_000, 100)}  # first seed, customary number of scenes


class Toytown(MaskSet):
    """Scenes `first seed` to `first seed + count - 1` of one size."""

    per_example = (*MaskSet.per_example, "seeds")

    def __init__(self, split: str, size: Sequence[int], count: int | None) -> None:
        first, usual = SPLITS[split]
        height, width = size
        self.size = (height, width)
        self.seeds = tuple(range(first, first + (count or usual)))
        super().__init__(INFO, split, [f"{split}-{seed - first}" for seed in self.seeds])

    def example(self, i: int) -> Example:
        """Example `i`; see `draw_scene`."""
        return {**draw_scene(self.seeds[i], self.size), "name": self.names[i]}

    def annotations(self, i: int) -> Example:
        """Example `i` without its `image`; draws it."""
        return {word: value for word, value in self.example(i).items() if word != "image"}

    def image(self, i: int) -> np.ndarray:
        """Scene `i`, uint8 RGB `(height, width, 3)`."""
        return self.example(i)["image"]

    def label_map(self, i: int) -> np.ndarray:
        """Label map `i`, uint8 `(height, width)`."""
        return self.example(i)["label_map"]


def load(
    split: str, root: Any = None, size: Sequence[int] = (128, 192), count: int | None = None,
    annotation: str | None = None, smallest: float | None = None,
) -> Dataset:  # fmt: skip
    """Opens a split: no two splits share a scene.

    Args:
        split: `"train"`, `"val"` or `"test"`.
        root: unused; there are no files.
        size: `(height, width)` of the scenes, 64 or more each.
        count: number of scenes; default 400, 60, 100.
        annotation: `None`, everything that `draw_scene` gives; `"objects"`, boxes and masks, see
            `hrnet_keras.datasets.toytown.objects`; or `"faces"` or `"figures"`, a set of points, see
            `hrnet_keras.datasets.toytown.people`.
        smallest: least length, in pixels, of the longer side of a face's or figure's box in a set of points, default
            24, or of an object's that is learnt and scored, default 12.

    Raises:
        ValueError: unknown split or annotation, a size, count or `smallest` out of range.
    """
    if split not in SPLITS:
        raise ValueError(f"split={split!r}: toytown has {', '.join(map(repr, SPLITS))}")
    if count is not None and not 1 <= count <= 1_000_000:
        raise ValueError(f"count={count}: expected 1 to 1000000 scenes")
    if annotation is None and smallest is not None:
        raise ValueError(f"smallest={smallest!r}: goes with annotation='objects', 'faces' or 'figures'")
    town = Toytown(split, size, count)
    if annotation is None:
        return town
    if annotation == "objects":
        return open_objects(town, SMALLEST if smallest is None else smallest)
    return open_people(town, annotation, 24 if smallest is None else smallest)

"""Toytown as a set of objects: boxes and masks of the cars, buses, persons and signs that show."""

from typing import TYPE_CHECKING

import numpy as np

from hrnet_keras.datasets.dataset import Example
from hrnet_keras.datasets.info import DatasetInfo
from hrnet_keras.datasets.objects import LEAST_SIDE, BoxSet, as_truth
from hrnet_keras.datasets.outlines import run_lengths_of
from hrnet_keras.datasets.toytown.classes import CLASSES, THINGS
from hrnet_keras.datasets.toytown.scene import draw_scene

if TYPE_CHECKING:
    from hrnet_keras.datasets.toytown import Toytown

SMALLEST = 12  # pixels: of what is smaller, too little shows to say what it is


class DrawnObjects:
    """The annotations of scenes, an `ObjectTable`; a scene is drawn when it is first asked for.

    Args:
        town: `Toytown`.
        smallest: pixels; an object whose box's longer side is shorter is marked as a crowd, so that it is neither
            learnt nor missed.
    """

    origin = "toytown"

    def __init__(self, town: "Toytown", smallest: float) -> None:
        self.seeds = town.seeds
        self.size = town.size
        self.smallest = smallest
        self._drawn: dict[int, Example] = {}

    def scene(self, number: int) -> Example:
        """Scene `number` as drawn; its annotations are remembered."""
        scene = draw_scene(self.seeds[number], self.size)
        if number not in self._drawn:
            self._drawn[number] = self._annotated(scene, number)
        return scene

    def row(self, number: int) -> Example:
        """See `ObjectTable`; also `masks`, bool `(n, height, width)`."""
        if number not in self._drawn:
            self.scene(number)
        kept = self._drawn[number]
        row = {word: value.copy() if isinstance(value, np.ndarray) else value for word, value in kept.items()}
        row["masks"] = np.unpackbits(row["masks"], axis=-1, count=self.size[1]).astype(bool)
        row["truth"] = as_truth(row, first_id=1 + 1000 * number)
        return row

    def size_of(self, number: int) -> tuple[int, int]:
        """See `ObjectTable`."""
        return self.size

    def labels_of(self, number: int) -> None:
        """See `ObjectTable`."""

    def trainable(self, number: int) -> bool:
        """See `BoxSet.trainable`."""
        return min(self.size) >= LEAST_SIDE and len(self.row(number)["labels"]) > 0

    def _annotated(self, scene: Example, number: int) -> Example:
        boxes = scene["boxes"].astype(np.float64)
        masks = scene["masks"]
        is_small = (boxes[:, 2:] - boxes[:, :2]).max(1) < self.smallest
        return {
            "size": self.size,
            "image_id": number + 1,
            "boxes": boxes,
            "labels": np.array([THINGS.index(label) for label in scene["labels"]], np.int32),
            "crowd": is_small,
            "areas": masks.sum((1, 2)).astype(np.float64),
            "segments": tuple(run_lengths_of(mask) for mask in masks),
            "masks": np.packbits(masks, axis=-1),
        }


class Objects(BoxSet):
    """Scenes with the boxes and masks of the things in them."""

    table: DrawnObjects

    def image(self, i: int) -> np.ndarray:
        """Scene `i`, uint8 RGB `(height, width, 3)`."""
        return self.table.scene(self.numbers[i])["image"]

    def label_map(self, i: int) -> np.ndarray:
        """See `BoxSet.label_map`; the classes are those of toytown's streets."""
        return self.table.scene(self.numbers[i])["label_map"]


def open_objects(town: "Toytown", smallest: float = SMALLEST) -> Objects:
    """The things of scenes: cars, buses, persons and signs, with `masks` of what shows of them.

    Args:
        town: `Toytown`.
        smallest: as in `DrawnObjects`.

    Raises:
        ValueError: a `smallest` of no length.
    """
    if not smallest >= 1:
        raise ValueError(f"smallest={smallest!r}: expected a length of 1 pixel or more")
    names = tuple(CLASSES)
    info = DatasetInfo(
        "toytown", tuple(names[thing] for thing in THINGS), tuple(CLASSES[names[thing]] for thing in THINGS),
        source=town.info.source, terms=town.info.terms,
    )  # fmt: skip
    return Objects(info, town.split, town.names, (), DrawnObjects(town, smallest))

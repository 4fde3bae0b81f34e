"""Every way from a picture to the model's input: faces cut by the official convention or by mmpose's."""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from hrnet_keras.datasets import DatasetInfo, PointSet
from hrnet_keras.datasets.dataset import Example
from hrnet_keras.tasks.keypoints import affine, augment
from hrnet_keras.tasks.keypoints.decoding import STRIDE
from hrnet_keras.tasks.keypoints.flips import mirror_points, swap_points
from hrnet_keras.tasks.keypoints.samples import (
    Sample,
    affine_sample,
    check_augmentation,
    map_size,
    samples as samples,
    stream,
)
from hrnet_keras.tasks.landmark import crop as cropping
from hrnet_keras.tasks.landmark.targets import targets

CODECS = {"official": ("official",), "mmlab": ("msra", "dark", "udp")}  # of targets; the first is the default
ROTATION = {"official": 30.0, "mmlab": 60.0}  # most degrees of a turn


def training(
    dataset: PointSet, *, batch: int, input_size: tuple[int, int], convention: str = "official",
    codec: str | None = None, sigma: float | None = None, scaling: float | None = None, rotation: float | None = None,
    flip: float = 0.5, seed: int = 0, first_epoch: int = 0, cache: bool | None = None, worker: int = 0,
    workers: int = 1,
) -> tf.data.Dataset:  # fmt: skip
    """An endless stream of training batches: faces at random sizes and turns, every second one mirrored.

    Args:
        dataset: of faces.
        batch: faces per batch.
        input_size: (height, width) of the model's input; the official convention knows squares alone.
        convention: `"official"`: contrast-stretched crops, whole-pixel targets; `"mmlab"`: affine crops, see `codec`.
        codec: of the targets, mmlab: `"msra"` (default), `"dark"` or `"udp"`.
        sigma: of the targets, in pixels of the heat maps; None: 1.5, as officially on AFLW, COFW and WFLW (300W: 1).
        scaling: largest relative change of the crop's size; None: 0.25.
        rotation: most degrees of a turn; None: 30 (official), 60 (mmlab).
        flip: probability of mirroring; 0 for a set whose `flip_pairs` nobody knows.
        seed, first_epoch, cache, worker, workers: as in `keypoints.samples.stream`.

    Returns:
        A `tf.data.Dataset` of `(image, targets)`, see `keypoints.samples.stream`.

    Raises:
        ValueError: an argument is out of its range, or the set has fewer faces than a batch.

    Source: the data sets of the official facial-landmark repository; mmpose's face recipes.
    """
    sides = tuple(int(side) for side in input_size)
    codec = check(sides, convention, codec)
    height, width = sides
    size = (height, width)
    augmentation = {
        "scaling": 0.25 if scaling is None else scaling,
        "rotation": ROTATION[convention] if rotation is None else rotation,
        "flip_prob": flip,
    }
    sigma = 1.5 if sigma is None else sigma
    check_augmentation(dataset.info, sigma=sigma, **augmentation)
    prepare: Any = _official
    if convention == "mmlab":
        prepare = functools.partial(_mmlab, codec=codec)
    return stream(
        dataset, functools.partial(prepare, info=dataset.info, size=size, sigma=sigma, augmentation=augmentation),
        size=size, maps=(*map_size(size), len(dataset.info.point_names)), batch=batch, seed=seed,
        first_epoch=first_epoch, cache=cache, worker=worker, workers=workers,
    )  # fmt: skip


def check(input_size: tuple[int, ...], convention: str, codec: str | None) -> str:
    """The codec that `convention` and `codec` mean; raises `ValueError` where they or the size don't fit."""
    if len(input_size) != 2 or min(input_size) < 32 or any(side % STRIDE for side in input_size):
        raise ValueError(
            f"input_size={input_size}: expected (height, width), multiples of {STRIDE}, of at least 32 pixels"
        )
    if convention not in CODECS:
        raise ValueError(f"convention={convention!r}: expected 'official' or 'mmlab'")
    chosen = codec or CODECS[convention][0]
    is_fitting = chosen in CODECS[convention]
    if convention == "official" and not (is_fitting and input_size[0] == input_size[1]):
        raise ValueError(
            f"input_size={input_size}, codec={codec!r}: the official convention cuts squares and has its own codec"
        )
    if not is_fitting:
        raise ValueError(f"codec={codec!r}: expected 'msra', 'dark' or 'udp' with the convention of mmlab")
    return chosen


def _official(
    image: np.ndarray, annotations: Example, row: int, rng: np.random.Generator, *, info: DatasetInfo,
    size: tuple[int, int], sigma: float, augmentation: dict[str, float],
) -> Sample:  # fmt: skip
    scale = annotations["scales"][row] * affine.PADDING
    points = annotations["points"][row]
    visible = annotations["visible"][row]
    params = augment.official_landmark(rng, annotations["centers"][row], scale, **augmentation)
    center = params.center
    if params.flip:
        # The width, not the last column: the official code mirrors one pixel off.
        width = image.shape[1]
        image = image[:, ::-1]
        points = mirror_points(points, width, info.flip_pairs)
        visible = swap_points(visible, info.flip_pairs)
        center = np.array([width - center[0], center[1]])
    picture = cropping.crop(
        image, center, params.scale, side=size[0], rotation=params.rotation, stretch_first=info.stretch_first
    )
    maps = targets(points, center, params.scale, side=size[0] // STRIDE, sigma=sigma, rotation=params.rotation)
    return picture, maps, (visible > 0).astype(np.float32)


def _mmlab(
    image: np.ndarray, annotations: Example, row: int, rng: np.random.Generator, *, info: DatasetInfo,
    size: tuple[int, int], codec: str, sigma: float, augmentation: dict[str, Any],
) -> Sample:  # fmt: skip
    scale = annotations["scales"][row] * affine.PADDING
    points = annotations["points"][row]
    visible = annotations["visible"][row]
    params = augment.mmlab(rng, annotations["centers"][row], scale, points, visible, shifting=0.0, **augmentation)
    return affine_sample(
        image, points, visible, params, size=size, codec=codec, sigma=sigma, flip_pairs=info.flip_pairs
    )

"""Every way from a picture to the model's input: persons cut by an affine map, to learn and to score."""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from hrnet_keras.datasets import DatasetInfo, PointSet
from hrnet_keras.datasets.dataset import Example
from hrnet_keras.tasks.keypoints import augment
from hrnet_keras.tasks.keypoints.samples import (
    Sample,
    affine_sample,
    check_augmentation,
    map_size,
    samples as samples,
    stream,
)
from hrnet_keras.tasks.pose.crop import centers_and_scales

CODECS = ("official", "msra", "dark", "udp")  # of targets; udp_combined would need a loss of its own
DEFAULT_CODECS = {"official": "official", "mmlab": "msra"}
SCALING = {"official": 0.35, "mmlab": 0.5}  # largest relative change of a crop's size
ROTATION = {"official": 45.0, "mmlab": 80.0}  # degrees: standard deviation (official), the most (mmlab)


def training(
    dataset: PointSet, *, batch: int, input_size: tuple[int, int], convention: str = "official",
    codec: str | None = None, sigma: float | None = None, scaling: float | None = None, rotation: float | None = None,
    half_body: float | None = None, shift: float | None = None, flip: float = 0.5, seed: int = 0, first_epoch: int = 0,
    cache: bool | None = None, worker: int = 0, workers: int = 1,
) -> tf.data.Dataset:  # fmt: skip
    """An endless stream of training batches: persons or half persons at random sizes and turns, mirrored or not.

    Args:
        dataset: of persons.
        batch: persons per batch.
        input_size: (height, width) of the model's input, multiples of 32.
        convention: whose order and ranges of chance: `"official"` or `"mmlab"`.
        codec: of the targets: `"official"`, `"msra"`, `"dark"` or `"udp"`; None: official, with mmlab msra.
        sigma: of the targets, in pixels of the heat maps; None: 2, as at 256x192 and 256x256 (384x288: 3).
        scaling: largest relative change of the crop's size; None: 0.35 (official, COCO), 0.5 (mmlab); MPII: 0.25.
        rotation: degrees of the turns: their standard deviation (official; None: 45, MPII: 30) or the most (mmlab; 80).
        half_body: how often a person of more than eight labelled points is shown by halves; None: 0.3; MPII: 0.
        shift: mmlab: how often the crop is moved; None: 0.3; MPII: 0.
        flip: probability of mirroring; 0 for a set whose `flip_pairs` nobody knows.
        seed, first_epoch, cache, worker, workers: as in `keypoints.samples.stream`.

    Returns:
        A `tf.data.Dataset` of `(image, targets)`, see `keypoints.samples.stream`.

    Raises:
        ValueError: an argument is out of its range, or the set has fewer persons than a batch.

    Source: `JointsDataset` of the official pose repository; mmpose's body recipes.
    """
    sides = tuple(int(side) for side in input_size)
    codec = check(sides, convention, codec)
    height, width = sides
    size = (height, width)
    augmentation = {
        "scaling": SCALING[convention] if scaling is None else scaling,
        "rotation": ROTATION[convention] if rotation is None else rotation,
        "half_body": 0.3 if half_body is None else half_body,
        "flip_prob": flip,
    }
    if convention == "mmlab":
        augmentation["shifting"] = 0.3 if shift is None else shift
    elif shift:
        raise ValueError(f"shift={shift}: the official convention moves no crop: expected none, or convention mmlab")
    sigma = 2.0 if sigma is None else sigma
    check_augmentation(dataset.info, sigma=sigma, **augmentation)
    prepare = functools.partial(
        _prepare, info=dataset.info, size=size, convention=convention, codec=codec, sigma=sigma,
        augmentation=augmentation,
    )  # fmt: skip
    return stream(
        dataset, prepare, size=size, maps=(*map_size(size), len(dataset.info.point_names)), batch=batch, seed=seed,
        first_epoch=first_epoch, cache=cache, worker=worker, workers=workers,
    )  # fmt: skip


def check(input_size: tuple[int, ...], convention: str, codec: str | None) -> str:
    """The codec that `convention` and `codec` mean; raises `ValueError` where they or the size don't fit."""
    if len(input_size) != 2 or min(input_size) < 32 or any(side % 32 for side in input_size):
        raise ValueError(f"input_size={input_size}: expected (height, width), multiples of 32")
    if convention not in ("official", "mmlab"):
        raise ValueError(f"convention={convention!r}: expected 'official' or 'mmlab'")
    codec = codec or DEFAULT_CODECS[convention]
    if codec not in CODECS:
        raise ValueError(f"codec={codec!r}: expected one of {', '.join(map(repr, CODECS))}")
    return codec


def _prepare(
    image: np.ndarray, annotations: Example, row: int, rng: np.random.Generator, *, info: DatasetInfo,
    size: tuple[int, int], convention: str, codec: str, sigma: float, augmentation: dict[str, float],
) -> Sample:  # fmt: skip
    ratio = size[1] / size[0]
    draw: Any = augment.mmlab
    widened_to = None
    # The official code widens first and draws then, mmpose the other way round.
    if convention == "official":
        draw = functools.partial(augment.official_pose, aspect_ratio=ratio)
        widened_to = ratio
    centers, scales = centers_and_scales(annotations, info, widened_to)
    points = annotations["points"][row]
    visible = annotations["visible"][row]
    params = draw(rng, centers[row], scales[row], points, visible, upper_body=info.upper_body, **augmentation)
    return affine_sample(
        image, points, visible, params, size=size, codec=codec, sigma=sigma, flip_pairs=info.flip_pairs
    )

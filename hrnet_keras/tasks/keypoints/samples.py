"""From a set of points to what a network learns from: every face or person is a sample of its own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hrnet_keras.datasets import Dataset, DatasetInfo, PointSet
from hrnet_keras.datasets.source import ImageSource
from hrnet_keras.tasks.keypoints import affine, encoding
from hrnet_keras.tasks.keypoints.augment import CropParams
from hrnet_keras.tasks.keypoints.decoding import STRIDE
from hrnet_keras.tasks.keypoints.flips import mirror_points, swap_points
from hrnet_keras.tasks.keypoints.losses import pack
from hrnet_keras.transforms.order import sample_indices

Size = tuple[int, int]
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]  # crop, target maps, their weights
Prepare = Callable[[np.ndarray, dict[str, Any], int, np.random.Generator], Sample]


def samples(dataset: Dataset) -> list[tuple[int, int]]:
    """`(picture, row)` of every face or person of a point set that has a labelled point, in its order.

    Raises:
        ValueError: the set has no points to learn from.
    """
    if not isinstance(dataset, PointSet):
        raise ValueError(f"{dataset.info.name} {dataset.split} has no points: expected a data set with points")
    rows = []
    for picture in range(len(dataset)):
        visible = dataset.annotations(picture).get("visible")
        if visible is None:
            raise ValueError(f"{dataset.info.name} {dataset.split} has boxes but no points: nothing to learn from")
        rows += [(picture, int(row)) for row in np.flatnonzero((visible > 0).any(axis=1))]
    if not rows:
        raise ValueError(f"{dataset.info.name} {dataset.split} has no labelled point: nothing to learn from")
    return rows


def stream(
    dataset: Dataset, prepare: Prepare, *, size: Size, maps: tuple[int, int, int], batch: int, seed: int = 0,
    first_epoch: int = 0, cache: bool | None = None, worker: int = 0, workers: int = 1,
) -> tf.data.Dataset:  # fmt: skip
    """An endless stream of training batches, one face or person each.

    All chance hangs on seed, epoch and position in the epoch alone, as for segmentation.

    Args:
        dataset: a `PointSet`.
        prepare: function `(image, annotations of the picture, row, rng)` -> crop uint8 `(*size, 3)`, target maps
            float32 `(*maps[:2], maps[2])` and weights `(maps[2],)`. It leaves its arguments as they are.
        size: (height, width) of the model's input.
        maps: shape (height, width, maps) of the targets.
        batch, seed, first_epoch, worker, workers: as in `hrnet_keras.transforms.order.sample_indices`.
        cache: as in `hrnet_keras.datasets.source.ImageSource`.

    Returns:
        A `tf.data.Dataset` of `(image, targets)`: float32 `(batch, *size, 3)` RGB 0..255, and float32
        `(batch, height + 1, width, maps)` as `losses.pack` makes it.

    Raises:
        ValueError: the set has no points, or fewer faces or persons with points than a batch.
    """
    rows = samples(dataset)
    source = ImageSource(dataset, cache)

    def sample(epoch: int, position: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        picture, row = rows[int(index)]
        rng = np.random.default_rng((seed, int(epoch), int(position)))
        example = source.example(picture)
        crop, targets, weights = prepare(example["image"], example, row, rng)
        return crop, pack(targets, weights)

    def shaped(epoch: tf.Tensor, position: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        crop, targets = tf.numpy_function(sample, [epoch, position, index], (tf.uint8, tf.float32), stateful=False)
        return tf.ensure_shape(crop, (*size, 3)), tf.ensure_shape(targets, (maps[0] + 1, *maps[1:]))

    indices = sample_indices(len(rows), batch, seed=seed, first_epoch=first_epoch, worker=worker, workers=workers)
    examples = indices.map(shaped, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = examples.batch(batch, drop_remainder=True)
    # Only here, as a batch of bytes is put together with a quarter of the work.
    return batches.map(lambda crops, targets: (tf.cast(crops, tf.float32), targets)).prefetch(2)


def affine_sample(
    image: np.ndarray, points: np.ndarray, visible: np.ndarray, params: CropParams, *, size: Size, codec: str,
    sigma: float, flip_pairs: tuple[tuple[int, int], ...],
) -> Sample:  # fmt: skip
    """A crop of a face or person, by an affine map, its target maps and their weights.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        points: float `(k, 2)` as (x, y) in pixels of the picture.
        visible: `(k,)`, above 0 where the point is labelled.
        params: of the crop.
        size: (height, width) of the crop.
        codec, sigma: of the maps, as in `encoding.encode`.
        flip_pairs: points that change places in a mirror.

    Returns:
        uint8 `(*size, 3)`, and maps and weights as `encoding.encode` makes them.
    """
    center = params.center
    if params.flip:
        import cv2

        last = image.shape[1] - 1
        # NumPy takes as long to make its reversed picture whole as to decode it.
        image = cv2.flip(image, 1)
        points = mirror_points(points, last, flip_pairs)
        visible = swap_points(visible, flip_pairs)
        center = np.array([last - center[0], center[1]])
    scale = affine.fix_aspect(np.broadcast_to(params.scale, 2), size[1] / size[0])
    make = affine.udp_matrix if codec.startswith("udp") else affine.crop_matrix
    matrix = make(center, scale, size, params.rotation)
    maps, weights = encoding.encode(
        affine.transform(points, matrix), visible, codec=codec, input_size=size, map_size=map_size(size), sigma=sigma
    )
    return affine.warp(image, matrix, size), maps, weights


def map_size(size: Size) -> Size:
    """(height, width) of the heat maps of an input of `size`."""
    return size[0] // STRIDE, size[1] // STRIDE


def check_augmentation(
    info: DatasetInfo, *, sigma: float, scaling: float, rotation: float, flip_prob: float, **shares: float
) -> None:
    """Raises `ValueError` where what a pipeline is asked to draw can't be drawn.

    Args:
        info: of the data set.
        sigma: of the targets, above 0.
        scaling: 0 up to, not including, 1.
        rotation: degrees, 0 to 180.
        flip_prob, shares: 0 to 1. Mirroring needs the set's `flip_pairs`, unless a set has one point alone.
    """
    if not sigma > 0:
        raise ValueError(f"sigma={sigma}: expected a number above 0, in pixels of the heat maps")
    if not 0 <= scaling < 1:
        raise ValueError(f"scaling={scaling}: expected 0 up to, not including, 1")
    if not 0 <= rotation <= 180:
        raise ValueError(f"rotation={rotation}: expected 0 to 180 degrees")
    for word, share in {"flip": flip_prob, **shares}.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{word}={share}: expected how often, from 0 to 1")
    if flip_prob and not info.flip_pairs and len(info.point_names) > 1:
        raise ValueError(
            f"flip={flip_prob}: nobody knows which points of data set {info.name!r} change places in a mirror: name "
            "the pairs (left_..., right_..., or lines 'flip a b' in points.txt), or set flip to 0"
        )

"""From pictures with boxes to what a detector learns from: resized, mirrored, and padded to batches of like shapes."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from hrnet_keras.datasets import Dataset
from hrnet_keras.datasets.objects import LEAST_SIDE, BoxSet, masks_of
from hrnet_keras.datasets.source import ImageSource
from hrnet_keras.tasks.detection.augment import NO_BOX, sample
from hrnet_keras.tasks.detection.recipe import Augment
from hrnet_keras.tasks.detection.resizing import Size, resize as resize, resize_rule as resize_rule
from hrnet_keras.transforms.order import sample_indices

MULTIPLE = 32  # of both sides of a batch's pictures
PADDING = -1.0  # where a picture of a batch has ended; none has negative pixels


@dataclass(frozen=True)
class _Map:
    """What comes along pixel by pixel, of bytes.

    Attributes:
        name: among the targets.
        shape: of one picture's.
        padding: where the picture has ended.
    """

    name: str
    shape: tuple[None, ...]
    padding: Any


_MASKS = _Map("masks", (None, None, None), np.uint8(0))
_SEMANTIC = _Map("semantic", (None, None), np.uint8(255))


def training(
    dataset: BoxSet, *, batch: int, scale: Size = (1333, 800), scales: Sequence[Size] = (),
    scale_range: Size | None = None, crop: Size | None = None, flip: float = 0.5, masks: bool = False,
    semantic: bool = False, seed: int = 0, first_epoch: int = 0, cache: bool | None = None, worker: int = 0,
    workers: int = 1,
) -> tf.data.Dataset:  # fmt: skip
    """An endless stream of training batches: pictures resized, mirrored or not, and padded to the largest of a batch.

    The pictures of a batch are all upright or all lying, but for one batch of what is left at the end of an epoch,
    which has `len(samples(dataset)) // batch` batches. All chance hangs on seed, epoch and position in the epoch alone,
    so a stream that starts at `first_epoch=k` goes on exactly as an uninterrupted one, on any number of cores.

    Args:
        dataset: of objects; crowds are no targets.
        batch: pictures per batch.
        scale: (long, short) side that a picture is resized to at most, see `resize_rule`.
        scales: several such sizes, one of them drawn for every picture; empty: `scale` alone.
        scale_range: (lowest, highest) short side, a whole number drawn for every picture, with the long side of
            `scale`; None: that of `scale` alone.
        crop: (height, width) of a window near a random box that is cut out of every resized picture, with the boxes
            whose middle lies in it; None: the whole picture.
        flip: probability of mirroring.
        masks: the objects' masks come along.
        semantic: maps of the class of every pixel come along.
        seed, first_epoch, worker, workers: as in `hrnet_keras.transforms.order.sample_indices`.
        cache: as in `hrnet_keras.datasets.source.ImageSource`.

    Returns:
        A `tf.data.Dataset` of `(images, targets)`. Images: float32 `(batch, height, width, 3)` RGB 0..255, both sides
        multiples of 32, with -1 beyond a picture's right and lower edge. Targets: a dict of `boxes` float32 `(batch, m,
        4)` xyxy in pixels of these images, `labels` int32 `(batch, m)`, -1 where there is no box, and where
        asked for `masks` uint8 `(batch, m, height, width)`, 0 or 1, and `semantic` uint8 `(batch, height, width)`, 255
        where no class is known or the picture has ended. `m` is the largest number of boxes of a picture of the batch,
        1 or more.

    Raises:
        ValueError: an argument is out of its range, the set has no boxes with labels, or fewer pictures to train on
            than a batch.

    Source: `Resize`, `RandomFlip`, `AspectRatioBatchSampler` and the padding of mmdet 3; crops: HRNet-Object-Detection.
    """
    augment = Augment(scale, list(scales), scale_range, crop, flip, masks, semantic)
    augment.check()
    rows = samples(dataset)
    if masks:
        masks_of(dataset.annotations(rows[0]))  # a set without outlines is named now
    if semantic:
        dataset.label_map(rows[0])  # one without semantic maps as well
    source = ImageSource(dataset, cache, ahead=True)
    sizes = np.array([dataset.size(row) for row in rows])
    is_lying = (sizes[:, 1] >= sizes[:, 0]).astype(np.int32)

    def prepare(epoch: int, position: int, index: int) -> list[np.ndarray]:
        numbers = np.random.default_rng((seed, int(epoch), int(position))).random(5)
        example = source.example(rows[int(index)])
        if semantic:
            example = {**example, "label_map": dataset.label_map(rows[int(index)])}
        return sample(example, augment, numbers, dataset.info.label_flip_pairs).arrays()

    maps = [_MASKS] * masks + [_SEMANTIC] * semantic
    types = [tf.uint8, tf.int32, tf.float32, tf.int32, *(tf.uint8 for _ in maps)]
    shapes = [(None, None, 3), (2,), (None, 4), (None,), *(one.shape for one in maps)]
    padding = [np.uint8(0), np.int32(0), np.float32(0), np.int32(NO_BOX), *(one.padding for one in maps)]

    def prepared(epoch: tf.Tensor, position: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        arrays = tf.numpy_function(prepare, [epoch, position, index], types, stateful=False)
        return tuple(tf.ensure_shape(array, shape) for array, shape in zip(arrays, shapes, strict=True))

    indices = sample_indices(
        len(rows), batch, groups=is_lying, seed=seed, first_epoch=first_epoch, worker=worker, workers=workers
    )
    examples = indices.map(prepared, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = examples.padded_batch(batch, tuple(shapes), tuple(padding), drop_remainder=True)
    joined = functools.partial(_joined, maps)
    return batches.map(joined, num_parallel_calls=2, deterministic=True).prefetch(1)


def samples(dataset: Dataset) -> list[int]:
    """The pictures of a set of objects that are trained on, in its order: see `BoxSet.trainable`.

    Raises:
        ValueError: the set is none of objects, or has no picture to learn from.
    """
    if not isinstance(dataset, BoxSet):
        raise ValueError(
            f"{dataset.info.name} {dataset.split} has no boxes with labels: expected a data set of objects"
        )
    rows = [i for i in range(len(dataset)) if dataset.trainable(i)]
    if not rows:
        raise ValueError(
            f"{dataset.info.name} {dataset.split} has nothing to learn from: expected pictures of {LEAST_SIDE} pixels "
            "or more each way with a box"
        )
    return rows


def _joined(
    maps: Sequence["_Map"], images: tf.Tensor, sizes: tf.Tensor, boxes: tf.Tensor, labels: tf.Tensor, *values: tf.Tensor
) -> Any:
    """A batch as it is trained on, from one padded to its largest picture."""
    whole = tf.numpy_function(_float_batch, [images, sizes], tf.float32, stateful=False)
    whole = tf.ensure_shape(whole, (images.shape[0], None, None, 3))
    targets = {"boxes": boxes, "labels": labels}
    height, width = tf.unstack(tf.shape(whole)[1:3] - tf.shape(images)[1:3])
    for one, batch in zip(maps, values, strict=True):
        margins = [[0, 0]] * (len(one.shape) - 1) + [[0, height], [0, width]]
        targets[one.name] = tf.pad(batch, margins, constant_values=one.padding)
    return whole, targets


def _float_batch(images: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Pictures uint8 `(b, h, w, 3)` of sizes `(b, 2)` as float32, both sides multiples of 32, with `PADDING`."""
    height, width = (-(-side // MULTIPLE) * MULTIPLE for side in images.shape[1:3])
    whole = np.empty((len(images), height, width, 3), np.float32)
    for image, (bottom, right), out in zip(images, sizes, whole, strict=True):
        out[:bottom, :right] = image[:bottom, :right]
        out[bottom:] = PADDING
        out[:bottom, right:] = PADDING
    return whole

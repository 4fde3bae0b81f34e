"""Every way from a picture to the model's input: crops to train on, whole pictures to evaluate, bytes to serve."""

import math

import numpy as np
import tensorflow as tf

from hrnet_keras.datasets import MaskSet
from hrnet_keras.datasets.source import ImageSource
from hrnet_keras.transforms import color, crop as cropping, geometry
from hrnet_keras.transforms.order import sample_indices


def training(
    dataset: MaskSet, *, batch: int, crop: tuple[int, int], scale: tuple[float, float] | None = (0.5, 2.1),
    scale_step: float | None = 0.1, base_size: int | None = None, flip: float = 0.5, brightness: int = 0,
    contrast: float = 0.0, saturation: float = 0.0, seed: int = 0, first_epoch: int = 0, cache: bool | None = None,
    worker: int = 0, workers: int = 1,
) -> tf.data.Dataset:  # fmt: skip
    """An endless stream of training batches: random scale, crop, colour and flip, in the order of the official code.

    Every epoch goes through the set in an order of its own and drops what does not fill a batch: it has
    `len(dataset) // batch` batches. All chance hangs on seed, epoch and position in the epoch alone, so a stream that
    starts at `first_epoch=k` goes on exactly as an uninterrupted one, on any number of cores.

    Args:
        dataset: pictures with label maps.
        batch: pictures per batch.
        crop: `(height, width)` in pixels. A smaller picture is padded at its right and bottom, black and ignored.
        scale: lowest and highest factor of the long side; None: no random scale.
        scale_step: distance of the factors drawn from; None: any factor between the two.
        base_size: pixels of the long side at factor 1; None: each picture's own.
        flip: probability of mirroring.
        brightness: with probability 1/2, an integer from `-brightness..brightness` is added to all pixels (0..255).
        contrast, saturation: factors are drawn from `1 - x .. 1 + x`; 0: left alone.
        seed: of all random choices.
        first_epoch: epoch to start with, counted from 0.
        cache: True keeps the decoded set in memory, False reads it again in every epoch; None: in memory where it takes
            less than 1 GB. Decoding ahead names a broken file now; otherwise the stream stops when it comes to it.
        worker, workers: which of how many workers this stream is for, each with batches of `batch`; together they see
            what one worker with `workers * batch` would.

    Returns:
        A `tf.data.Dataset` of `(image, label_map)`: float32 `(batch, height, width, 3)` RGB 0..255, uint8
        `(batch, height, width)`.

    Raises:
        ValueError: an argument is out of its range, or the set has fewer pictures than a batch.

    Source: HRNet-Semantic-Segmentation, training transform of Cityscapes (brightness: its OCR branch, where it is off
    by default, too).
    """
    sides = tuple(int(side) for side in crop)
    _check_crop(sides, scale, scale_step, base_size)
    height, width = sides
    _check_chances(flip, brightness, contrast, saturation)
    source = ImageSource(dataset, cache, ahead=True)
    info = dataset.info

    def cut(index: int, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        opened = source.open(int(index))
        scaled = geometry.scaled_size(opened.size, _draw_scale(scale, scale_step, numbers[0]), base_size)
        origin = cropping.random_origin(scaled, (height, width), numbers[1:3])
        begin, end = geometry.source_window(opened.size, scaled, origin, (height, width))
        part = opened.window(begin, end)
        image = geometry.resample_image(part, begin, opened.size, scaled, origin, (height, width))
        label_map = opened.annotations["label_map"]
        labels = geometry.resample_labels(label_map, scaled, origin, (height, width), info.ignore_label)
        if numbers[3] < flip:
            return geometry.mirror(image, labels, info.label_flip_pairs)
        return image, labels

    def prepare(epoch: tf.Tensor, position: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # One draw feeds all choices of a picture; a choice that is switched off leaves the others as they are.
        key = tf.random.experimental.stateless_fold_in(tf.stack([tf.cast(seed, tf.int64), epoch]), position)
        numbers = tf.random.stateless_uniform([8], key)
        image, labels = tf.numpy_function(cut, [index, numbers], (tf.float32, tf.uint8), stateful=False)
        image = tf.ensure_shape(image, (height, width, 3))
        image = _distort(image, brightness, contrast, saturation, numbers[4:])
        return image, tf.ensure_shape(labels, (height, width))

    indices = sample_indices(len(dataset), batch, seed=seed, first_epoch=first_epoch, worker=worker, workers=workers)
    examples = indices.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return examples.batch(batch, drop_remainder=True).prefetch(2)


def _check_crop(
    crop: tuple[int, ...], scale: tuple[float, float] | None, scale_step: float | None, base_size: int | None
) -> None:
    if len(crop) != 2 or min(crop) < 1:
        raise ValueError(f"crop={crop}: expected (height, width) in pixels")
    if scale is not None and not 0 < scale[0] <= scale[1]:
        raise ValueError(f"scale={scale}: expected (lowest, highest) above 0, or None")
    if scale_step is not None and scale_step <= 0:
        raise ValueError(f"scale_step={scale_step}: expected a number above 0, or None for any factor")
    if base_size is not None and base_size < 1:
        raise ValueError(f"base_size={base_size}: expected pixels of the long side, or None")


def _check_chances(flip: float, brightness: int, contrast: float, saturation: float) -> None:
    if not 0 <= flip <= 1:
        raise ValueError(f"flip={flip}: expected a probability 0..1")
    for name, value, most in (
        ("brightness", brightness, 255),
        ("contrast", contrast, 1),
        ("saturation", saturation, 1),
    ):
        if not 0 <= value <= most:
            raise ValueError(f"{name}={value}: expected 0..{most}, 0 for none")


def _draw_scale(scale: tuple[float, float] | None, step: float | None, number: np.float32) -> float:
    if scale is None:
        return 1.0
    low, high = scale
    if step is None:
        return low + float(number) * (high - low)
    last = math.floor((high - low) / step + 1e-6)  # (0.7 - 0.5) / 0.1 falls short of 2
    return low + int(cropping.random_integer(0, last, number)) * step


def _distort(image: tf.Tensor, brightness: int, contrast: float, saturation: float, numbers: tf.Tensor) -> tf.Tensor:
    if brightness:
        levels = 2 * brightness + 1
        # The official OCR branch shifts half of the pictures, by a whole number of grey levels.
        step = tf.minimum(tf.cast(numbers[1] * levels, tf.int32), levels - 1)
        image = color.add_brightness(image, tf.where(numbers[0] < 0.5, step - brightness, 0))
    if contrast:
        image = color.scale_contrast(image, 1 + contrast * (2 * numbers[2] - 1))
    if saturation:
        image = color.scale_saturation(image, 1 + saturation * (2 * numbers[3] - 1))
    return image

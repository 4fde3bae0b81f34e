"""Every way from a picture to the model's input: crops to train on, whole pictures to evaluate, bytes to serve."""

import math

import tensorflow as tf

from hrnet_keras import datasets
from hrnet_keras.transforms import color, crop as cropping, decode, geometry, order

# Of a `DataRecipe`, that mean something here.
OPTIONS = ("crop", "scale", "scale_step", "base_size", "flip", "brightness", "contrast", "saturation", "cache")


def training(
    dataset,
    *,
    batch,
    crop,
    scale=(0.5, 2.1),
    scale_step=0.1,
    base_size=None,
    flip=0.5,
    brightness=0,
    contrast=0.0,
    saturation=0.0,
    seed=0,
    first_epoch=0,
    cache=None,
    worker=0,
    workers=1,
):
    """An endless stream of training batches: random scale, crop, colour and flip, in the order of the official code.

    Every epoch goes through the set in an order of its own and drops what does not fill a batch: it has
    `len(dataset) // batch` batches. All chance hangs on seed, epoch and place in the epoch alone, so a stream that
    starts at `first_epoch=k` goes on exactly as an uninterrupted one, on any number of cores.

    Args:
        dataset: a `Dataset` with label maps.
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
            less than 1 GB. Decoding ahead also names a broken file, as `datasets.check` does; the endless stream can't.
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
    crop = _checked(crop, scale, scale_step, base_size, flip, brightness, contrast, saturation)
    read = decode.open_source(dataset, cache)
    info = dataset.info

    def cut(part, label_map, begin, size, scaled, origin, is_mirrored):
        image = geometry.resample_image(part, begin, size, scaled, origin, crop)
        labels = geometry.resample_labels(label_map, scaled, origin, crop, info.ignore_label)
        return geometry.mirror(image, labels, info.label_flip_pairs) if is_mirrored else (image, labels)

    def prepare(epoch, place, index):
        # One draw feeds all choices of a picture; a choice that is switched off leaves the others as they are.
        key = tf.random.experimental.stateless_fold_in(tf.stack([tf.cast(seed, tf.int64), epoch]), place)
        numbers = tf.random.stateless_uniform([8], key)
        size, read_window, label_map = read(index)
        scaled = geometry.scaled_size(size, _draw_scale(scale, scale_step, numbers[0]), base_size)
        origin = cropping.random_origin(scaled, crop, numbers[1:3])
        begin, end = geometry.source_window(size, scaled, origin, crop)
        image, labels = tf.numpy_function(
            cut, [read_window(begin, end), label_map, begin, size, scaled, origin, numbers[3] < flip],
            (tf.float32, tf.uint8), stateful=False,
        )  # fmt: skip
        image = tf.ensure_shape(image, (*crop, 3))
        image = _distort(image, brightness, contrast, saturation, numbers[4:])
        return image, tf.ensure_shape(labels, crop)

    places = order.places(len(dataset), batch, seed=seed, first_epoch=first_epoch, worker=worker, workers=workers)
    examples = places.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return examples.batch(batch, drop_remainder=True).prefetch(2)


def evaluation(dataset, workers=2):
    """The examples of a `Dataset` in its order, as NumPy dicts, read ahead by `workers` threads."""
    return datasets.read_ahead(dataset, workers)


def _checked(crop, scale, scale_step, base_size, flip, brightness, contrast, saturation):
    """The crop as two ints, all arguments being in range."""
    crop = tuple(int(side) for side in crop)
    if len(crop) != 2 or min(crop) < 1:
        raise ValueError(f"crop={crop}: expected (height, width) in pixels")
    if scale is not None and not 0 < scale[0] <= scale[1]:
        raise ValueError(f"scale={scale}: expected (lowest, highest) above 0, or None")
    if scale_step is not None and scale_step <= 0:
        raise ValueError(f"scale_step={scale_step}: expected a number above 0, or None for any factor")
    if base_size is not None and base_size < 1:
        raise ValueError(f"base_size={base_size}: expected pixels of the long side, or None")
    if not 0 <= flip <= 1:
        raise ValueError(f"flip={flip}: expected a probability 0..1")
    for name, value in (("brightness", brightness), ("contrast", contrast), ("saturation", saturation)):
        if not 0 <= value <= (255 if name == "brightness" else 1):
            raise ValueError(f"{name}={value}: expected 0..{255 if name == 'brightness' else 1}, 0 for none")
    return crop


def _draw_scale(scale, step, number):
    if scale is None:
        return tf.constant(1.0, tf.float64)
    low, high = scale
    if step is None:
        return low + tf.cast(number, tf.float64) * (high - low)
    last = math.floor((high - low) / step + 1e-6)  # (0.7 - 0.5) / 0.1 falls short of 2
    return low + tf.cast(cropping.random_integer(0, last, number), tf.float64) * step


def _distort(image, brightness, contrast, saturation, numbers):
    if brightness:
        shift = cropping.random_integer(-brightness, brightness, numbers[1])
        image = color.add_brightness(image, tf.where(numbers[0] < 0.5, shift, 0))
    if contrast:
        image = color.scale_contrast(image, 1 + contrast * (2 * numbers[2] - 1))
    if saturation:
        image = color.scale_saturation(image, 1 + saturation * (2 * numbers[3] - 1))
    return image

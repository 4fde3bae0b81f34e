"""From pictures to training batches: random crops, resized and mirrored; and the examples to score."""

import math

import numpy as np
import tensorflow as tf

from hrnet_keras import datasets
from hrnet_keras.tasks.classification.center_crop import cut_and_resize
from hrnet_keras.transforms import order

OPTIONS = ("crop", "flip")  # of a `DataRecipe` that mean something here
AREA, ASPECT, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10


def training(dataset, *, batch, crop, flip=0.5, seed=0, first_epoch=0, worker=0, workers=1):
    """An endless stream of training batches: a random part of the picture, resized, mirrored half the time.

    Every epoch goes through the set in an order of its own and drops what does not fill a batch. All chance hangs on
    seed, epoch and place in the epoch alone.

    A mirrored picture of a class of the set's `label_flip_pairs` (left turn, right turn) is one of its partner.

    Args:
        dataset: a `Dataset` whose examples have a `label`.
        batch: pictures per batch.
        crop: `(height, width)` of the model's input.
        flip: probability of mirroring.
        seed: of all random choices.
        first_epoch: epoch to start with, counted from 0.
        worker, workers: which of how many workers this stream is for, as for segmentation.

    Returns:
        A `tf.data.Dataset` of `(image, label)`: float32 `(batch, height, width, 3)` RGB 0..255, int32 `(batch,)`.

    Raises:
        ValueError: the set has fewer pictures than a batch.

    Source: the training transform of the official classification repository (torchvision's random resized crop).
    """
    crop = tuple(map(int, crop))
    partners = dict(dataset.info.label_flip_pairs) | {b: a for a, b in dataset.info.label_flip_pairs}

    def prepare(epoch, place, index):
        rng = np.random.default_rng((seed, int(epoch), int(place)))
        example = dataset.example(int(index))
        image = cut_and_resize(example["image"], random_window(example["image"].shape[:2], rng), crop)
        label = example["label"]
        if rng.random() < flip:
            image, label = image[:, ::-1], partners.get(label, label)
        return image.astype(np.float32), np.int32(label)

    def shaped(epoch, place, index):
        found = tf.numpy_function(prepare, [epoch, place, index], (tf.float32, tf.int32), stateful=False)
        return tf.ensure_shape(found[0], (*crop, 3)), tf.ensure_shape(found[1], ())

    places = order.places(len(dataset), batch, seed=seed, first_epoch=first_epoch, worker=worker, workers=workers)
    examples = places.map(shaped, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return examples.batch(batch, drop_remainder=True).prefetch(2)


def random_window(size, rng):
    """A random part of a picture: 8 to 100 % of its area, sides between 3:4 and 4:3.

    Args:
        size: `(height, width)` of the picture.
        rng: `numpy.random.Generator`.

    Returns:
        `(top, left, height, width)`; where ten draws do not fit, the middle at the nearest allowed shape.
    """
    height, width = size
    for _ in range(TRIES):
        area = height * width * rng.uniform(*AREA)
        aspect = math.exp(rng.uniform(*map(math.log, ASPECT)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    h, w = height, width
    if width / height < ASPECT[0]:
        h = round(width / ASPECT[0])
    elif width / height > ASPECT[1]:
        w = round(height * ASPECT[1])
    return (height - h) // 2, (width - w) // 2, h, w


def remembered(data):
    """What a model trained by a `DataRecipe` has to know of it afterwards, for its info."""
    return {"input_size": tuple(data.crop)}


def evaluation(dataset, workers=2):
    """The examples of a `Dataset` in its order, read ahead by `workers` threads."""
    return datasets.read_ahead(dataset, workers)

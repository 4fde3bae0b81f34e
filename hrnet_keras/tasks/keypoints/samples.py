"""From a set of points to what a network learns from: every face or person is a sample of its own."""

import numpy as np
import tensorflow as tf

from hrnet_keras.tasks.keypoints.losses import pack
from hrnet_keras.transforms import order

CACHE_LIMIT = 1_000_000_000  # bytes of decoded pictures that are kept in memory unasked


def samples(dataset):
    """`(picture, row)` of every face or person of a point set that has a labelled point, in its order.

    Raises:
        ValueError: the set has no points to learn from.
    """
    found = []
    for picture in range(len(dataset)):
        visible = dataset.annotations(picture).get("visible")
        if visible is None:
            raise ValueError(f"{dataset.facts.name} {dataset.split} has boxes but no points: nothing to learn from")
        found += [(picture, row) for row in np.flatnonzero((visible > 0).any(axis=1))]
    if not found:
        raise ValueError(f"{dataset.facts.name} {dataset.split} has no labelled point: nothing to learn from")
    return found


def stream(dataset, prepare, *, size, maps, batch, seed=0, first_epoch=0, cache=None, worker=0, workers=1):
    """An endless stream of training batches, one face or person each.

    All chance hangs on seed, epoch and place in the epoch alone, as for segmentation.

    Args:
        dataset: a `PointSet`.
        prepare: function `(image, annotations of the picture, row, rng)` -> crop uint8 `(*size, 3)`, target maps
            float32 `(*maps[:2], maps[2])` and weights `(maps[2],)`.
        size: (height, width) of the model's input.
        maps: shape (height, width, maps) of the targets.
        batch, seed, first_epoch, worker, workers: as in `hrnet_keras.transforms.order.places`.
        cache: True keeps decoded pictures in memory, False reads them again each time; None: in memory up to 1 GB.

    Returns:
        A `tf.data.Dataset` of `(image, targets)`: float32 `(batch, *size, 3)` RGB 0..255, and float32
        `(batch, height + 1, width, maps)` as `losses.pack` makes it.
    """
    found, picture_of = samples(dataset), Pictures(dataset, cache)

    def sample(epoch, place, index):
        picture, row = found[int(index)]
        rng = np.random.default_rng((seed, int(epoch), int(place)))
        crop, targets, weights = prepare(picture_of(picture), dataset.annotations(picture), row, rng)
        return crop, pack(targets, weights)

    def shaped(epoch, place, index):
        crop, targets = tf.numpy_function(sample, [epoch, place, index], (tf.uint8, tf.float32), stateful=False)
        targets = tf.ensure_shape(targets, (maps[0] + 1, *maps[1:]))
        return tf.cast(tf.ensure_shape(crop, (*size, 3)), tf.float32), targets

    places = order.places(
        len(found), batch, seed=seed, first_epoch=first_epoch, worker=worker, workers=workers
    )  # fmt: skip
    examples = places.map(shaped, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return examples.batch(batch, drop_remainder=True).prefetch(2)


class Pictures:
    """The decoded pictures of a set, remembered while they fit.

    Args:
        dataset: a `PointSet`.
        cache: as in `stream`.
    """

    def __init__(self, dataset, cache=None):
        self.dataset = dataset
        self.room = {True: float("inf"), False: 0, None: CACHE_LIMIT}[cache]
        self.known = {}

    def __call__(self, i):
        """Picture `i`, uint8 RGB `(height, width, 3)`."""
        image = self.known.get(i)
        if image is None:
            image = self.dataset.image(i)
            if image.nbytes <= self.room:
                self.room -= image.nbytes
                self.known[i] = image
        return image

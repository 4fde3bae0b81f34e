"""From a set of points to what a network learns from: every face or person is a sample of its own."""

import io
from pathlib import Path

import numpy as np
import tensorflow as tf

from hrnet_keras.datasets.checking import TAIL
from hrnet_keras.datasets.points import PointSet
from hrnet_keras.datasets.reading import DataError, opened
from hrnet_keras.tasks.keypoints import affine, encoding
from hrnet_keras.tasks.keypoints.decoding import STRIDE
from hrnet_keras.tasks.keypoints.flips import mirror_points, swap_points
from hrnet_keras.tasks.keypoints.losses import pack
from hrnet_keras.transforms import order

END_OF_JPEG = b"\xff\xd9"
CACHE_LIMIT = 1_000_000_000  # bytes of decoded pictures that are kept in memory unasked


def samples(dataset):
    """`(picture, row)` of every face or person of a point set that has a labelled point, in its order.

    Raises:
        ValueError: the set has no points to learn from.
    """
    if not hasattr(dataset, "annotations"):
        raise ValueError(f"{dataset.info.name} {dataset.split} has no points: expected a data set with points")
    found = []
    for picture in range(len(dataset)):
        visible = dataset.annotations(picture).get("visible")
        if visible is None:
            raise ValueError(f"{dataset.info.name} {dataset.split} has boxes but no points: nothing to learn from")
        found += [(picture, int(row)) for row in np.flatnonzero((visible > 0).any(axis=1))]
    if not found:
        raise ValueError(f"{dataset.info.name} {dataset.split} has no labelled point: nothing to learn from")
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

    Raises:
        ValueError: the set has no points, or fewer faces or persons with points than a batch.
    """
    found, picture_of = samples(dataset), Pictures(dataset, cache)

    def sample(epoch, place, index):
        picture, row = found[int(index)]
        rng = np.random.default_rng((seed, int(epoch), int(place)))
        crop, targets, weights = prepare(picture_of(picture), dataset.annotations(picture), row, rng)
        return crop, pack(targets, weights)

    def shaped(epoch, place, index):
        crop, targets = tf.numpy_function(sample, [epoch, place, index], (tf.uint8, tf.float32), stateful=False)
        return tf.ensure_shape(crop, (*size, 3)), tf.ensure_shape(targets, (maps[0] + 1, *maps[1:]))

    places = order.places(len(found), batch, seed=seed, first_epoch=first_epoch, worker=worker, workers=workers)
    examples = places.map(shaped, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = examples.batch(batch, drop_remainder=True)
    # Only here, as a batch of bytes is put together with a quarter of the work.
    return batches.map(lambda crops, targets: (tf.cast(crops, tf.float32), targets)).prefetch(2)


def affine_sample(image, points, visible, look, *, size, codec, sigma, flip_pairs):
    """What one look at a face or person shows, by an affine map: crop, target maps and their weights.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        points: float `(k, 2)` as (x, y) in pixels of the picture.
        visible: `(k,)`, above 0 where the point is labelled.
        look: an `augment.Look`.
        size: (height, width) of the crop.
        codec, sigma: of the maps, as in `encoding.encode`.
        flip_pairs: points that change places in a mirror.

    Returns:
        uint8 `(*size, 3)`, and maps and weights as `encoding.encode` makes them.
    """
    center = look.center
    if look.flip:
        import cv2

        last = image.shape[1] - 1
        image = cv2.flip(image, 1)  # NumPy takes as long to make its reversed picture whole as to decode it
        points, visible = mirror_points(points, last, flip_pairs), swap_points(visible, flip_pairs)
        center = np.array([last - center[0], center[1]])
    scale = affine.fix_aspect(np.broadcast_to(look.scale, 2), size[1] / size[0])
    make = affine.udp_matrix if codec.startswith("udp") else affine.crop_matrix
    matrix = make(center, scale, size, look.rotation)
    maps, weights = encoding.encode(
        affine.transform(points, matrix), visible, codec=codec, input_size=size, map_size=map_size(size), sigma=sigma
    )
    return affine.warp(image, matrix, size), maps, weights


def map_size(size):
    """(height, width) of the heat maps of an input of `size`."""
    return size[0] // STRIDE, size[1] // STRIDE


def check_chance(info, *, sigma, scaling, turning, flipping, **shares):
    """Raises `ValueError` where what a pipeline is asked to draw can't be drawn.

    Args:
        info: of the data set.
        sigma: of the targets, above 0.
        scaling: 0 up to, not including, 1.
        turning: degrees, 0 to 180.
        flipping, shares: 0 to 1. Mirroring needs the set's `flip_pairs`, unless a set has one point alone.
    """
    if not sigma > 0:
        raise ValueError(f"sigma={sigma}: expected a number above 0, in pixels of the heat maps")
    if not 0 <= scaling < 1:
        raise ValueError(f"scaling={scaling}: expected 0 up to, not including, 1")
    if not 0 <= turning <= 180:
        raise ValueError(f"rotation={turning}: expected 0 to 180 degrees")
    for word, share in {"flip": flipping, **shares}.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{word}={share}: expected how often, from 0 to 1")
    if flipping and not info.flip_pairs and len(info.point_names) > 1:
        raise ValueError(
            f"flip={flipping}: nobody knows which points of data set {info.name!r} change places in a mirror: name "
            "the pairs (left_..., right_..., or lines 'flip a b' in points.txt), or set flip to 0"
        )


class Pictures:
    """The decoded pictures of a set, remembered while they fit.

    Args:
        dataset: a `PointSet`.
        cache: as in `stream`.
    """

    def __init__(self, dataset, cache=None):
        self.dataset = dataset
        self.files = dataset.image_files if type(dataset).image is PointSet.image else ()
        self.room = {True: float("inf"), False: 0, None: CACHE_LIMIT}[cache]
        self.known = {}

    def __call__(self, i):
        """Picture `i`, uint8 RGB `(height, width, 3)`.

        Raises:
            DataError: as `PointSet.example` does.
        """
        image = self.known.get(i)
        if image is None:
            image = self._quickly(i) if self.files else None
            image = self.dataset.example(i)["image"] if image is None else image
            if image.nbytes <= self.room:
                self.room -= image.nbytes
                self.known[i] = image
        return image

    def _quickly(self, i):
        """Picture `i` of a file; `None` where that needs time, or somebody who says what is wrong."""
        image, known = whole_jpeg(self.files[i]), self.dataset.rows[i]
        if image is None:
            return None
        height, width = image.shape[:2]
        left, top, right, bottom = known["boxes"].T
        outside = (left > width) | (top > height) | (right < 0) | (bottom < 0)
        return None if outside.any() or tuple(known.get("size", (height, width))) != (height, width) else image


def whole_jpeg(file):
    """The pixels of a JPEG in colour, by OpenCV: those that Pillow gives, in half of the time.

    Args:
        file: its path.

    Returns:
        uint8 RGB `(height, width, 3)`, or `None` where the file is of another kind, broken, or lacks its end, which
        OpenCV would make up without a word.
    """
    import cv2

    try:
        contents = Path(file).read_bytes()
        with opened(io.BytesIO(contents)) as picture:
            if picture.format != "JPEG" or picture.mode != "RGB" or END_OF_JPEG not in contents[-TAIL:]:
                return None
    except (OSError, DataError):
        return None
    image = cv2.imdecode(np.frombuffer(contents, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

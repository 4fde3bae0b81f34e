"""Every way from a picture to the model's input: faces cut by the official convention or by mmpose's."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from hrnet_keras import datasets
from hrnet_keras.tasks.keypoints import affine, augment, serving
from hrnet_keras.tasks.keypoints.decoding import STRIDE
from hrnet_keras.tasks.keypoints.flips import mirror_points, swap_points
from hrnet_keras.tasks.keypoints.reading import reading_of
from hrnet_keras.tasks.keypoints.samples import affine_sample, check_chance, map_size, samples as samples, stream
from hrnet_keras.tasks.landmark import crop as cropping
from hrnet_keras.tasks.landmark.decoding import decode
from hrnet_keras.tasks.landmark.faces import BOXES
from hrnet_keras.tasks.landmark.targets import targets
from hrnet_keras.transforms import resizing

SYMMETRIC = ("official", "udp")  # see `keypoints.reading.reading_of`; official points are truncated, not rounded
SIZE = (256, 256)  # of the input of every published net
FLIP = {"official": False, "mmlab": True}  # whether published scores are measured with the mirrored crop, too


def training(
    dataset, *, batch, input_size, convention="official", codec=None, sigma=None, scaling=None, rotation=None, flip=0.5,
    seed=0, first_epoch=0, cache=None, worker=0, workers=1,
):  # fmt: skip
    """An endless stream of training batches: faces at random sizes and turns, every second one mirrored.

    Args:
        dataset: a `PointSet` of faces.
        batch: faces per batch.
        input_size: (height, width) of the model's input; the official convention knows squares alone.
        convention: `"official"`: stretched crops and whole-pixel targets; `"mmlab"`: affine crops, see `codec`.
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
    input_size = tuple(int(side) for side in input_size)
    codec = check(input_size, convention, codec)
    chance = {
        "scaling": 0.25 if scaling is None else scaling,
        "turning": rotation if rotation is not None else 30.0 if convention == "official" else 60.0,
        "flipping": flip,
    }
    sigma = 1.5 if sigma is None else sigma
    check_chance(dataset.info, sigma=sigma, **chance)
    prepare = _official if convention == "official" else functools.partial(_mmlab, codec=codec)
    prepare = functools.partial(prepare, info=dataset.info, size=input_size, sigma=sigma, chance=chance)
    return stream(
        dataset, prepare, size=input_size, maps=(*map_size(input_size), len(dataset.info.point_names)), batch=batch,
        seed=seed,
        first_epoch=first_epoch, cache=cache, worker=worker, workers=workers,
    )  # fmt: skip


def check(input_size, convention, codec):
    """The codec that `convention` and `codec` mean; raises `ValueError` where they or the size don't fit."""
    if len(input_size) != 2 or min(input_size) < 32 or input_size[0] % STRIDE or input_size[1] % STRIDE:
        raise ValueError(
            f"input_size={input_size}: expected (height, width), multiples of {STRIDE}, of at least 32 pixels"
        )
    if convention not in ("official", "mmlab"):
        raise ValueError(f"convention={convention!r}: expected 'official' or 'mmlab'")
    if convention == "official":
        if input_size[0] != input_size[1] or codec not in (None, "official"):
            raise ValueError(
                f"input_size={input_size}, codec={codec!r}: the official convention cuts squares and has its own codec"
            )
        return "official"
    if codec not in (None, "msra", "dark", "udp"):
        raise ValueError(f"codec={codec!r}: expected 'msra', 'dark' or 'udp' with the convention of mmlab")
    return codec or "msra"


def evaluation(dataset, workers=2):
    """The examples of a `PointSet` in its order, as NumPy dicts, read ahead by `workers` threads."""
    return datasets.read_ahead(dataset, workers)


def _official(image, annotations, row, rng, *, info, size, sigma, chance):
    center, scale = annotations["centers"][row], annotations["scales"][row] * affine.PADDING
    points, visible = annotations["points"][row], annotations["visible"][row]
    look = augment.official_landmark(rng, center, scale, **chance)
    center = look.center
    if look.flip:
        width = image.shape[1]  # not the last column: the official code mirrors one pixel off
        image, points = image[:, ::-1], mirror_points(points, width, info.flip_pairs)
        visible, center = swap_points(visible, info.flip_pairs), np.array([width - center[0], center[1]])
    picture = cropping.crop(
        image, center, look.scale, side=size[0], rotation=look.rotation, stretch_first=info.stretch_first
    )
    maps = targets(points, center, look.scale, side=size[0] // STRIDE, sigma=sigma, rotation=look.rotation)
    return picture, maps, (visible > 0).astype(np.float32)


def _mmlab(image, annotations, row, rng, *, info, size, codec, sigma, chance):
    center, scale = annotations["centers"][row], annotations["scales"][row] * affine.PADDING
    points, visible = annotations["points"][row], annotations["visible"][row]
    look = augment.mmlab(rng, center, scale, points, visible, shifting=0.0, **chance)
    return affine_sample(image, points, visible, look, size=size, codec=codec, sigma=sigma, flip_pairs=info.flip_pairs)


def endpoints(model, info):
    """The signatures of an exported landmark model: see `keypoints.serving.endpoints`, and one more.

    `boxes` are tight around the landmarks, and every face is looked at twice, the second time around the points that
    were found: as `predict` does unasked. `once`, about one picture as `picture`, takes the squares that the model's
    crops are made of (`faces.boxes_to_centers_scales` makes them of any kind of box) and looks at them as they are.

    Crops by the official convention are those that the model in Keras is shown, to the last bit; those by mmpose's: see
    `keypoints.serving.warp`.
    """
    reading = reading_of(model, size=SIZE, flip=FLIP, symmetric=SYMMETRIC)
    crop_box = info.crop_box or "tight"
    is_official, stretch_first = reading.convention == "official", info.stretch_first

    @tf.function  # written once for all that call it
    def look(picture, places):
        centers, sides = places[:, :2], places[:, 2] / affine.UNIT * affine.PADDING * affine.UNIT
        if not is_official:
            return serving.look(picture, centers, tf.stack([sides, sides], axis=1), reading)
        centers = tf.cast(tf.cast(centers, tf.float32), tf.float64)  # a habit of the official code
        back = tf.concat([centers, sides[:, None]], axis=1)[:, None]
        return _official_crops(picture, centers, sides, reading.size[0], stretch_first), back

    def decoded(maps, back):
        found = decode(maps, codec=reading.codec, input_size=reading.size)
        centers, sides = back[..., :2], back[..., 2:]
        steps = sides / reading.size[0]
        return _truncated(tf.cast(found["points"], tf.float64) * steps + centers - sides / 2) + 1, found["scores"]

    steps = serving.Steps(
        look,
        decoded if is_official else serving.decoded(decode, reading),
        place=lambda boxes: _places(boxes, crop_box),
        again=lambda points: _around(points, crop_box),
    )
    once = dataclasses.replace(steps, place=lambda boxes: _places(boxes, "tight"), again=None)
    return [*serving.endpoints(model, reading, steps), serving.of_picture("once", model, reading, once)]


def _places(boxes, crop_box):
    """Centres and sides `(n, 3)` as (x, y, side) of the squares to look at: `faces.boxes_to_centers_scales`."""
    boxes = tf.cast(boxes, tf.float64)
    shift, factor = BOXES[crop_box]
    sides = tf.reduce_max(boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True) / factor
    x, y = tf.split((boxes[:, :2] + boxes[:, 2:]) / 2, 2, axis=1)
    return tf.concat([x, y - shift * sides, sides], axis=1)


def _around(points, crop_box):
    """The places of a second look: `faces.points_to_centers_scales`, and some pixels where all points are one."""
    low, high = tf.floor(tf.reduce_min(points, axis=1)), tf.math.ceil(tf.reduce_max(points, axis=1))
    places = _places(tf.concat([low, high], axis=1), crop_box)
    return tf.concat([places[:, :2], tf.maximum(places[:, 2:], 2.0)], axis=1)


def _official_crops(picture, centers, sides, size, stretch_first):
    """The crops of `crop.crop`, step by step as there: faces shrunk, pasted at whole pixels, stretched, resized."""
    shape, shrinking = tf.cast(tf.shape(picture)[:2], tf.float64), sides / size
    source = picture  # of faces to be shrunk
    if stretch_first:
        source = tf.cond(tf.reduce_any(shrinking >= 2), lambda: _stretched(picture), lambda: picture)

    def one(at):
        center, side, ratio = at
        is_large = ratio >= 2
        ratio = tf.where(is_large, ratio, tf.ones_like(ratio))
        shrunk = tf.floor(shape / ratio)
        center = tf.cast(tf.cast(center, tf.float32) / tf.cast(ratio, tf.float32), tf.float64)  # as the official code
        side = side / ratio
        begin = _truncated(center - side / 2 - side / size) + 1
        extent = tf.clip_by_value(_truncated(center + side / 2 - side / size) + 1 - begin, 1, 3 * size)
        window = begin[::-1], extent[::-1]  # (y, x) from here
        whole = tf.cond(is_large, lambda: source, lambda: picture)
        pasted = resizing.resize(whole, tf.maximum(shrunk, 1), window=window)
        crop = resizing.resize(_stretched(pasted), (size, size))
        crop = tf.where(is_large & (tf.reduce_max(shrunk) < 2), tf.zeros_like(crop), crop)
        return tf.cast(crop, tf.float32)

    return tf.map_fn(one, (centers, sides, shrinking), fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32))


def _truncated(x):
    return tf.where(x < 0, tf.math.ceil(x), tf.floor(x))


def _stretched(picture):
    """Grey levels from 0 to 255, uint8."""
    levels = tf.cast(picture, tf.float32)
    low, high = tf.reduce_min(levels), tf.reduce_max(levels)
    return tf.cast(tf.floor((levels - low) * (255 / tf.maximum(high - low, 1)) + 0.5), tf.uint8)

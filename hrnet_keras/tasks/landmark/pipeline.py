"""Every way from a picture to the model's input: faces cut by the official rules or by mmpose's."""

import numpy as np
import tensorflow as tf

from hrnet_keras import datasets
from hrnet_keras.tasks.keypoints import affine, augment, encoding, serving
from hrnet_keras.tasks.keypoints.flips import mirror_points, swap_points
from hrnet_keras.tasks.keypoints.reading import reading_of
from hrnet_keras.tasks.keypoints.samples import samples as samples, stream
from hrnet_keras.tasks.landmark import crop as cropping
from hrnet_keras.tasks.landmark.decoding import decode
from hrnet_keras.tasks.landmark.targets import targets

# Of a `DataRecipe`, that mean something here.
OPTIONS = ("crop", "rules", "codec", "sigma", "scaling", "rotation", "flip", "cache")
STRIDE = 4
SIZE = (256, 256)  # of the input of every published net
FLIP = {"official": False, "mmlab": True}  # whether published scores are measured with the mirrored crop, too


def training(
    dataset, *, batch, crop, rules="official", codec=None, sigma=1.5, scaling=None, rotation=None, flip=0.5,
    seed=0, first_epoch=0, cache=None, worker=0, workers=1,
):  # fmt: skip
    """An endless stream of training batches: faces at random sizes and turns, every second one mirrored.

    Args:
        dataset: a `PointSet` of faces.
        batch: faces per batch.
        crop: (height, width) of the model's input; the official rules know squares alone.
        rules: `"official"`: contrast-stretched crops and whole-pixel targets; `"mmlab"`: affine crops, see `codec`.
        codec: of the targets, mmlab: `"classic"` (default), `"dark"` or `"udp"`.
        sigma: of the targets, in pixels of the heat maps.
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
    crop = tuple(int(side) for side in crop)
    codec = check(crop, rules, codec)
    turning = rotation if rotation is not None else 30.0 if rules == "official" else 60.0
    spread = {"scaling": 0.25 if scaling is None else scaling, "turning": turning, "flipping": flip}
    prepare = _official if rules == "official" else _mmlab
    maps = (crop[0] // STRIDE, crop[1] // STRIDE, len(dataset.facts.point_names))

    def one(image, annotations, row, rng):
        return prepare(image, annotations, row, rng, dataset.facts, crop, sigma, codec, spread)

    return stream(
        dataset, one, size=crop, maps=maps, batch=batch, seed=seed, first_epoch=first_epoch, cache=cache,
        worker=worker, workers=workers,
    )  # fmt: skip


def check(crop, rules, codec):
    """The codec that `rules` and `codec` mean; raises `ValueError` where they or the crop don't fit."""
    if len(crop) != 2 or min(crop) < 32:
        raise ValueError(f"crop={crop}: expected (height, width) of at least 32 pixels")
    if rules not in ("official", "mmlab"):
        raise ValueError(f"rules={rules!r}: expected 'official' or 'mmlab'")
    if rules == "official":
        if crop[0] != crop[1] or codec not in (None, "official"):
            raise ValueError(f"crop={crop}, codec={codec!r}: the official rules cut squares and have their own codec")
        return "official"
    if codec == "official":
        raise ValueError("codec='official': expected 'classic', 'dark' or 'udp' with the rules of mmlab")
    return codec or "classic"


def remembered(data):
    """What a model trained by a `DataRecipe` has to know of it afterwards, for its facts."""
    return {"input": list(data.crop), "rules": data.rules, "codec": check(data.crop, data.rules, data.codec)}


def evaluation(dataset, workers=2):
    """The examples of a `PointSet` in its order, as NumPy dicts, read ahead by `workers` threads."""
    return datasets.read_ahead(dataset, workers)


def _official(image, annotations, row, rng, facts, size, sigma, codec, spread):
    center, scale = annotations["centers"][row], annotations["scales"][row] * affine.PADDING
    points, look = annotations["points"][row], augment.official_landmark(rng, center, scale, **spread)
    center = look.center
    if look.flip:
        width = image.shape[1]
        image, points = image[:, ::-1], mirror_points(points, width, facts.flip_pairs)
        center = np.array([width - center[0], center[1]])
    picture = cropping.crop(
        image, center, look.scale, side=size[0], rotation=look.rotation, stretch_first=facts.stretch_first
    )
    maps = targets(points, center, look.scale, side=size[0] // STRIDE, sigma=sigma, rotation=look.rotation)
    return picture, maps, np.ones(len(points), np.float32)


def _mmlab(image, annotations, row, rng, facts, size, sigma, codec, spread):
    center, scale = center_and_scale(annotations, row)
    points, visible = annotations["points"][row], annotations["visible"][row]
    look = augment.mmlab(rng, center, scale, points, visible, shifting=0.0, **spread)
    center = look.center
    if look.flip:
        last = image.shape[1] - 1
        image, points = image[:, ::-1], mirror_points(points, last, facts.flip_pairs)
        visible, center = swap_points(visible, facts.flip_pairs), np.array([last - center[0], center[1]])
    scale = affine.fix_aspect(look.scale, size[1] / size[0])
    matrix = (affine.udp_matrix if codec.startswith("udp") else affine.crop_matrix)(center, scale, size, look.rotation)
    maps, weights = encoding.encode(
        affine.transform(points, matrix), visible, codec=codec, input_size=size,
        map_size=(size[0] // STRIDE, size[1] // STRIDE), sigma=sigma,
    )  # fmt: skip
    return affine.warp(image, matrix, size), maps, weights


def center_and_scale(annotations, row):
    """Centre and (width, height) of a face's crop in units of 200 px, padded: as stated, or of its box."""
    if "centers" in annotations:
        return annotations["centers"][row], np.repeat(annotations["scales"][row] * affine.PADDING, 2)
    return affine.center_scale(annotations["boxes"][row])


def endpoints(model, facts):
    """The signatures of an exported landmark model: see `keypoints.serving.endpoints`.

    `boxes` are tight around the landmarks, as `faces.boxes_to_centers_scales` turns other kinds into. With the official
    rules the crop is made in one step and not rounded in between; points differ by about a pixel of the heat map's
    quarter at most where large faces are shrunk.
    """
    del facts
    reading = reading_of(model, size=SIZE, flip=FLIP)
    official, unbiased = reading.rules == "official", reading.codec.startswith("udp")
    ratio = reading.size[1] / reading.size[0]

    def look(picture, boxes):
        boxes = tf.cast(boxes, tf.float64)
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        side = affine.PADDING * tf.reduce_max(boxes[:, 2:] - boxes[:, :2], axis=1)
        if official:
            return _official_crops(picture, centers, side, reading.size[0]), _flat(centers, side)
        sides = tf.stack([tf.maximum(side, side * ratio), tf.maximum(side, side / ratio)], axis=1)
        back = serving.inverse_maps(centers, sides, reading.size, unbiased=unbiased)
        return serving.warp(picture, back, reading.size), back

    def decoded(maps, back):
        found = decode(maps, codec=reading.codec, input_size=reading.size)
        if not official:
            return serving.transform(found["points"], back), found["scores"]
        centers, side = back[:, 0, :2], back[:, 0, 2]
        steps = (side / reading.size[0])[:, None, None]
        points = tf.cast(found["points"], tf.float64) * steps + (centers - side[:, None] / 2)[:, None]
        return _truncated(points) + 1, found["scores"]

    return serving.endpoints(model, reading, look=look, decoded=decoded)


def _flat(centers, side):
    """Centre and side of every crop as `(n, 1, 3)`."""
    return tf.concat([centers, side[:, None]], axis=1)[:, None]


def _truncated(x):
    return tf.where(x < 0, tf.math.ceil(x), tf.floor(x))


def _official_crops(picture, centers, sides, size):
    """Squares with corners at whole pixels, antialiased where they shrink, grey levels stretched to 0..255."""
    picture, limit = tf.cast(picture, tf.float32), tf.cast(tf.shape(picture)[1::-1], tf.float64)

    def one(at):
        center, side = at
        begin = _truncated(center - side / 2 - side / size) + 1
        end = tf.maximum(_truncated(center + side / 2 - side / size) + 1, begin + 1)
        scale = tf.cast(size / (end - begin), tf.float32)
        crop = tf.raw_ops.ScaleAndTranslate(
            images=picture[None], size=(size, size), scale=scale[::-1],
            translation=(-tf.cast(begin, tf.float32) * scale)[::-1], kernel_type="triangle", antialias=True,
        )[0]  # fmt: skip
        low, high = tf.cast(tf.maximum(begin, 0), tf.int32), tf.cast(tf.minimum(end, limit), tf.int32)
        inside = picture[low[1] : high[1], low[0] : high[0]]
        whole = tf.reduce_all((begin >= 0) & (end <= limit))
        darkest = tf.where(whole, tf.reduce_min(inside), 0.0)  # beyond the picture all is black
        brightest = tf.maximum(tf.reduce_max(inside), 0.0)
        stretched = (crop - darkest) * (255 / tf.maximum(brightest - darkest, 1.0))
        return tf.clip_by_value(tf.round(stretched), 0, 255)

    return tf.map_fn(one, (centers, sides), fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32))

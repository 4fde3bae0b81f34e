"""Picture files and boxes of faces -> points, in one TensorFlow graph: the signatures of a SavedModel.

What stands here are the graph's forms of `crop.crop`, `decoding.to_picture` and of the functions of `faces`, step by
step as there; tests compare them.
"""

import dataclasses

import tensorflow as tf

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.keypoints import affine, serving
from hrnet_keras.tasks.keypoints.spec import KeypointSpec
from hrnet_keras.tasks.landmark.decoding import decode
from hrnet_keras.tasks.landmark.faces import BOXES
from hrnet_keras.tasks.landmark.inference import DEFAULTS
from hrnet_keras.tasks.processing import Signature
from hrnet_keras.transforms import resizing


def signatures(model, info: ModelInfo) -> list[Signature]:
    """The signatures of an exported landmark model: see `keypoints.serving.signatures`, and one more.

    `boxes` are tight around the landmarks, and every face is looked at twice, the second time around the points that
    were found: as `predict` does unasked. `once`, about one picture as `picture`, takes the squares that the model's
    crops are made of (`faces.boxes_to_centers_scales` makes them of any kind of box) and looks at them as they are.
    """
    spec = KeypointSpec.of(info, model.input_shape[1:3], DEFAULTS)
    crop_box = info.crop_box or "tight"
    if spec.convention == "official":
        crop = tf.function(lambda picture, squares: official_crops(picture, squares, spec.size[0], info.stretch_first))
        decoder = _official_decoder(spec)
    else:
        crop = tf.function(lambda picture, squares: _affine_crops(picture, squares, spec))
        decoder = serving.affine_decoder(decode, spec)
    twice = serving.GraphSteps(
        spec,
        crop,  # a tf.function: written once for all that call it
        decoder,
        place=lambda boxes: squares_of_boxes(boxes, crop_box),
        refine=lambda points: squares_around(points, crop_box),
    )
    once = dataclasses.replace(twice, place=lambda boxes: squares_of_boxes(boxes, "tight"), refine=None)
    return [*serving.signatures(model, twice), serving.of_picture("once", model, once)]


def _affine_crops(picture, squares, spec: KeypointSpec):
    sides = squares[:, 2:] / affine.UNIT * affine.PADDING * affine.UNIT
    return serving.affine_crops(picture, squares[:, :2], tf.repeat(sides, 2, axis=1), spec)


def _official_decoder(spec: KeypointSpec):
    """What takes heat maps and the squares of `official_crops` to whole pixels of the picture."""

    def decode_in_picture(maps, squares):
        decoded = decode(maps, codec=spec.codec, input_size=spec.size)
        centers = squares[..., :2]
        sides = squares[..., 2:]
        points = tf.cast(decoded["points"], tf.float64) * (sides / spec.size[0])
        return _truncated(points + centers - sides / 2) + 1, decoded["scores"]

    return decode_in_picture


def squares_of_boxes(boxes, crop_box: str):
    """Centres and sides `(n, 3)` as (x, y, side) of the squares to look at: `faces.boxes_to_centers_scales`."""
    boxes = tf.cast(boxes, tf.float64)
    shift, factor = BOXES[crop_box]
    sides = tf.reduce_max(boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True) / factor
    x, y = tf.split((boxes[:, :2] + boxes[:, 2:]) / 2, 2, axis=1)
    return tf.concat([x, y - shift * sides, sides], axis=1)


def squares_around(points, crop_box: str):
    """The squares of a second look: `faces.points_to_centers_scales`, and some pixels where all points are one."""
    low = tf.floor(tf.reduce_min(points, axis=1))
    high = tf.math.ceil(tf.reduce_max(points, axis=1))
    squares = squares_of_boxes(tf.concat([low, high], axis=1), crop_box)
    return tf.concat([squares[:, :2], tf.maximum(squares[:, 2:], 2.0)], axis=1)


def official_crops(picture, squares, size: int, stretch_first: bool):
    """The crops of `crop.crop`, step by step as there: faces shrunk, pasted at whole pixels, stretched, resized.

    Args:
        picture: uint8 `(height, width, 3)`.
        squares: centres and sides `(n, 3)`, float64, without padding.
        size: of the crops.
        stretch_first: as of `crop.crop`.

    Returns:
        Crops float32 `(n, size, size, 3)`, and the padded squares that they show, `(n, 1, 3)`.
    """
    centers = tf.cast(tf.cast(squares[:, :2], tf.float32), tf.float64)  # a habit of the official code
    sides = squares[:, 2] / affine.UNIT * affine.PADDING * affine.UNIT
    shape = tf.cast(tf.shape(picture)[:2], tf.float64)
    shrinking = sides / size
    source = picture  # of faces to be shrunk
    if stretch_first:
        source = tf.cond(tf.reduce_any(shrinking >= 2), lambda: _stretched(picture), lambda: picture)

    def crop_one(square):
        center, side, ratio = square
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

    kind = tf.TensorSpec((size, size, 3), tf.float32)
    crops = tf.map_fn(crop_one, (centers, sides, shrinking), fn_output_signature=kind)
    return crops, tf.concat([centers, sides[:, None]], axis=1)[:, None]


def _truncated(x):
    return tf.where(x < 0, tf.math.ceil(x), tf.floor(x))


def _stretched(picture):
    """Grey levels from 0 to 255, uint8."""
    levels = tf.cast(picture, tf.float32)
    low = tf.reduce_min(levels)
    high = tf.reduce_max(levels)
    return tf.cast(tf.floor((levels - low) * (255 / tf.maximum(high - low, 1)) + 0.5), tf.uint8)

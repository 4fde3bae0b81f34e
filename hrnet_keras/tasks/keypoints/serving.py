"""Picture bytes and boxes -> points in picture coordinates, in one TensorFlow graph: a SavedModel of points."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from hrnet_keras.transforms import orientation
from hrnet_keras.transforms.decode import decode_or_black
from hrnet_keras.transforms.upright import STORED


@dataclass(frozen=True)
class Steps:
    """What a task does in the graph between a picture's boxes and its points.

    Attributes:
        look: `(picture uint8 (height, width, 3), places (n, ...))` -> crops float32 `(n, *size, 3)`, and float64
            `(n, rows, columns)` of whatever `decoded` needs to find back.
        decoded: `(heat maps, back)` -> points `(n, k, 2)` in the picture, scores `(n, k)`.
        place: boxes float32 `(n, 4)` -> the places that `look` takes.
        again: points float64 `(n, k, 2)` -> the places of a second look at them; None: one look is enough.
    """

    look: Callable
    decoded: Callable
    place: Callable = lambda boxes: boxes
    again: Callable | None = None


def endpoints(model, reading, steps):
    """The signatures of an exported model of points, for `exporting`.

    | name | takes | answers |
    |---|---|---|
    | `serving_default` | `image_bytes` `(batch,)`, `boxes` `(batch, 4)`: a box per picture | `points`, `scores` |
    | `picture` | `image_bytes` `()`, `boxes` `(n, 4)`: one picture with many boxes, or none | `points`, `scores` |
    | `images` | `images` uint8 `(batch, height, width, 3)`, `boxes` `(batch, 4)` | `points`, `scores` |

    Boxes are float32, xyxy in pixels of the picture; points float32 `(n, k, 2)` as (x, y), scores float32 `(n, k)`.
    Photographs that are stored turned are looked at upright, as by `predict`; boxes and points are in pixels as stored.
    `images` are taken as they are. A box that is none (no numbers, no area) and bytes that are no picture are answered
    by points and scores of 0: in a batch, others are asking too.

    Args:
        model: the folded model.
        reading: its `Reading`.
        steps: the task's `Steps`.

    Returns:
        List of `(name, function, what it takes)`.
    """
    crop, back = tf.TensorSpec((*reading.size, 3), tf.float32), tf.TensorSpec((None, None), tf.float64)

    def of_each(pictures, boxes, read, stored):
        def one(asked):
            picture, place, turn = asked
            picture, is_read = read(picture)
            crops, backs = steps.look(orientation.turned(picture, turn), place[None])
            return crops[0], backs[0], is_read

        def look(places):
            kinds = crop, back, tf.TensorSpec((), tf.bool)
            return tf.map_fn(one, (pictures, places, stored.orientation), fn_output_signature=kinds)

        return _answer(model, reading, steps, look, boxes, stored)

    def of_files(image_bytes, boxes):
        kinds = tf.TensorSpec((), tf.int32), tf.TensorSpec((2,), tf.int32)
        stored = _Stored(*tf.map_fn(orientation.orientation_and_size, image_bytes, fn_output_signature=kinds))
        return of_each(image_bytes, boxes, decode_or_black, stored)

    def of_images(images, boxes):
        count = tf.shape(images)[:1]
        size = tf.broadcast_to(tf.shape(images)[1:3], (count[0], 2))
        return of_each(images, boxes, lambda image: (image, True), _Stored(tf.fill(count, STORED), size))

    files, boxes = tf.TensorSpec([None], tf.string, name="image_bytes"), _boxes_taken()
    pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
    return [
        ("serving_default", of_files, [files, boxes]),
        of_picture("picture", model, reading, steps),
        ("images", of_images, [pixels, boxes]),
    ]


@dataclass(frozen=True)
class _Stored:
    """How pictures are stored, of all or of each.

    Attributes:
        orientation: int32 `()` or `(n,)`, how their pixels are turned to be upright.
        size: int32 `(2,)` or `(n, 2)`, their height and width.
    """

    orientation: tf.Tensor
    size: tf.Tensor

    def upright(self, boxes):
        return orientation.turned_boxes(boxes, self.orientation, self.size)

    def back(self, points):
        return orientation.points_turned_back(points, self.orientation, self.size)


def of_picture(name, model, reading, steps):
    """The signature `name` about one picture and many boxes, as `(name, function, what it takes)`: see `endpoints`."""

    def answer(image_bytes, boxes):
        picture, is_read = decode_or_black(image_bytes)
        stored = _Stored(*orientation.orientation_and_size(image_bytes))
        picture = orientation.turned(picture, stored.orientation)

        def look(places):
            return *steps.look(picture, places), tf.fill(tf.shape(places)[:1], is_read)

        return _answer(model, reading, steps, look, boxes, stored)

    return name, answer, [tf.TensorSpec([], tf.string, name="image_bytes"), _boxes_taken()]


def _boxes_taken():
    return tf.TensorSpec([None, 4], tf.float32, name="boxes")


def _answer(model, reading, steps, look, boxes, stored):
    """Points and scores of boxes; `look` gives crops at places, the way back, and whether there is a picture.

    Boxes and points are in pixels as `stored`, places in those of upright pictures.
    """

    def seen(places):
        crops, back, are_read = look(places)
        crops = tf.ensure_shape(crops, (None, *reading.size, 3))
        maps = model(crops, training=False)
        if reading.flip:
            maps = reading.merged(maps, model(tf.reverse(crops, [2]), training=False))
        return *steps.decoded(maps, back), are_read

    points, scores, are_read = seen(steps.place(stored.upright(_safe(boxes))))
    if steps.again is not None:
        points, scores, are_read = seen(steps.again(tf.cast(points, tf.float64)))
    points = stored.back(points)
    is_answer = (_is_box(boxes) & are_read)[:, None]
    scores = tf.where(is_answer, tf.cast(scores, tf.float32), 0.0)
    return {"points": tf.where(is_answer[..., None], tf.cast(points, tf.float32), 0.0), "scores": scores}


def _is_box(boxes):
    low, high = boxes[:, :2], boxes[:, 2:]
    return tf.reduce_all(tf.math.is_finite(boxes) & tf.tile(high >= low, (1, 2)), axis=1) & tf.reduce_any(high > low, 1)


def _safe(boxes):
    """Boxes with a pixel in the place of those that are none."""
    return tf.where(_is_box(boxes)[:, None], boxes, tf.constant([0.0, 0.0, 1.0, 1.0]))


def look(picture, centers, sides, reading):
    """Upright crops of a picture and the maps back, the `look` of crops by an affine map.

    Args:
        picture: uint8 `(height, width, 3)`.
        centers: float64 `(n, 2)` as (x, y).
        sides: float64 `(n, 2)`, width and height of what is to be shown, in pixels, padding included; widened to the
            aspect ratio of the input here.
        reading: the model's `Reading`.

    Returns:
        Crops float32 `(n, *size, 3)` and maps from crop to picture pixels, float64 `(n, 2, 3)`.
    """
    wide, high = sides[:, 0], sides[:, 1]
    ratio = reading.aspect_ratio
    sides = tf.stack([tf.maximum(wide, high * ratio), tf.maximum(high, wide / ratio)], axis=1)
    back = inverse_maps(centers, sides, reading.size, unbiased=reading.unbiased)
    return warp(picture, back, reading.size), back


def decoded(decode_maps, reading):
    """What takes heat maps and the maps of `look` to points in the picture; `decode_maps`: the task's `decode`."""

    def points_in_picture(maps, back):
        found = decode_maps(maps, codec=reading.codec, input_size=reading.size)
        points = tf.einsum("nkc,nrc->nkr", tf.cast(found["points"], tf.float64), back[..., :2])
        return points + back[:, None, :, 2], found["scores"]

    return points_in_picture


def warp(picture, inverses, size):
    """Crops of one picture, bilinear in whole grey levels, black beyond it, as OpenCV's `warpAffine` makes them.

    Measured on 12 persons of COCO: of OpenCV 5's pixels one in 10,000 differs, by one grey level. (OpenCV 4 is up to 4
    away from OpenCV 5.)

    Args:
        picture: `(height, width, 3)`, any number type.
        inverses: float64 `(n, 2, 3)`, from crop to picture pixels.
        size: (height, width) of the crops.

    Returns:
        float32 `(n, *size, 3)`.
    """
    picture = tf.cast(picture, tf.float32)[None]
    rows = tf.concat([tf.reshape(inverses, (-1, 6)), tf.zeros((tf.shape(inverses)[0], 2), inverses.dtype)], axis=1)

    def one(row):
        found = tf.raw_ops.ImageProjectiveTransformV3(
            images=picture, transforms=row[None], output_shape=size, interpolation="BILINEAR", fill_mode="CONSTANT",
            fill_value=0.0,
        )  # fmt: skip
        return tf.floor(found[0] + 0.5)

    return tf.map_fn(one, tf.cast(rows, tf.float32), fn_output_signature=tf.TensorSpec((*size, 3), tf.float32))


def inverse_maps(centers, sides, size, *, unbiased):
    """From crop to picture pixels: the inverses of `affine.crop_matrix` or, unbiased, of `affine.udp_matrix`.

    Args:
        centers: float64 `(n, 2)` as (x, y).
        sides: float64 `(n, 2)`, width and height of what is shown, in pixels; without `unbiased` only the width counts.
        size: (height, width) of the crops.
        unbiased: pixel centres are matched, not corners.

    Returns:
        float64 `(n, 2, 3)`.
    """
    shape = tf.constant([size[1], size[0]], tf.float64)
    steps = sides / (shape - 1) if unbiased else tf.repeat(sides[:, :1] / size[1], 2, axis=1)
    begin = centers - (sides / 2 if unbiased else steps * shape / 2)
    return tf.concat([tf.linalg.diag(steps), begin[..., None]], axis=-1)

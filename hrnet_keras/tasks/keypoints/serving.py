"""Picture bytes and boxes -> points in picture coordinates, in one TensorFlow graph: a SavedModel of points."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from hrnet_keras.tasks.keypoints import affine
from hrnet_keras.tasks.keypoints.spec import KeypointSpec
from hrnet_keras.tasks.processing import Signature
from hrnet_keras.transforms import orientation
from hrnet_keras.transforms.decode import decode_or_black
from hrnet_keras.transforms.upright import STORED

Answer = dict[str, tf.Tensor]  # points and scores


@dataclass(frozen=True)
class GraphSteps:
    """What a task does in the graph between a picture's boxes and its points.

    Attributes:
        spec: of the model.
        crop: `(picture uint8 (height, width, 3), places (n, ...))` -> crops float32 `(n, *size, 3)`, and float64
            `(n, rows, columns)` of whatever `decode` needs to find back.
        decode: `(heat maps, back)` -> points `(n, k, 2)` in the picture, scores `(n, k)`.
        place: boxes float32 `(n, 4)` -> the places that `crop` takes.
        refine: points float64 `(n, k, 2)` -> the places of a second look at them; None: one look is enough.
    """

    spec: KeypointSpec
    crop: Callable
    decode: Callable
    place: Callable = lambda boxes: boxes
    refine: Callable | None = None


def signatures(model: Any, steps: GraphSteps) -> list[Signature]:
    """The signatures of an exported model of points.

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
        steps: the task's.
    """
    crop_kind = tf.TensorSpec((*steps.spec.size, 3), tf.float32)
    back_kind = tf.TensorSpec((None, None), tf.float64)

    def of_each(pictures: Any, boxes: tf.Tensor, read: Callable, stored: _Stored) -> Answer:
        def crop_one(row: tuple) -> tuple:
            picture, place, turn = row
            picture, is_read = read(picture)
            crops, backs = steps.crop(orientation.turned(picture, turn), place[None])
            return crops[0], backs[0], is_read

        def crops_at(places: tf.Tensor) -> tuple:
            kinds = crop_kind, back_kind, tf.TensorSpec((), tf.bool)
            return tf.map_fn(crop_one, (pictures, places, stored.orientation), fn_output_signature=kinds)

        return _points(model, steps, crops_at, boxes, stored)

    def of_files(image_bytes: tf.Tensor, boxes: tf.Tensor) -> Answer:
        kinds = tf.TensorSpec((), tf.int32), tf.TensorSpec((2,), tf.int32)
        stored = _Stored(*tf.map_fn(orientation.orientation_and_size, image_bytes, fn_output_signature=kinds))
        return of_each(image_bytes, boxes, decode_or_black, stored)

    def of_images(images: tf.Tensor, boxes: tf.Tensor) -> Answer:
        count = tf.shape(images)[:1]
        size = tf.broadcast_to(tf.shape(images)[1:3], (count[0], 2))
        return of_each(images, boxes, lambda image: (image, True), _Stored(tf.fill(count, STORED), size))

    files = tf.TensorSpec([None], tf.string, name="image_bytes")
    pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
    return [
        Signature("serving_default", of_files, [files, _boxes_taken()]),
        of_picture("picture", model, steps),
        Signature("images", of_images, [pixels, _boxes_taken()]),
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

    def upright(self, boxes: tf.Tensor) -> tf.Tensor:
        return orientation.turned_boxes(boxes, self.orientation, self.size)

    def back(self, points: tf.Tensor) -> tf.Tensor:
        return orientation.points_turned_back(points, self.orientation, self.size)


def of_picture(name: str, model: Any, steps: GraphSteps) -> Signature:
    """The signature `name` about one picture and many boxes: see `signatures`."""

    def answer(image_bytes: tf.Tensor, boxes: tf.Tensor) -> Answer:
        picture, is_read = decode_or_black(image_bytes)
        stored = _Stored(*orientation.orientation_and_size(image_bytes))
        picture = orientation.turned(picture, stored.orientation)

        def crops_at(places: tf.Tensor) -> tuple:
            return *steps.crop(picture, places), tf.fill(tf.shape(places)[:1], is_read)

        return _points(model, steps, crops_at, boxes, stored)

    return Signature(name, answer, [tf.TensorSpec([], tf.string, name="image_bytes"), _boxes_taken()])


def _boxes_taken() -> tf.TensorSpec:
    return tf.TensorSpec([None, 4], tf.float32, name="boxes")


def _points(model: Any, steps: GraphSteps, crops_at: Callable, boxes: tf.Tensor, stored: _Stored) -> Answer:
    """Points and scores of boxes; `crops_at` gives crops at places, the way back, and whether there is a picture.

    Boxes and points are in pixels as `stored`, places in those of upright pictures.
    """
    spec = steps.spec

    def points_at(places: tf.Tensor) -> tuple:
        crops, back, are_read = crops_at(places)
        crops = tf.ensure_shape(crops, (None, *spec.size, 3))
        maps = model(crops, training=False)
        if spec.flip:
            maps = spec.merged(maps, model(tf.reverse(crops, [2]), training=False))
        return *steps.decode(maps, back), are_read

    points, scores, are_read = points_at(steps.place(stored.upright(_safe(boxes))))
    if steps.refine is not None:
        points, scores, are_read = points_at(steps.refine(tf.cast(points, tf.float64)))
    points = stored.back(points)
    is_answer = (_is_box(boxes) & are_read)[:, None]
    scores = tf.where(is_answer, tf.cast(scores, tf.float32), 0.0)
    return {"points": tf.where(is_answer[..., None], tf.cast(points, tf.float32), 0.0), "scores": scores}


def _is_box(boxes: tf.Tensor) -> tf.Tensor:
    low = boxes[:, :2]
    high = boxes[:, 2:]
    return tf.reduce_all(tf.math.is_finite(boxes) & tf.tile(high >= low, (1, 2)), axis=1) & tf.reduce_any(high > low, 1)


def _safe(boxes: tf.Tensor) -> tf.Tensor:
    """Boxes with a pixel in the place of those that are none."""
    return tf.where(_is_box(boxes)[:, None], boxes, tf.constant([0.0, 0.0, 1.0, 1.0]))


def affine_crops(
    picture: tf.Tensor, centers: tf.Tensor, sides: tf.Tensor, spec: KeypointSpec
) -> tuple[tf.Tensor, tf.Tensor]:
    """Upright crops of a picture and the maps back, as `inference.HeatmapProcessor.affine_crops` makes them.

    Args:
        picture: uint8 `(height, width, 3)`.
        centers: float64 `(n, 2)` as (x, y).
        sides: float64 `(n, 2)`, width and height of what is to be shown, in pixels, padding included; widened to the
            aspect ratio of the input here.
        spec: of the model.

    Returns:
        Crops float32 `(n, *size, 3)` and maps from crop to picture pixels, float64 `(n, 2, 3)`.
    """
    wide = sides[:, 0]
    high = sides[:, 1]
    ratio = spec.aspect_ratio
    sides = tf.stack([tf.maximum(wide, high * ratio), tf.maximum(high, wide / ratio)], axis=1)
    steps, begins = affine.upright_maps(centers, sides, spec.size, unbiased=spec.unbiased)
    back = tf.concat([tf.linalg.diag(steps), begins[..., None]], axis=-1)
    return warp(picture, steps, begins, spec.size), back


def affine_decoder(decode: Callable, spec: KeypointSpec) -> Callable:
    """What takes heat maps and the maps of `affine_crops` to points in the picture; `decode`: the task's."""

    def decode_in_picture(maps: tf.Tensor, back: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        decoded = decode(maps, codec=spec.codec, input_size=spec.size)
        points = tf.einsum("nkc,nrc->nkr", tf.cast(decoded["points"], tf.float64), back[..., :2])
        return points + back[:, None, :, 2], decoded["scores"]

    return decode_in_picture


def warp(picture: tf.Tensor, steps: tf.Tensor, begins: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Upright crops of one picture, bilinear in whole grey levels, black beyond it: OpenCV's `warpAffine`, to the bit.

    So it is with OpenCV 5 on processors with fused multiply-add, in crops whose width is a multiple of 16; elsewhere a
    value in 10,000 differs at most, by one grey level.

    Args:
        picture: uint8 `(height, width, 3)`.
        steps, begins: float64 `(n, 2)` as (x, y): pixel i of an axis lies at begin + i * step of the picture.
        size: (height, width) of the crops.

    Returns:
        float32 `(n, *size, 3)`.

    Source: `warpAffineLinearInvoker_8UC3` of OpenCV 5, `modules/imgproc/src/warp_kernels.simd.hpp`.
    """
    height, width = size
    shape = tf.shape(picture)
    padded = tf.pad(picture, ((1, 1), (1, 1), (0, 0)))
    pixels = tf.reshape(padded, (-1, 3))
    stride = shape[1] + 2

    def one(axes: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        step, begin = axes
        # OpenCV rounds what x adds to a row once, as one fused operation, and where the row begins twice.
        x, right = _neighbours(_fused(tf.range(width, dtype=tf.float32), step[0], begin[0]), shape[1])
        y, below = _neighbours(tf.range(height, dtype=tf.float32) * step[1] + begin[1], shape[0])
        # An enlarged crop meets every row several times.
        rows, row_of = tf.unique(tf.reshape(y, [-1]))
        columns = tf.gather(pixels, rows[:, None, None] * stride + x)
        columns = tf.cast(tf.reshape(columns, (-1, 2, width * 3)), tf.float32)
        levels = _fused(tf.repeat(right, 3), columns[:, 1] - columns[:, 0], columns[:, 0])
        levels = tf.reshape(tf.gather(levels, row_of), (2, height, width * 3))
        levels = _fused(below[:, None], levels[1] - levels[0], levels[0])
        return tf.reshape(tf.round(levels), (height, width, 3))

    axes = tf.cast(steps, tf.float32), tf.cast(begins, tf.float32)
    return tf.map_fn(one, axes, fn_output_signature=tf.TensorSpec((height, width, 3), tf.float32))


def _fused(factor: tf.Tensor, values: tf.Tensor, summand: tf.Tensor) -> tf.Tensor:
    """factor * values + summand, of float32, rounded once: float64 holds the product exactly."""
    product = tf.cast(factor, tf.float64) * tf.cast(values, tf.float64)
    return tf.cast(product + tf.cast(summand, tf.float64), tf.float32)


def _neighbours(positions: tf.Tensor, limit: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The two pixels `(2, n)` around positions, counted in a picture with a border of one, and the second's weight."""
    low = tf.floor(positions)
    first = tf.clip_by_value(low, -2, tf.cast(limit, tf.float32))
    first = tf.cast(first, tf.int32) + 1
    both = tf.stack([first, first + 1])
    return tf.clip_by_value(both, 0, limit + 1), positions - low

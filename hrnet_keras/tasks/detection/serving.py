"""Picture files of any sizes -> boxes in their pixels, in one TensorFlow graph: the signatures of a SavedModel."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.detection.frameworks import framework
from hrnet_keras.tasks.detection.inference import PADDING, UNIT, bounds_of, least_side
from hrnet_keras.tasks.detection.parts.paste import paste_masks
from hrnet_keras.tasks.processing import Signature
from hrnet_keras.transforms import orientation
from hrnet_keras.transforms.decode import decode_or_black
from hrnet_keras.transforms.linear import resize_linear
from hrnet_keras.transforms.upright import STORED


def signatures(model: Any, info: ModelInfo) -> list[Signature]:
    """The signatures of an exported detector.

    | name | takes | answers |
    |---|---|---|
    | `serving_default` | `image_bytes` `(batch,)`: JPEG or PNG files | `boxes`, `scores`, `labels`, `valid` |
    | `images` | `images` uint8 `(batch, height, width, 3)` of any size | the same |
    | `masks` | `image_bytes`, of a framework with masks | the same, `masks` and `sizes` |

    `boxes` are float32 `(batch, 100, 4)`, xyxy in pixels of the picture; `scores` float32 and `labels` int32
    `(batch, 100)`, best first; `valid` int32 `(batch,)` says how many of them count. `masks` are uint8, 0 or 1,
    `(batch, n, height, width)`, `n` the largest of `valid`, padded to the largest picture at their right and bottom;
    `sizes` int32 `(batch, 2)` says how much of it, (height, width), is whose. Pictures are resized as by `predict`, to
    the size of the training, and answered one after the other. Photographs that are stored turned are looked at upright
    and answered in pixels as stored; `images` are taken as they are. Bytes that are no picture have `valid` 0.

    Args:
        model: the folded model.
        info: of the model.
    """
    is_v1 = framework(info.head or "").rules_of(info.lineage).v1
    net = _Net(model, bounds_of(info.input_size), least_side(info), is_v1)
    files = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    pixels = [tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")]

    def of_files(image_bytes):
        return tf.map_fn(net.of_file, image_bytes, fn_output_signature=net.kinds(), parallel_iterations=1)

    def of_images(images):
        return tf.map_fn(net.of_picture, images, fn_output_signature=net.kinds(), parallel_iterations=1)

    found = [Signature("serving_default", of_files, files), Signature("images", of_images, pixels)]
    if net.has_masks:
        found.append(Signature("masks", lambda image_bytes: _with_masks(net, image_bytes), files))
    return found


@dataclass(frozen=True)
class _Net:
    """A net that is shown pictures of any size, and answers in their pixels.

    Attributes:
        model: the folded model.
        bounds: (short, long) side at most.
        least: pixels of both sides of the net's input at least.
        is_v1: whether boxes end on their last pixel.
    """

    model: Any
    bounds: tuple[int, int]
    least: int
    is_v1: bool

    @property
    def has_masks(self) -> bool:
        return "masks" in self.model.output_shape

    def kinds(self, *, masks: bool = False) -> dict[str, Any]:
        """The answers about one picture."""
        count = self.model.output_shape["scores"][1]
        kinds = {
            "boxes": tf.TensorSpec((count, 4), tf.float32), "scores": tf.TensorSpec((count,), tf.float32),
            "labels": tf.TensorSpec((count,), tf.int32), "valid": tf.TensorSpec((), tf.int32),
        }  # fmt: skip
        if masks:
            kinds["masks"] = tf.TensorSpec((count, *self.model.output_shape["masks"][2:]), tf.float32)
        return kinds

    def of_file(self, contents, *, masks: bool = False):
        """The answers about a file, in pixels as stored; masks on their boxes, of the upright picture."""
        picture, is_read = decode_or_black(contents)
        turn, _ = orientation.orientation_and_size(contents)
        found = self.of_picture(orientation.turned(picture, turn), masks=masks)
        found["valid"] = tf.where(is_read, found["valid"], 0)
        if masks:
            return found
        is_found = tf.range(tf.shape(found["scores"])[0]) < found["valid"]
        stored = orientation.boxes_turned_back(found["boxes"], turn, tf.shape(picture)[:2])
        found["boxes"] = tf.where(is_found[:, None], stored, 0.0)
        return found

    def of_picture(self, picture, *, masks: bool = False):
        """The answers about a picture uint8 `(height, width, 3)`, in its pixels."""
        own = tf.shape(picture)[:2]
        size, whole = self._sizes(own)
        shown = tf.cast(resize_linear(picture, size), tf.float32)
        margins = [[0, whole[0] - size[0]], [0, whole[1] - size[1]], [0, 0]]
        shown = tf.pad(shown, margins, constant_values=PADDING)
        raw = self.model(tf.ensure_shape(shown, (*self.model.input_shape[1:3], 3))[None], training=False)
        found = {word: raw[word][0] for word in self.kinds(masks=masks)}
        if self.is_v1:
            is_found = tf.range(tf.shape(found["scores"])[0]) < found["valid"]
            found["boxes"] += tf.where(is_found[:, None], [[0.0, 0.0, 1.0, 1.0]], 0.0)
        scale = tf.cast(tf.cast(own, tf.float64) / tf.cast(size, tf.float64), tf.float32)
        found["boxes"] *= tf.stack([scale[1], scale[0], scale[1], scale[0]])
        return found

    def _sizes(self, own):
        """Height and width at which a picture is shown, without and with padding: `inference.shown_size`."""
        sides = tf.cast(own, tf.float64)
        fixed = self.model.input_shape[1:3]
        short, long = self.bounds
        if any(fixed):
            factors = [limit / sides[i] for i, limit in enumerate(fixed) if limit]
            factor = tf.reduce_min(tf.stack(factors))
        else:
            factor = tf.minimum(long / tf.reduce_max(sides), short / tf.reduce_min(sides))
        size = tf.maximum(tf.cast(sides * factor + 0.5, tf.int32), 1)
        size = tf.stack([tf.minimum(size[i], limit) if limit else size[i] for i, limit in enumerate(fixed)])
        whole = tf.maximum(-(-size // UNIT) * UNIT, self.least)
        return size, tf.stack([limit or whole[i] for i, limit in enumerate(fixed)])


def _with_masks(net: _Net, image_bytes):
    """The answers to files with masks in pixels of the pictures as stored."""
    kinds = net.kinds(masks=True)

    def find(contents):
        found = net.of_file(contents, masks=True)
        picture, is_read = decode_or_black(contents)
        turn, _ = orientation.orientation_and_size(contents)
        return found, tf.where(is_read, tf.shape(picture)[:2], 0), tf.where(is_read, turn, STORED)

    signature = (kinds, tf.TensorSpec((2,), tf.int32), tf.TensorSpec((), tf.int32))
    found, sizes, turns = tf.map_fn(find, image_bytes, fn_output_signature=signature, parallel_iterations=1)
    largest, count = tf.reduce_max(sizes, axis=0), tf.reduce_max(found["valid"])

    def draw(row):
        masks, boxes, size, turn = row
        size = tf.maximum(size, 1)
        upright = orientation.turned_size(size, turn)
        drawn = tf.cast(paste_masks(masks[:count], boxes[:count], (upright[0], upright[1])), tf.uint8)
        drawn = orientation.turned_back(drawn, turn, axis=1)
        return tf.pad(drawn, [[0, 0], [0, largest[0] - size[0]], [0, largest[1] - size[1]]])

    rows = (found["masks"], found["boxes"], sizes, turns)
    masks = tf.map_fn(draw, rows, fn_output_signature=tf.TensorSpec((None, None, None), tf.uint8))
    is_found = tf.range(tf.shape(found["scores"])[1])[None] < found["valid"][:, None]
    masks *= tf.cast(is_found[:, :count, None, None], tf.uint8)
    boxes = tf.map_fn(
        lambda row: orientation.boxes_turned_back(*row), (found["boxes"], turns, sizes), fn_output_signature=tf.float32
    )
    return {**found, "boxes": tf.where(is_found[..., None], boxes, 0.0), "masks": masks, "sizes": sizes}

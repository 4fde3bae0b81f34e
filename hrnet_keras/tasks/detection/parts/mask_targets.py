"""What the mask head is to answer: every object's mask, cropped to a box and resized to the head's grid."""

from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.roi_samples import ALIGNED, axis_weights, sampled_axis

_ONE = 2048.0  # a weight of 1 in OpenCV's resize of bytes


def mask_targets(masks: Any, boxes: Any, matches: Any, *, size: int = 28, plus_one: bool = False) -> Any:
    """Crops masks by boxes, as the mask loss of positive proposals needs them.

    Args:
        masks: of every object, in pixels of the model's input, 0 or 1, of any type, `(batch, objects, height, width)`.
        boxes: xyxy in pixels, `(batch, boxes, 4)`; they are clipped to the masks' area first.
        matches: which object each box is matched with, int32 `(batch, boxes)`; negative where none is.
        size: of the head's grid.
        plus_one: v1's way: boxes cut to whole pixels, the right and bottom ones included, and resized as OpenCV resizes
            bytes, with its rounding. The default is an aligned RoIAlign with adaptive sampling, cut at 0.5.

    Returns:
        0.0 or 1.0, float32 `(batch, boxes, size, size)`; zeros where no object is matched.

    Source: `BitmapMasks.crop_and_resize` and `mask_target_single` of mmdet 3.3.0; `mask_target` of mmdet 0.6.
    """
    batch, objects, height, width = ops.shape(masks)
    count = ops.shape(boxes)[1]
    if boxes.shape[1] == 0:
        return ops.zeros((batch, 0, size, size), "float32")
    boxes = ops.reshape(ops.stop_gradient(ops.cast(boxes, "float32")), (-1, 4))
    matches = ops.cast(matches, "int32")
    places = ops.maximum(matches, 0) + ops.arange(batch, dtype="int32")[:, None] * objects
    masks = ops.reshape(masks, (-1, height, width))
    crop = _crop_bytes if plus_one else _crop_region

    def one_target(inputs):
        """One box at a time: the mask of a whole picture is large."""
        place, box = inputs
        return crop(ops.cast(ops.take(masks, place, axis=0), "float32"), box, size)

    targets = ops.map(one_target, (ops.reshape(places, (-1,)), boxes))
    targets = ops.reshape(targets, (batch, count, size, size))
    return ops.where((matches >= 0)[:, :, None, None], targets, 0.0)


def _crop_region(mask, box, size):
    height, width = ops.shape(mask)
    rows = _region_weights(box[1], box[3], height, size)
    columns = _region_weights(box[0], box[2], width, size)
    return ops.cast(ops.matmul(ops.matmul(rows, mask), ops.transpose(columns)) >= 0.5, "float32")


def _region_weights(low, high, length, size):
    end = ops.cast(length, "float32")  # a tensor where the stream alone knows it
    low = ops.clip(low, 0.0, end)[None]
    high = ops.clip(high, 0.0, end)[None]
    lengths = ops.full_like(low, length, dtype="int32")
    axis = sampled_axis(low, high, ops.ones_like(low), lengths, size, ALIGNED)
    return axis_weights(axis, ops.zeros_like(lengths), length, size, ALIGNED)[0]


def _crop_bytes(mask, box, size):
    """Along x in whole numbers, along y with the remainders that OpenCV drops: 4 is one, 2 is rounded to one."""
    height, width = ops.shape(mask)
    rows, row_weights = _byte_neighbors(box[1], box[3], height, size)
    columns, column_weights = _byte_neighbors(box[0], box[2], width, size)
    along_x = ops.floor(ops.sum(ops.take(mask, columns, axis=1) * column_weights, axis=-1) / 16.0)
    along_y = ops.floor(ops.take(along_x, rows, axis=0) * row_weights[..., None] / 65536.0)
    return ops.cast(ops.sum(along_y, axis=1) >= 2.0, "float32")


def _byte_neighbors(low, high, length, size):
    """The two pixels of every place of a resized row, int32 `(size, 2)`, and their weights in 1/2048."""
    final = ops.cast(length, "float32") - 1.0  # a tensor where the stream alone knows it
    first = ops.clip(ops.floor(low), 0.0, final)
    last = ops.clip(ops.floor(high), 0.0, final)
    extent = ops.maximum(last - first + 1.0, 1.0)
    position = (ops.cast(ops.arange(size), "float32") + 0.5) * extent / size - 0.5
    lower = ops.floor(position)
    share = position - lower
    neighbors = first + ops.clip(ops.stack([lower, lower + 1.0], -1), 0.0, extent - 1.0)
    return ops.cast(neighbors, "int32"), ops.round(ops.stack([1.0 - share, share], -1) * _ONE)

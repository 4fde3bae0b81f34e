"""RoIAlign against whole maps: two batched matrix products per level, all sizes static."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.roi_samples import RoiSampling, axis_weights, sampled_axis

_CHUNK = 32  # regions at a time: between the products each holds `size` rows of every map


def align_dense(
    maps: Sequence[Any], boxes: Any, levels: Any, strides: Sequence[int], size: int, sampling: RoiSampling
) -> Any:
    """RoIAlign of every box on its level; the weights of all other levels are zero.

    Args:
        maps: the levels, `(batch, height, width, channels)` each.
        boxes: xyxy in pixels, `(batch, boxes, 4)`, as many as wanted, at least one.
        levels: int32 `(batch, boxes)`.
        strides: pixels per cell of every level.
        size: bins along each axis.
        sampling: the convention.

    Returns:
        `(batch, boxes, size, size, channels)` in the type of the maps.
    """
    dtype = maps[0].dtype
    maps = [ops.cast(x, "float32") for x in maps]  # so that gradients of chunks are added up in float32
    batch, count = ops.shape(boxes)[:2]
    chunk = min(count, _CHUNK)
    steps = -(-count // chunk)
    places = ops.minimum(ops.arange(steps * chunk, dtype="int32"), count - 1)
    boxes = _chunked(ops.take(boxes, places, axis=1), (batch, steps, chunk, 4))
    levels = _chunked(ops.take(levels, places, axis=1), (batch, steps, chunk))

    def align(inputs):
        chunk_boxes, chunk_levels = inputs
        parts = []
        for level, (x, stride) in enumerate(zip(maps, strides, strict=True)):
            parts.append(_align(x, chunk_boxes, chunk_levels == level, stride, size, sampling))
        return sum(parts[1:], parts[0])

    pooled = ops.cast(ops.moveaxis(ops.map(align, (boxes, levels)), 0, 1), dtype)
    return ops.reshape(pooled, (batch, steps * chunk, size, size, maps[0].shape[-1]))[:, :count]


def _chunked(x, shape):
    return ops.moveaxis(ops.reshape(x, shape), 1, 0)


def _align(x, boxes, on_level, stride, size, sampling):
    batch, height, width, channels = ops.shape(x)
    count = boxes.shape[1]
    flat = ops.reshape(boxes, (-1, 4))
    low = (flat[:, 1], flat[:, 0])
    high = (flat[:, 3], flat[:, 2])
    weights = []
    for axis, length in enumerate((height, width)):
        lengths = ops.full_like(flat[:, 0], length, dtype="int32")
        scale = 1.0 / stride
        regions = sampled_axis(low[axis], high[axis], scale, lengths, size, sampling)
        weights.append(ops.stop_gradient(axis_weights(regions, ops.zeros_like(lengths), length, size, sampling)))
    rows = weights[0] * ops.cast(ops.reshape(on_level, (-1, 1, 1)), "float32")
    rows = ops.reshape(rows, (batch, count * size, height))
    along_y = ops.matmul(rows, ops.reshape(x, (batch, height, width * channels)))
    along_y = ops.reshape(along_y, (batch, count, size, width, channels))
    columns = ops.reshape(weights[1], (batch, count, 1, size, width))
    return ops.matmul(columns, along_y)

"""Masks of boxes, put into the picture: every pixel's centre is looked up in the box's small grid."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops


def paste_masks(masks: Any, boxes: Any, size: tuple[Any, Any], *, threshold: float = 0.5) -> Any:
    """Pastes masks within a graph, one box at a time.

    Args:
        masks: probabilities, `(boxes, rows, columns)`.
        boxes: xyxy in pixels of the picture, `(boxes, 4)`.
        size: `(height, width)` of the picture; on TensorFlow it may be symbolic.
        threshold: least probability of a pixel that belongs to the object.

    Returns:
        bool `(boxes, height, width)`; nothing for boxes without area.

    Source: `_do_paste_mask` of mmdet 3.3.0: bilinear, half-pixel centres, zeros outside of the grid.
    """
    height, width = size
    if masks.shape[0] == 0:
        return ops.zeros((0, height, width), "bool")
    masks = ops.cast(masks, "float32")
    boxes = ops.cast(boxes, "float32")
    row_pixels = ops.cast(ops.arange(height), "float32") + 0.5
    column_pixels = ops.cast(ops.arange(width), "float32") + 0.5

    def paste(inputs):
        mask, box = inputs
        rows = _graph_weights(row_pixels, box[1], box[3], mask.shape[0])
        columns = _graph_weights(column_pixels, box[0], box[2], mask.shape[1])
        return ops.matmul(ops.matmul(rows, mask), ops.transpose(columns)) >= threshold

    return ops.map(paste, (masks, boxes))


def paste_each(
    masks: Any, boxes: Any, size: tuple[int, int], *, threshold: float = 0.5, plus_one: bool = False
) -> Iterator[np.ndarray]:
    """Pastes masks in NumPy, one after the other and only where the box is, so that memory is that of one.

    Args:
        masks, boxes, size, threshold: as in `paste_masks`.
        plus_one: v1's way: boxes cut to whole pixels, the right and bottom ones included, the grid resized to that
            size, and pixels above the threshold taken.

    Yields:
        bool `(height, width)` of every box.

    Source: as `paste_masks`; `FCNMaskHead.get_seg_masks` of mmdet 0.6.
    """
    height, width = size
    weights = _whole_pixel_weights if plus_one else _pixel_weights
    for mask, box in zip(np.asarray(masks, np.float32), np.asarray(boxes, np.float32), strict=True):
        top, rows = weights(box[1], box[3], mask.shape[0], height)
        left, columns = weights(box[0], box[2], mask.shape[1], width)
        values = rows @ mask @ columns.T
        belongs = values > threshold if plus_one else values >= threshold
        pasted = np.zeros((height, width), bool)
        pasted[top : top + len(rows), left : left + len(columns)] = belongs
        yield pasted


def _graph_weights(pixels, low, high, cells):
    """`(pixels, cells)`: hat functions around the centres of the grid's cells, zero where the box has no extent."""
    extent = high - low
    position = (pixels - low) / ops.maximum(extent, 1e-6) * cells - 0.5
    hat = ops.maximum(1.0 - ops.abs(position[:, None] - ops.cast(ops.arange(cells), "float32")), 0.0)
    return ops.where(extent > 0, hat, 0.0)


def _pixel_weights(low, high, cells, length):
    """The first pixel that a grid between two edges reaches, and the weights `(pixels, cells)` from there."""
    if not high > low:
        return 0, np.zeros((0, cells), np.float32)
    first = int(np.clip(np.floor(low) - 1, 0, length))
    last = int(np.clip(np.ceil(high) + 1, first, length))
    position = (np.arange(first, last, dtype=np.float32) + np.float32(0.5) - low) / (high - low) * cells - 0.5
    return first, np.maximum(1 - np.abs(position[:, None] - np.arange(cells)), 0).astype(np.float32)


def _whole_pixel_weights(low, high, cells, length):
    low, high = int(low), int(high)
    extent = max(high - low + 1, 1)
    pixels = np.arange(max(low, 0), min(low + extent, length))
    position = np.clip((pixels - low + 0.5) * cells / extent - 0.5, 0, cells - 1)
    return max(low, 0), np.maximum(1 - np.abs(position[:, None] - np.arange(cells)), 0).astype(np.float32)

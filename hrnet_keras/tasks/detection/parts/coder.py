"""A box as four deltas from another one (a proposal or an anchor), and back."""

import math
from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import clip, corners, widths_heights

NO_MEANS = (0.0, 0.0, 0.0, 0.0)
NO_STDS = (1.0, 1.0, 1.0, 1.0)  # of the RPN
ROI_STDS = (0.1, 0.1, 0.2, 0.2)  # of Faster and Mask R-CNN, and of Cascade's first stage
LARGEST_LOG_RATIO = abs(math.log(16 / 1000))
SMALLEST_SIDE = 1e-6  # pixels; keeps the logarithm of padding finite


def encode(
    boxes: Any,
    truths: Any,
    *,
    means: tuple[float, ...] = NO_MEANS,
    stds: tuple[float, ...] = NO_STDS,
    plus_one: bool = False,
) -> Any:
    """The deltas that lead from boxes to truths.

    Args:
        boxes: `(..., 4)`, xyxy in pixels.
        truths: `(..., 4)`, one for each box.
        means, stds: of dx, dy, dw, dh; deltas are `(delta - mean) / std`.
        plus_one: widths are `x2 - x1 + 1` (v1).

    Returns:
        `(..., 4)`: dx and dy in units of the box's width and height, dw and dh as logarithms of the ratios. Sides below
        1e-6 pixels count as 1e-6, so that boxes without area give finite (large) numbers.

    Source: mmdet 3.3.0 `coders/delta_xywh_bbox_coder.py`, `bbox2delta`; v1: mmdet 0.6 `core/bbox/transforms.py`.
    """
    center_x, center_y, width, height = _centered(boxes, plus_one)
    truth_x, truth_y, truth_width, truth_height = _centered(truths, plus_one)
    deltas = [
        (truth_x - center_x) / width,
        (truth_y - center_y) / height,
        ops.log(truth_width / width),
        ops.log(truth_height / height),
    ]
    return (ops.stack(deltas, axis=-1) - _row(means, boxes)) / _row(stds, boxes)


def decode(
    boxes: Any,
    deltas: Any,
    *,
    means: tuple[float, ...] = NO_MEANS,
    stds: tuple[float, ...] = NO_STDS,
    sizes: Any = None,
    plus_one: bool = False,
) -> Any:
    """Moves boxes by deltas.

    Args:
        boxes: `(..., 4)`, xyxy in pixels; broadcast against `deltas` (`boxes[..., None, :]` for deltas per class).
        deltas: `(..., 4)`.
        means, stds: as in `encode`. After them dw and dh are held within plus and minus ln(1000 / 16).
        sizes: `(batch, 2)`, height and width of each picture to clip to; `None` doesn't clip.
        plus_one: widths are `x2 - x1 + 1`, and clipping goes to the last pixel (v1).

    Returns:
        `(..., 4)`, xyxy in pixels.

    Source: mmdet 3.3.0 `coders/delta_xywh_bbox_coder.py`, `delta2bbox`; v1: mmdet 0.6 `core/bbox/transforms.py`.
    """
    deltas = deltas * _row(stds, deltas) + _row(means, deltas)
    dx, dy, dw, dh = corners(deltas)
    dw = ops.clip(dw, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
    dh = ops.clip(dh, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
    left, top, right, bottom = corners(boxes)
    width, height = widths_heights(boxes, plus_one=plus_one)
    center_x = (left + right) * 0.5 + width * dx
    center_y = (top + bottom) * 0.5 + height * dy
    half_width = width * ops.exp(dw) * 0.5
    half_height = height * ops.exp(dh) * 0.5
    if plus_one:
        half_width = half_width - 0.5
        half_height = half_height - 0.5
    moved = ops.stack(
        [center_x - half_width, center_y - half_height, center_x + half_width, center_y + half_height], axis=-1
    )
    if sizes is None:
        return moved
    return clip(moved, sizes, plus_one=plus_one)


def _centered(boxes, plus_one):
    left, top, right, bottom = corners(boxes)
    width, height = widths_heights(boxes, plus_one=plus_one)
    width = ops.maximum(width, SMALLEST_SIDE)
    height = ops.maximum(height, SMALLEST_SIDE)
    return (left + right) * 0.5, (top + bottom) * 0.5, width, height


def _row(numbers, like):
    return ops.convert_to_tensor(numbers, dtype=like.dtype)

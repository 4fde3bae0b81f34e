"""Boxes that learn from how much of their truths they cover."""

from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import areas, intersections, paired_ious

SMALLEST = 1e-6  # overlap


def iou_loss(boxes: Any, truths: Any, *, smoothed: bool = False) -> Any:
    """Minus the logarithm of the intersection over union of every box `(..., 4)` with its truth: float32 `(...)`.

    Args:
        boxes, truths: xyxy in pixels, of the same shape.
        smoothed: adds a square pixel to intersection and union; else overlaps below 1e-6 count as that.

    Source: arXiv:1608.01471; `iou_loss` of mmdet 3.3.0, not reduced. Smoothed: the FCOS that HRNet-FCOS stands on.
    """
    if not smoothed:
        return -ops.log(ops.maximum(paired_ious(boxes, truths), SMALLEST))
    shared = intersections(boxes, truths)
    union = areas(boxes) + areas(truths) - shared
    return -ops.log((shared + 1) / (union + 1))

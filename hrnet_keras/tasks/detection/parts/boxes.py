"""Boxes as tensors `(..., 4)`, xyxy in pixels: areas, overlaps, clipping, formats."""

from typing import Any

from keras import ops

SMALLEST_UNION = 1e-6  # mmdet's `eps`: two boxes without area overlap by 0, not by NaN


def corners(boxes: Any) -> tuple[Any, Any, Any, Any]:
    """The columns left, top, right and bottom of `(..., 4)`, each `(...)`."""
    return boxes[..., 0], boxes[..., 1], boxes[..., 2], boxes[..., 3]


def widths_heights(boxes: Any, *, plus_one: bool = False) -> tuple[Any, Any]:
    """Widths and heights of boxes.

    Args:
        boxes: `(..., 4)`, xyxy in pixels.
        plus_one: count the last pixel, too: `x2 - x1 + 1` (v1).

    Returns:
        Widths and heights, each `(...)`, in pixels; negative where the corners are swapped.

    Source: mmdet 3.3.0 `structures/bbox/bbox_overlaps.py`; with `plus_one` mmdet 0.6 `core/bbox/geometry.py`.
    """
    left, top, right, bottom = corners(boxes)
    width = right - left
    height = bottom - top
    if plus_one:
        return width + 1, height + 1
    return width, height


def areas(boxes: Any, *, plus_one: bool = False) -> Any:
    """Areas `(...)` in square pixels of boxes `(..., 4)`; `plus_one` as in `widths_heights`."""
    width, height = widths_heights(boxes, plus_one=plus_one)
    return width * height


def intersections(boxes: Any, others: Any, *, plus_one: bool = False) -> Any:
    """Areas `(...)` that boxes `(..., 4)` share with `others` `(..., 4)`; the two shapes broadcast.

    Args:
        boxes, others: xyxy in pixels.
        plus_one: as in `widths_heights`.
    """
    left, top, right, bottom = corners(boxes)
    other_left, other_top, other_right, other_bottom = corners(others)
    width = ops.minimum(right, other_right) - ops.maximum(left, other_left)
    height = ops.minimum(bottom, other_bottom) - ops.maximum(top, other_top)
    if plus_one:
        width = width + 1
        height = height + 1
    return ops.maximum(width, 0.0) * ops.maximum(height, 0.0)


def paired_ious(boxes: Any, others: Any, *, plus_one: bool = False) -> Any:
    """Intersection over union of boxes with the `others` that broadcasting puts beside them.

    Args:
        boxes, others: `(..., 4)`, xyxy in pixels; the two shapes broadcast.
        plus_one: as in `widths_heights`.

    Returns:
        `(...)` in 0..1; 0 where neither has an area.

    Source: mmdet 3.3.0 `structures/bbox/bbox_overlaps.py`, mode `iou`.
    """
    shared = intersections(boxes, others, plus_one=plus_one)
    union = areas(boxes, plus_one=plus_one) + areas(others, plus_one=plus_one) - shared
    return shared / ops.maximum(union, SMALLEST_UNION)


def iou_matrix(boxes: Any, others: Any, *, plus_one: bool = False) -> Any:
    """Intersection over union of every box with every other one.

    Args:
        boxes: `(..., n, 4)`, xyxy in pixels.
        others: `(..., m, 4)`.
        plus_one: as in `widths_heights`.

    Returns:
        `(..., n, m)` in 0..1.
    """
    return paired_ious(boxes[..., :, None, :], others[..., None, :, :], plus_one=plus_one)


def covered(boxes: Any, others: Any, *, plus_one: bool = False) -> Any:
    """The part of every box that every other one covers: intersection over the box's own area ("IoF").

    Args:
        boxes: `(..., n, 4)`, xyxy in pixels.
        others: `(..., m, 4)`.
        plus_one: as in `widths_heights`.

    Returns:
        `(..., n, m)` in 0..1; 0 for boxes without area.

    Source: mmdet 3.3.0 `structures/bbox/bbox_overlaps.py`, mode `iof`.
    """
    boxes = boxes[..., :, None, :]
    shared = intersections(boxes, others[..., None, :, :], plus_one=plus_one)
    return shared / ops.maximum(areas(boxes, plus_one=plus_one), SMALLEST_UNION)


def clip(boxes: Any, sizes: Any, *, plus_one: bool = False) -> Any:
    """Moves corners outside the picture onto its edge.

    Args:
        boxes: `(batch, ..., 4)`, xyxy in pixels.
        sizes: `(batch, 2)`, height and width of each picture without its padding.
        plus_one: the edge is the last pixel, `width - 1` and `height - 1` (v1), not `width` and `height`.

    Returns:
        `(batch, ..., 4)`.

    Source: mmdet 3.3.0 `coders/delta_xywh_bbox_coder.py`; with `plus_one` mmdet 0.6 `core/bbox/transforms.py`.
    """
    sizes = ops.cast(sizes, boxes.dtype)
    if plus_one:
        sizes = sizes - 1
    edges = ops.stack([sizes[:, 1], sizes[:, 0], sizes[:, 1], sizes[:, 0]], axis=-1)
    edges = ops.reshape(edges, (-1, *[1] * (len(boxes.shape) - 2), 4))
    return ops.minimum(ops.maximum(boxes, 0.0), edges)


def larger_than(boxes: Any, size: float = 0.0, *, plus_one: bool = False) -> Any:
    """Whether boxes `(..., 4)` are wider and higher than `size` pixels: bool `(...)`; 0 asks for an area.

    Source: `min_bbox_size` of mmdet 3.3.0 `dense_heads/rpn_head.py`.
    """
    width, height = widths_heights(boxes, plus_one=plus_one)
    return ops.logical_and(width > size, height > size)


def xywh_to_xyxy(boxes: Any, *, plus_one: bool = False) -> Any:
    """Boxes `(..., 4)` from left, top, width, height (COCO's) to xyxy.

    Args:
        boxes: in pixels.
        plus_one: the right edge is the last pixel inside, `x + width - 1` (v1).
    """
    left, top, width, height = corners(boxes)
    if plus_one:
        width = width - 1
        height = height - 1
    return ops.stack([left, top, left + width, top + height], axis=-1)


def xyxy_to_xywh(boxes: Any, *, plus_one: bool = False) -> Any:
    """Boxes `(..., 4)` from xyxy to left, top, width, height (COCO's); `plus_one` as in `widths_heights`."""
    left, top, _, _ = corners(boxes)
    width, height = widths_heights(boxes, plus_one=plus_one)
    return ops.stack([left, top, width, height], axis=-1)

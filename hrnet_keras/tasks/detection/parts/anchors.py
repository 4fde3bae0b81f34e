"""Anchors: the boxes that the RPN starts from, three at every place of every pyramid level."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

STRIDES = (4, 8, 16, 32, 64)
SCALE = 8.0
RATIOS = (0.5, 1.0, 2.0)


def base_anchors(
    stride: int, *, scale: float = SCALE, ratios: Sequence[float] = RATIOS, v1: bool = False
) -> np.ndarray:
    """The anchors of the first cell.

    Args:
        stride: pixels between two cells; an anchor's area is `(scale * stride) ** 2`.
        scale: see `stride`.
        ratios: height over width.
        v1: centred on the middle of the first cell's pixels, extents without the last pixel, rounded half to even;
            otherwise centred on the picture's corner and not rounded.

    Returns:
        float32 `(len(ratios), 4)`, xyxy in pixels.

    Source: mmdet 3.3.0 `prior_generators/anchor_generator.py`; v1: mmdet 0.6 `core/anchor/anchor_generator.py`.
    """
    root = np.sqrt(np.asarray(ratios, np.float32))
    width = np.float32(stride) * (np.float32(1) / root) * np.float32(scale)
    height = np.float32(stride) * root * np.float32(scale)
    center = np.float32(0)
    if v1:
        center = np.float32(0.5 * (stride - 1))
        width = width - 1
        height = height - 1
    left = center - np.float32(0.5) * width
    top = center - np.float32(0.5) * height
    right = center + np.float32(0.5) * width
    bottom = center + np.float32(0.5) * height
    anchors = np.stack([left, top, right, bottom], axis=-1)
    if v1:
        return np.round(anchors)
    return anchors


def grid_anchors(
    size: tuple[Any, Any],
    stride: int,
    *,
    scale: float = SCALE,
    ratios: Sequence[float] = RATIOS,
    v1: bool = False,
) -> Any:
    """The anchors of one pyramid level.

    Args:
        size: `(height, width)` of the level's map; on TensorFlow it may be symbolic.
        stride, scale, ratios, v1: as in `base_anchors`.

    Returns:
        float32 `(height * width * len(ratios), 4)`, xyxy in pixels, in order of rows, then columns, then ratios.

    Source: as in `base_anchors`.
    """
    height, width = size
    base = ops.convert_to_tensor(base_anchors(stride, scale=scale, ratios=ratios, v1=v1))
    x = ops.cast(ops.arange(width), "float32") * stride
    y = ops.cast(ops.arange(height), "float32") * stride
    columns = ops.stack([x, ops.zeros_like(x), x, ops.zeros_like(x)], axis=-1)
    rows = ops.stack([ops.zeros_like(y), y, ops.zeros_like(y), y], axis=-1)
    shifts = rows[:, None, None, :] + columns[None, :, None, :]
    return ops.reshape(shifts + base, (-1, 4))


def pyramid_anchors(
    sizes: Sequence[tuple[Any, Any]], *, strides: Sequence[int] = STRIDES, v1: bool = False
) -> list[Any]:
    """The anchors of every level, finest first.

    Args:
        sizes: `(height, width)` of each level's map.
        strides: pixels between two cells of each level.
        v1: as in `base_anchors`.

    Returns:
        A list of what `grid_anchors` returns.

    Raises:
        ValueError: not as many sizes as strides.
    """
    if len(sizes) != len(strides):
        raise ValueError(f"{len(sizes)} sizes of maps for {len(strides)} strides: expected one for each")
    return [grid_anchors(size, stride, v1=v1) for size, stride in zip(sizes, strides, strict=True)]


def cells_inside(size: tuple[Any, Any], stride: int, padded: Any, *, num_ratios: int = len(RATIOS)) -> Any:
    """Which anchors of a level start from a cell of the picture itself, not of the batch's padding.

    Args:
        size: `(height, width)` of the level's map.
        stride: pixels between two cells.
        padded: `(batch, 2)`, height and width of each picture with its own padding (to a multiple of 32), but without
            the padding to the batch's largest picture.
        num_ratios: anchors per cell.

    Returns:
        bool `(batch, height * width * num_ratios)`, in the order of `grid_anchors`.

    Source: mmdet 3.3.0 `prior_generators/anchor_generator.py`, `valid_flags`.
    """
    padded = ops.cast(padded, "float32")
    y = ops.cast(ops.arange(size[0]), "float32") * stride
    x = ops.cast(ops.arange(size[1]), "float32") * stride
    rows = y[None, :] < padded[:, :1]
    columns = x[None, :] < padded[:, 1:]
    cells = ops.logical_and(rows[:, :, None], columns[:, None, :])
    flat = ops.reshape(cells, (ops.shape(padded)[0], -1))
    return ops.repeat(flat, num_ratios, axis=1)


def anchors_inside(anchors: Any, sizes: Any, *, border: float = 0.0) -> Any:
    """Which anchors don't leave the picture by more than `border`.

    Args:
        anchors: `(n, 4)`, xyxy in pixels.
        sizes: `(batch, 2)`, height and width of each picture without padding.
        border: pixels.

    Returns:
        bool `(batch, n)`. The right and the bottom edge must lie strictly inside.

    Source: mmdet 3.3.0 `models/task_modules/prior_generators/utils.py`, `anchor_inside_flags` with `allowed_border` 0
        (Cascade R-CNN, HTC, all of v1); -1 there means that no anchor is left out: don't call this function.
    """
    sizes = ops.cast(sizes, "float32")
    starts = ops.min(anchors[:, :2], axis=-1) >= -border
    right = anchors[None, :, 2] < sizes[:, 1:] + border
    bottom = anchors[None, :, 3] < sizes[:, :1] + border
    return ops.logical_and(starts[None, :], ops.logical_and(right, bottom))

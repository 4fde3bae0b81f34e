"""The pyramid level that a box's features are taken from: large boxes from coarse maps."""

from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import areas


def roi_levels(boxes: Any, *, num_levels: int = 4, finest_scale: float = 56.0, plus_one: bool = False) -> Any:
    """The level of every box: `floor(log2(sqrt(area) / finest_scale + 1e-6))` within 0..num_levels-1.

    Args:
        boxes: `(..., 4)`, xyxy in pixels.
        num_levels: levels of the pyramid that RoIs are taken from.
        finest_scale: boxes with sides below twice this many pixels belong to level 0.
        plus_one: widths are `x2 - x1 + 1` (v1).

    Returns:
        int32 `(...)`. Boxes without area belong to level 0. The powers of two are compared, not their logarithms,
        which some backends round.

    Source: mmdet 3.3.0 `roi_extractors/single_level_roi_extractor.py`, `map_roi_levels`; arXiv:1612.03144, equation 1.
    """
    scale = ops.sqrt(ops.maximum(areas(boxes, plus_one=plus_one), 0.0)) / finest_scale + 1e-6
    level = ops.zeros_like(scale, dtype="int32")
    for k in range(1, num_levels):
        level = level + ops.cast(scale >= 2.0**k, "int32")
    return level

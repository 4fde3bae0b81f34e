"""RoIAlign (arXiv:1703.06870, section 3): every box's part of a pyramid, on a grid of a fixed size."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from hrnet_keras.tasks.detection.parts.compiling import is_compiled
from hrnet_keras.tasks.detection.parts.levels import roi_levels
from hrnet_keras.tasks.detection.parts.roi_dense import align_dense
from hrnet_keras.tasks.detection.parts.roi_samples import ALIGNED, RoiSampling, sampled_axis
from hrnet_keras.tasks.detection.parts.roi_windows import Regions, align_windows

FORMS = ("windows", "dense")


def roi_align(
    maps: Sequence[Any],
    boxes: Any,
    *,
    size: int,
    strides: Sequence[int] = (4, 8, 16, 32),
    sampling: RoiSampling = ALIGNED,
    form: str | None = None,
) -> Any:
    """Samples a grid of features from every box's level of a pyramid.

    Args:
        maps: the levels, finest first, `(batch, height, width, channels)` each; of one map no level is chosen.
        boxes: xyxy in pixels of the model's input, `(batch, boxes, 4)`; pad with zeros. No gradient goes to them.
        size: bins of the result along each axis: 7 for boxes, 14 for masks.
        strides: pixels per cell of every level.
        sampling: the convention: `ALIGNED` (mmdet 2 and 3), `V1` or `MASKRCNN_BENCHMARK`.
        form: `"windows"` gathers the cells that a box touches (fast on processors; sizes depend on the boxes),
            `"dense"` multiplies with whole maps (static sizes, so XLA compiles it; fast on accelerators); `None` takes
            windows on processors where nothing compiles, else dense. Both give the same.

    Returns:
        `(batch, boxes, size, size, channels)` in the type of the maps; zeros for boxes without area (but see
        `RoiSampling`) and outside of the picture.

    Raises:
        ValueError: not as many strides as maps; no such form, or windows on JAX, which compiles everything.

    Source: `mmcv.ops.roi_align` 2.2.0, mode "avg"; `SingleRoIExtractor` of mmdet 3.3.0.
    """
    if len(maps) != len(strides):
        raise ValueError(f"strides={tuple(strides)}: expected one for each of the {len(maps)} maps")
    if form not in (None, *FORMS):
        raise ValueError(f"form={form!r}: expected one of {', '.join(map(repr, FORMS))} or None")
    if form == "windows" and keras.backend.backend() == "jax":
        raise ValueError("form='windows': its sizes depend on the boxes, which JAX cannot compile; take 'dense'")
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    if boxes.shape[1] == 0:
        return ops.zeros((ops.shape(boxes)[0], 0, size, size, maps[0].shape[-1]), maps[0].dtype)
    levels = roi_levels(boxes, num_levels=len(maps), plus_one=sampling.plus_one)
    if (form or default_form()) == "windows":
        return _by_windows(maps, boxes, levels, strides, size, sampling)
    return align_dense(maps, boxes, levels, strides, size, sampling)


def default_form() -> str:
    """The faster form here: `"windows"` where code runs on a processor, op by op; `"dense"` under XLA."""
    if keras.backend.backend() == "torch":
        return "windows" if keras.ops.convert_to_tensor(0.0).device.type == "cpu" else "dense"
    if is_compiled():
        return "dense"
    import tensorflow as tf

    return "dense" if tf.config.list_physical_devices("GPU") else "windows"


def _by_windows(maps, boxes, levels, strides, size, sampling):
    batch, count = ops.shape(boxes)[:2]
    channels = maps[0].shape[-1]
    heights = [ops.shape(x)[1] for x in maps]
    widths = [ops.shape(x)[2] for x in maps]
    begins = [0]  # of every level in the pyramid's cells
    for height, width in zip(heights[:-1], widths[:-1], strict=True):
        begins.append(begins[-1] + batch * height * width)
    height = _of_level(heights, levels, "int32")
    width = _of_level(widths, levels, "int32")
    picture = ops.arange(batch, dtype="int32")[:, None]
    begin = ops.reshape(_of_level(begins, levels, "int32") + picture * height * width, (-1,))
    scale = ops.reshape(_of_level([1.0 / stride for stride in strides], levels, "float32"), (-1,))
    flat = ops.reshape(boxes, (-1, 4))
    rows = sampled_axis(flat[:, 1], flat[:, 3], scale, ops.reshape(height, (-1,)), size, sampling)
    columns = sampled_axis(flat[:, 0], flat[:, 2], scale, ops.reshape(width, (-1,)), size, sampling)
    cells = ops.concatenate([ops.reshape(x, (-1, channels)) for x in maps], axis=0)
    pooled = align_windows(cells, Regions(begin, rows, columns), size, sampling)
    return ops.reshape(pooled, (batch, count, size, size, channels))


def _of_level(values, levels, dtype):
    """Picks every box's value from a list over the levels."""
    values = ops.stack([ops.cast(value, dtype) for value in values])
    return ops.take(values, levels, axis=0)

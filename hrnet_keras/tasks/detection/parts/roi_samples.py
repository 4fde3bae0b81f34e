"""Where RoIAlign samples a map along one axis, and what weight every row or column of the map gets from that.

A sample is a bilinear interpolation and a bin is the mean over a grid of samples. Both are products of one factor along
y and one along x, so RoIAlign is `weights_y @ map @ weights_x.T`, exactly, whatever the number of samples.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from keras import ops

# Adaptive sampling with two samples or more puts them at least half a cell apart: no more of them reach one cell.
_SAMPLES_PER_CELL = 6


@dataclass(frozen=True)
class RoiSampling:
    """A program's convention of RoIAlign.

    Attributes:
        aligned: whether half a cell is subtracted from scaled coordinates, as pixels are squares.
        sampling_ratio: samples per bin and axis; 0 is adaptive, `ceil(region / bins)`.
        plus_one: whether the right and bottom edges are pixels that belong to the box (`x2 + 1`).
        min_size: smallest side of a region, in cells of the map.

    Source: `mmcv.ops.roi_align` 2.2.0; RoIAlign of HRNet-Object-Detection (mmdet 0.6) and of maskrcnn-benchmark.
    """

    aligned: bool = True
    sampling_ratio: int = 0
    plus_one: bool = False
    min_size: float = 0.0


ALIGNED = RoiSampling()
V1 = RoiSampling(aligned=False, sampling_ratio=2, plus_one=True)
MASKRCNN_BENCHMARK = RoiSampling(aligned=False, sampling_ratio=2, min_size=1.0)


class Axis(NamedTuple):
    """Regions along one axis of their maps, each `(regions,)`.

    Attributes:
        start: where the region begins, in cells; the middle of cell i is at i.
        bin_size: cells per bin.
        samples: per bin, a whole number as float; 0 for a region without extent under adaptive sampling.
        length: of the map, int32.
    """

    start: Any
    bin_size: Any
    samples: Any
    length: Any


def sampled_axis(low: Any, high: Any, scale: Any, length: Any, size: int, sampling: RoiSampling) -> Axis:
    """Places regions on an axis.

    Args:
        low, high: edges of the boxes in pixels, float32 `(regions,)`.
        scale: cells per pixel, `(regions,)`.
        length: cells that the map of each region has along the axis, int32 `(regions,)`.
        size: bins per region.
        sampling: the convention.
    """
    offset = 0.5 if sampling.aligned else 0.0
    start = low * scale - offset
    end = (high + float(sampling.plus_one)) * scale - offset
    bin_size = ops.maximum(end - start, sampling.min_size) / size
    samples = ops.ceil(bin_size)
    if sampling.sampling_ratio:
        samples = ops.full_like(bin_size, sampling.sampling_ratio)
    return Axis(start, bin_size, samples, length)


def touched_cells(axis: Axis, size: int) -> tuple[Any, Any]:
    """The first cell that samples of a region reach and how many there are, int32 `(regions,)` each, at least one."""
    step = axis.bin_size / ops.maximum(axis.samples, 1.0)
    first = axis.start + 0.5 * step
    last = axis.start + (size - 1) * axis.bin_size + (axis.samples - 0.5) * step
    first = ops.clip(ops.cast(ops.floor(first), "int32"), 0, axis.length - 1)
    last = ops.clip(ops.cast(ops.floor(last), "int32") + 1, 0, axis.length - 1)
    return first, ops.maximum(last - first, 0) + 1


def axis_weights(axis: Axis, first: Any, num_cells: Any, size: int, sampling: RoiSampling) -> Any:
    """What each of `num_cells` cells adds to each bin: the mean of its hat function over the bin's samples.

    Samples more than a cell outside of the map add nothing, nearer ones are moved onto its edge.

    Args:
        axis: the regions.
        first: the cell that the weights begin with, int32 `(regions,)`.
        num_cells: how many follow; may be symbolic on TensorFlow.
        size: bins per region.
        sampling: the convention.

    Returns:
        float32 `(regions, size, num_cells)`.
    """
    start, bin_size, samples, length = (ops.cast(x, "float32")[:, None, None, None] for x in axis)
    cell = ops.cast(first[:, None] + ops.arange(num_cells, dtype="int32"), "float32")[:, None, None, :]
    bin_start = start + bin_size * ops.cast(ops.arange(size), "float32")[:, None, None]
    if sampling.sampling_ratio:
        index = ops.cast(ops.arange(sampling.sampling_ratio), "float32")[:, None]
    else:  # only the few samples that can reach the cell
        step = ops.maximum(bin_size / ops.maximum(samples, 1.0), 1e-6)
        nearest = ops.floor((cell - 1.0 - bin_start) / step - 0.5)
        index = ops.maximum(nearest, 0.0) + ops.cast(ops.arange(_SAMPLES_PER_CELL), "float32")[:, None]
    position = bin_start + (index + 0.5) * bin_size / ops.maximum(samples, 1.0)
    counts = (index < samples) & (position >= -1.0) & (position <= length)
    position = ops.clip(position, 0.0, length - 1.0)
    hat = ops.maximum(1.0 - ops.abs(position - cell), 0.0)
    return ops.sum(ops.where(counts, hat, 0.0), axis=2) / ops.maximum(samples[:, 0], 1.0)

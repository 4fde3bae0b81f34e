"""Heat maps -> points, by the rules of every codec; batched, in whatever graph it is traced.

Nothing here asks for the batch size or the size of the maps before the graph runs.
"""

import math

import numpy as np
from keras import ops

from hrnet_keras.tasks.keypoints.encoding import RADIUS

CODECS = ("msra", "dark", "udp", "udp_combined")
STRIDE = 4  # of every HRNet
KERNEL = 11  # of the blur before DARK's and UDP's step


def decode(heatmaps, *, codec, input_size=None):
    """Turns heat maps into points, as mmpose's codecs do.

    Args:
        heatmaps: float `(batch, height, width, k)`, not activated; for udp_combined `(batch, height, width, 3 * k)`.
        codec: `"msra"`: the peak and a quarter pixel toward the higher neighbour, per axis; `"dark"`, `"udp"`: the
            peak of a parabola through the logarithm of the blurred map; `"udp_combined"`: the offset that the maps
            state at the peak of the blurred disc.
        input_size: (height, width) of the model's input; default: four times the maps'.

    Returns:
        Dict with `points` float32 `(batch, k, 2)` as (x, y) in pixels of the model's input, and `scores` float32
        `(batch, k)`, the height of the peak. A map without a positive value gives the point left above the first
        pixel, (-1, -1) in pixels of the map; so does one with a value that is no finite number, with a score of 0.

    Raises:
        ValueError: unknown codec.

    Source: mmpose's `MSRAHeatmap` and `UDPHeatmap`; arXiv:1910.06278, arXiv:1911.07524.
    """
    if codec not in CODECS:
        raise ValueError(f"codec={codec!r}: expected one of {', '.join(map(repr, CODECS))}")
    heatmaps = finite_maps(ops.cast(heatmaps, "float32"), maps=3 if codec == "udp_combined" else 1)
    if codec == "udp_combined":
        x, y, scores, offset = _combined(heatmaps)
    else:
        x, y, scores = peaks(heatmaps)
        offset = {"msra": _msra, "dark": _dark, "udp": _udp}[codec](heatmaps, x, y)
    # Logarithms and blurs of huge values overflow.
    is_number = ops.all(ops.isfinite(offset), axis=-1)
    scores = ops.where(is_number, scores, 0.0)
    is_found = (scores > 0)[..., None]
    points = ops.where(is_found, ops.cast(ops.stack([x, y], axis=-1), "float32") + offset, -1.0)
    return {"points": to_input(points, heatmaps, codec, input_size), "scores": scores}


def official_peaks(heatmaps, *, least):
    """The peaks that both official codes start from, moved a quarter pixel where they lie inside of the map.

    Args:
        heatmaps: float `(batch, height, width, k)`.
        least: pixels up to this one, and the last one, are not moved.

    Returns:
        The maps without those that hold NaN or infinity, points `(batch, k, 2)` as (x, y) in pixels of the map, and
        scores `(batch, k)`.
    """
    heatmaps = finite_maps(ops.cast(heatmaps, "float32"))
    x, y, scores = peaks(heatmaps)
    height, width = size_of(heatmaps)
    inside = ops.logical_and(is_between(x, least, width - 1), is_between(y, least, height - 1))
    offset = ops.where(inside[..., None], quarter(heatmaps, x, y), 0.0)
    return heatmaps, ops.cast(ops.stack([x, y], axis=-1), "float32") + offset, scores


def finite_maps(heatmaps, maps=1):
    """Heat maps with nothing on those that hold NaN or infinity, so that no peak is found there.

    Args:
        heatmaps: float `(batch, height, width, maps * k)`.
        maps: neighbouring channels that belong to one point.
    """
    is_finite = ops.all(ops.isfinite(heatmaps), axis=(1, 2), keepdims=True)
    if maps > 1:
        parts = [is_finite[..., part::maps] for part in range(maps)]
        is_finite = ops.repeat(ops.all(ops.stack(parts), axis=0), maps, axis=-1)
    return ops.where(is_finite, heatmaps, 0.0)


def peaks(heatmaps):
    """The highest pixel of every map, the first in reading order where several are.

    Args:
        heatmaps: float `(batch, height, width, k)`.

    Returns:
        x and y, int `(batch, k)`, and the value there.
    """
    # The row first: of equal pixels this finds the one that NumPy's argmax over the flattened map finds.
    y = ops.argmax(ops.max(heatmaps, axis=2), axis=1)
    row = ops.take_along_axis(heatmaps, y[:, None, None], axis=1)
    x = ops.argmax(row, axis=2)[:, 0]
    return x, y, ops.take_along_axis(row, x[:, None, None], axis=2)[:, 0, 0]


def quarter(heatmaps, x, y):
    """A quarter pixel toward the higher neighbour along both axes, `(batch, k, 2)`; where to apply it is the caller's.

    Args:
        heatmaps: float `(batch, height, width, k)`.
        x, y: int `(batch, k)`.
    """
    # The sign of 0 is 0, in NumPy as here: between equal neighbours nothing moves.
    around = _around(heatmaps, x, y, 1)
    slope = ops.stack([around[:, 1, 2] - around[:, 1, 0], around[:, 2, 1] - around[:, 0, 1]], axis=-1)
    return 0.25 * ops.sign(slope)


def is_between(x, low, high):
    """Whether low < x < high, bool, for whole numbers `x` and bounds of any type."""
    x = ops.cast(x, "float32")
    return ops.logical_and(x > low, x < high)


def size_of(heatmaps):
    """Height and width of maps: numbers, or scalar tensors where they are known only when the graph runs."""
    height, width = heatmaps.shape[1:3]
    if height is None:
        height = ops.sum(ops.ones_like(heatmaps[:1, :, :1, :1]))
    if width is None:
        width = ops.sum(ops.ones_like(heatmaps[:1, :1, :, :1]))
    return height, width


def to_input(points, heatmaps, codec, input_size=None):
    """Points from pixels of the map to pixels of the model's input.

    Args:
        points: float32 `(batch, k, 2)`.
        heatmaps: the maps, for their size.
        codec: the UDP codecs match the centres of the corner pixels, the others the corners.
        input_size: (height, width); default: four times the maps'.
    """
    is_udp = codec.startswith("udp")
    if input_size is None and not is_udp:
        return points * float(STRIDE)
    rows, columns = size_of(heatmaps)
    height, width = input_size or (STRIDE * rows, STRIDE * columns)
    # UDP counts the steps between pixel centres, of which there is one less than pixels.
    less = 1 if is_udp else 0
    x = points[..., 0] * ((width - less) / (columns - less))
    y = points[..., 1] * ((height - less) / (rows - less))
    return ops.stack([x, y], axis=-1)


def _msra(heatmaps, x, y):
    """Each axis is tested alone: no step from the first two pixels and the last, none along a border."""
    height, width = size_of(heatmaps)
    right = ops.logical_and(is_between(x, 1, width - 1), is_between(y, 0, height))
    down = ops.logical_and(is_between(y, 1, height - 1), is_between(x, 0, width))
    return ops.where(ops.stack([right, down], axis=-1), quarter(heatmaps, x, y), 0.0)


def _dark(heatmaps, x, y):
    """Newton's step on the logarithm, slopes and curvatures from central differences of one and two times one pixel."""
    height, width = size_of(heatmaps)
    # mmpose bounds the maps by 1e-10 before the logarithm, so that empty pixels have one.
    around = _around(ops.log(ops.maximum(_modulated(heatmaps), 1e-10)), x, y, 2)
    slope = 0.5 * (around[:, 2, 3] - around[:, 2, 1]), 0.5 * (around[:, 3, 2] - around[:, 1, 2])
    xx = 0.25 * (around[:, 2, 4] - 2 * around[:, 2, 2] + around[:, 2, 0])
    yy = 0.25 * (around[:, 4, 2] - 2 * around[:, 2, 2] + around[:, 0, 2])
    xy = 0.25 * (around[:, 3, 3] - around[:, 3, 1] - around[:, 1, 3] + around[:, 1, 1])
    inside = ops.logical_and(is_between(x, 1, width - 2), is_between(y, 1, height - 2))
    return ops.where(inside[..., None], _newton(slope, xx, yy, xy), 0.0)


def _udp(heatmaps, x, y):
    """Newton's step on the logarithm, curvatures from neighbours; at every pixel, the map's border repeated."""
    # mmpose clips the blurred maps to 0.001..50 before the logarithm.
    around = _around(ops.log(ops.clip(_modulated(heatmaps), 1e-3, 50.0)), x, y, 1)
    left = around[:, 1, 0]
    middle = around[:, 1, 1]
    right = around[:, 1, 2]
    above = around[:, 0, 1]
    below = around[:, 2, 1]
    tiny = float(np.finfo(np.float32).eps)  # keeps a flat map's matrix invertible
    xx = right - 2 * middle + left + tiny
    yy = below - 2 * middle + above + tiny
    xy = 0.5 * (around[:, 2, 2] - right - below + 2 * middle - left - above + around[:, 0, 0])
    return _newton((0.5 * (right - left), 0.5 * (below - above)), xx, yy, xy)


def _combined(heatmaps):
    """Peaks of the blurred discs, and the blurred offsets there in pixels of the map."""
    # mmpose blurs the disc twice as wide as the offsets.
    disc = _blurred(heatmaps[..., ::3], 2 * KERNEL + 1, "reflect")
    x, y, scores = peaks(disc)
    height, width = size_of(heatmaps)
    radius = RADIUS * ops.cast(ops.maximum(height, width), "float32")
    ways = (_blurred(heatmaps[..., part::3], KERNEL, "reflect") for part in (1, 2))
    rows = (ops.take_along_axis(way, y[:, None, None], axis=1) for way in ways)
    offset = [ops.take_along_axis(row, x[:, None, None], axis=2)[:, 0, 0] for row in rows]
    return x, y, scores, radius * ops.stack(offset, axis=-1)


def _newton(slope, xx, yy, xy):
    """The step to where a parabola is highest, `(batch, k, 2)`; none where its matrix can't be inverted."""
    determinant = xx * yy - xy * xy
    is_singular = ops.equal(determinant, 0)
    divisor = ops.where(is_singular, 1.0, determinant)
    right, down = slope
    step = ops.stack([yy * right - xy * down, xx * down - xy * right], axis=-1) / divisor[..., None]
    return ops.where(is_singular[..., None], 0.0, -step)


def _modulated(heatmaps):
    """Blurred maps, beyond whose border is nothing, with the peak as high as before."""
    blurred = _blurred(heatmaps, KERNEL, "constant")
    before, after = (ops.max(maps, axis=(1, 2), keepdims=True) for maps in (heatmaps, blurred))
    return blurred * (before / ops.where(after > 0, after, 1.0))


def _blurred(heatmaps, kernel, border):
    """Convolution with a Gaussian of `kernel` pixels, whose sigma OpenCV derives from that number."""
    reach = kernel // 2
    k = heatmaps.shape[-1]
    # What cv2.GaussianBlur takes where it is given a kernel size and a sigma of 0.
    sigma = 0.3 * ((kernel - 1) / 2 - 1) + 0.8
    weights = np.array([math.exp(-((i - reach) ** 2) / (2 * sigma**2)) for i in range(kernel)])
    weights = np.repeat((weights / weights.sum()).astype("float32")[:, None], k, axis=1)
    # Padded with the channels in front, as PyTorch reflects only at the ends of the last axes.
    padded = ops.pad(ops.transpose(heatmaps, (0, 3, 1, 2)), ((0, 0), (0, 0), (reach, reach), (reach, reach)), border)
    padded = ops.transpose(padded, (0, 2, 3, 1))
    down = ops.depthwise_conv(padded, ops.convert_to_tensor(weights[:, None, :, None]))
    return ops.depthwise_conv(down, ops.convert_to_tensor(weights[None, :, :, None]))


def _around(maps, x, y, reach):
    """The pixels around a place, `(batch, 2 * reach + 1, 2 * reach + 1, k)`; beyond the border its mirror image."""
    padded = ops.pad(maps, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    # Subtracted, as Keras 3.15 adds (n, 1, 1) along the last axis on TensorFlow where that happens to have n elements.
    back = -np.arange(2 * reach + 1, dtype="int32")
    rows = ops.take_along_axis(padded, ops.subtract(y[:, None, None], back[:, None, None]), axis=1)
    return ops.take_along_axis(rows, ops.subtract(x[:, None, None], back[:, None]), axis=2)

"""What mirroring a picture does to its points and heat maps, and undoing it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from hrnet_keras.datasets.sides import mirror_order

Pairs = Sequence[Sequence[int]]


def order(count: int, flip_pairs: Pairs) -> list[int]:
    """Which point stands where after left and right changed places: indices, a list of `count`.

    Args:
        count: of points.
        flip_pairs: pairs of indices that change places; the others stay.

    Raises:
        ValueError: a pair names a point that there isn't, or a point stands in two pairs.
    """
    return mirror_order(count, flip_pairs)


def mirror_points(points: Any, span: float, flip_pairs: Pairs = ()) -> np.ndarray:
    """Points of the mirrored picture.

    Args:
        points: `(..., k, 2)` as (x, y) in pixels.
        span: x becomes `span - x`: the picture's width - 1, and its whole width in the official landmark code.
        flip_pairs: pairs of points that change places.

    Returns:
        float64 of the same shape; `points` stay as they are.
    """
    mirrored = np.array(points, np.float64)
    mirrored[..., 0] = span - mirrored[..., 0]
    return mirrored[..., order(mirrored.shape[-2], flip_pairs), :]


def swap_points(values: Any, flip_pairs: Pairs) -> Any:
    """Values of points `(..., k)`, such as their visibility, in the order of the mirrored picture."""
    return values[..., order(values.shape[-1], flip_pairs)]


def unmirror(heatmaps: Any, flip_pairs: Pairs = (), *, shift: bool = False, codec: str = "official") -> Any:
    """Heat maps of the mirrored picture as maps of the picture.

    Args:
        heatmaps: float `(batch, height, width, k)`; for udp_combined `(batch, height, width, 3 * k)`.
        flip_pairs: pairs of points that change places.
        shift: moves the maps one column to the right, the first column stays: with a network whose corners are
            matched, the mirrored maps lie one pixel left. Not for the UDP codecs.
        codec: with `"udp_combined"` three maps belong to a point, and the second points the other way.

    Returns:
        A tensor of the same shape.

    Source: `flip_back` of the official pose code; `flip_heatmaps` of mmpose.
    """
    maps = ops.flip(heatmaps, axis=2)
    channels = maps.shape[-1]
    if codec == "udp_combined":
        # The offset along x points the other way in a mirror.
        maps = maps * ops.convert_to_tensor(np.tile([1, -1, 1], channels // 3), maps.dtype)
        channel_order = [3 * point + part for point in order(channels // 3, flip_pairs) for part in range(3)]
    else:
        channel_order = order(channels, flip_pairs)
    maps = ops.take(maps, channel_order, axis=3)
    if shift:
        # SHIFT_HEATMAP of the official recipes: the mirrored maps move by a pixel, the first column stays.
        maps = ops.concatenate([maps[:, :, :1], maps[:, :, :-1]], axis=2)
    return maps


def average(
    heatmaps: Any, mirrored: Any, flip_pairs: Pairs = (), *, shift: bool = False, codec: str = "official"
) -> Any:
    """The mean of the maps of a picture and those of the mirrored picture; arguments as in `unmirror`."""
    return (heatmaps + unmirror(mirrored, flip_pairs, shift=shift, codec=codec)) / 2

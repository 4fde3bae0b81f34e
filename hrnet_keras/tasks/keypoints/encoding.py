"""Points -> the heat maps that a network learns, in the way of every codec.

| codec | a point's map | centre |
|---|---|---|
| `official`, `msra` | Gaussian in a square of 3 sigma | whole pixel, the half rounded up |
| `dark` | Gaussian over the whole map | as it is |
| `udp` | Gaussian in a square of 3 sigma around the rounded centre | as it is; pixel centres matched |
| `udp_combined` | three maps: a disc, and the way to its centre along x and y | as it is; pixel centres matched |
"""

import numpy as np

Size = tuple[int, int]
CODECS = ("official", "msra", "dark", "udp", "udp_combined")
RADIUS = 0.0546875  # of the disc of udp_combined, in units of the map's longer side: 3.5 of 64 pixels


def encode(
    points: np.ndarray, visible: np.ndarray, *, codec: str, input_size: Size, map_size: Size, sigma: float = 2.0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Heat maps of one instance.

    Args:
        points: float `(k, 2)` as (x, y) in pixels of the model's input; may lie outside.
        visible: `(k,)`, above 0 where the point is labelled.
        codec: one of `CODECS`; official is pose's (landmark's has a convention of its own).
        input_size: (height, width) of the model's input.
        map_size: (height, width) of the heat maps.
        sigma: of the Gaussians, in pixels of the map; udp_combined has none.

    Returns:
        Maps float32 `(*map_size, k)` (udp_combined: `(*map_size, 3 * k)`, disc, x, y of every point in turn), peak 1,
        and weights float32 `(k,)`, 0 for points that are not labelled or whose square lies outside the map. Maps of
        weight 0 are zero.

    Raises:
        ValueError: unknown codec.

    Source: `generate_target` of the official pose code; arXiv:1910.06278 (DARK), arXiv:1911.07524 (UDP), both with the
    details of mmpose.
    """
    if codec not in CODECS:
        raise ValueError(f"codec={codec!r}: expected one of {', '.join(map(repr, CODECS))}")
    labelled = np.asarray(visible).reshape(-1) > 0
    # mmpose computes in float32, which decides how the last digit of a half is rounded; the official code in float64.
    kind: type[np.floating] = np.float32
    if codec == "official":
        kind = np.float64
    points = np.where(labelled[:, None], np.asarray(points, kind), kind(0))
    points = points / stride(codec, input_size, map_size).astype(kind)
    if codec == "udp_combined":
        weights = labelled.astype(np.float32)
        return _discs(points, map_size) * np.repeat(weights, 3), weights
    if codec == "dark":
        maps, is_inside = _whole(points, sigma, map_size)
    else:
        # astype truncates: for points left of the input that is not the rounding that it is elsewhere.
        whole = (points + 0.5).astype(np.int64)
        shift = points - whole if codec == "udp" else 0.0
        maps, is_inside = gaussian_patches(whole, sigma, map_size, shift=shift)
    weights = (labelled & is_inside).astype(np.float32)
    return maps * weights, weights


def stride(codec: str, input_size: Size, map_size: Size) -> np.ndarray:
    """Pixels of the input per pixel of the map, float64 `(2,)` along x and y."""
    less = int(codec.startswith("udp"))
    height, width = input_size
    rows, columns = map_size
    return np.array([(width - less) / (columns - less), (height - less) / (rows - less)])


def gaussian_patches(
    centers: np.ndarray, sigma: float, size: Size, shift: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians cut to squares of 3 sigma around whole pixels.

    The square of a centre m reaches from trunc(m - 3 sigma) to trunc(m + 3 sigma + 1), without the last, and its middle
    is counted from its first pixel. Where 3 sigma is no whole number, the truncation toward zero puts the peak of a
    centre near the left or upper border one pixel too far: the official code's habit, which weights are trained on.

    Args:
        centers: `(k, 2)` as (x, y), whole numbers as a rule.
        sigma: in pixels.
        size: (height, width) of the maps.
        shift: float `(k, 2)`, moves the Gaussian within its square.

    Returns:
        float32 `(*size, k)`, and bool `(k,)`: whether the square touches the map.
    """
    reach = 3 * sigma
    # Python's int() truncates toward zero, also left of the map: the references compute the corners so.
    first = np.trunc(centers - reach)
    stop = np.trunc(centers + reach + 1)
    middle = first + (2 * reach + 1) // 2 + shift
    # A point whose square lies outside of the map has the weight 0 in both code bases.
    is_inside = np.all((first < (size[1], size[0])) & (stop >= 0), axis=1)

    def profile(axis: int, count: int) -> np.ndarray:
        pixels = np.arange(count)[:, None]
        values = _gaussian(pixels - middle[:, axis], sigma)
        return np.where((pixels >= first[:, axis]) & (pixels < stop[:, axis]) & is_inside, values, 0)

    return _product(profile(1, size[0]), profile(0, size[1])), is_inside


def _discs(points: np.ndarray, size: Size) -> np.ndarray:
    """Three maps per point, float32 `(*size, 3 * k)`: a disc, and inside it the way to the point along x and y."""
    radius = RADIUS * max(size)
    right = ((points[:, 0] - np.arange(size[1])[:, None]) / radius)[None]
    down = ((points[:, 1] - np.arange(size[0])[:, None]) / radius)[:, None]
    # The offsets are in units of the radius, so the net learns numbers from -1 to 1.
    disc = (right**2 + down**2 <= 1).astype(np.float32)
    maps = np.empty((*disc.shape, 3), np.float32)
    maps[..., 0] = disc
    np.multiply(right.astype(np.float32), disc, out=maps[..., 1])
    np.multiply(down.astype(np.float32), disc, out=maps[..., 2])
    return maps.reshape(*size, -1)


def _whole(points: np.ndarray, sigma: float, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians over the whole map, and whether the square of 3 sigma touches it."""
    # DARK draws the whole map, but asks whether the square of 3 sigma would touch it.
    is_inside = np.all((points - 3 * sigma < (size[1], size[0])) & (points + 3 * sigma + 1 >= 0), axis=1)
    rows = _gaussian(np.arange(size[0])[:, None] - points[:, 1], sigma)
    columns = _gaussian(np.arange(size[1])[:, None] - points[:, 0], sigma)
    return _product(rows, columns), is_inside


def _gaussian(distance: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-(distance**2) / (2 * sigma**2))


def _product(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Profiles `(height, k)` and `(width, k)` -> float32 `(height, width, k)`."""
    return rows.astype(np.float32)[:, None] * columns.astype(np.float32)[None]

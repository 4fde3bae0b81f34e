"""Boxes -> centre and scale -> the affine map that cuts an upright input out of a picture, and back.

Centre and scale are the official code's: the scale is the width and height of what the input shows, in units of 200
pixels. mmpose states the same in pixels; 200 times the scale is its number.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Size = tuple[int, int]  # (height, width)
Scale = float | Sequence[float] | np.ndarray  # one number, or (width, height)
UNIT = 200  # pixels per unit of scale
PADDING = 1.25  # how much more than its box the input shows


def center_scale(
    boxes: ArrayLike, aspect_ratio: float | None = None, padding: float = PADDING
) -> tuple[np.ndarray, np.ndarray]:
    """The centre and scale that show boxes with some space around.

    Args:
        boxes: float `(..., 4)`, xyxy in pixels of the picture.
        aspect_ratio: width / height of the input, to which the scale is widened (`fix_aspect`); None: the box's own.
        padding: factor of the scale.

    Returns:
        Centres float64 `(..., 2)` as (x, y), and scales float64 `(..., 2)` as (width, height) in units of 200 px.

    Source: `_box2cs` of the official pose code; `GetBBoxCenterScale` of mmpose.
    """
    boxes = np.asarray(boxes, np.float64)
    scales = (boxes[..., 2:] - boxes[..., :2]) / UNIT
    if aspect_ratio is not None:
        scales = fix_aspect(scales, aspect_ratio)
    return (boxes[..., :2] + boxes[..., 2:]) / 2, scales * padding


def fix_aspect(scales: ArrayLike, aspect_ratio: float) -> np.ndarray:
    """Widens scales `(..., 2)` (width, height), in any unit, to a ratio width / height; neither side gets smaller."""
    width, height = np.moveaxis(np.asarray(scales, np.float64), -1, 0)
    return np.stack([np.maximum(width, height * aspect_ratio), np.maximum(height, width / aspect_ratio)], axis=-1)


def crop_matrix(center: ArrayLike, scale: Scale, size: Size, rotation: float = 0.0) -> np.ndarray:
    """The map from picture pixels to pixels of the input.

    The middle of the picture's part goes to (width / 2, height / 2) of the input: corners are matched, not pixel
    centres. Only the width of the scale counts, so the map keeps angles.

    Args:
        center: (x, y) in pixels of the picture.
        scale: number, or (width, height), in units of 200 px, padding included.
        size: (height, width) of the input, or of its heat map.
        rotation: degrees; positive turns what the input shows counter-clockwise.

    Returns:
        float64 `(2, 3)`.

    Raises:
        ValueError: a scale that is not positive.

    Source: `get_affine_transform` of the official pose code, in closed form; mmpose's `get_warp_matrix` is the same
    map.
    """
    width, _ = _sides(scale)
    cos, sin = _cos_sin(rotation)
    linear = size[1] / width * np.array([[cos, sin], [-sin, cos]])
    middle = np.array([size[1], size[0]], np.float64) / 2
    return np.column_stack([linear, middle - linear @ np.asarray(center, np.float64)])


def udp_matrix(center: ArrayLike, scale: Scale, size: Size, rotation: float = 0.0) -> np.ndarray:
    """The map from picture pixels to pixels of the input, unbiased: pixel centres are matched.

    Args:
        center, scale, size: as in `crop_matrix`; both sides of the scale count.
        rotation: degrees, as mmpose takes it: positive turns what the input shows clockwise, the other way round than
            in `crop_matrix`.

    Returns:
        float64 `(2, 3)`.

    Raises:
        ValueError: a scale that is not positive.

    Source: arXiv:1911.07524, as mmpose's `get_udp_warp_matrix` does it.
    """
    sides = _sides(scale)
    cos, sin = _cos_sin(rotation)
    steps = (np.array([size[1], size[0]], np.float64) - 1) / sides
    linear = steps[:, None] * np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, steps * sides / 2 - linear @ np.asarray(center, np.float64)])


def upright_maps(centers: Any, sides: Any, size: Size, *, unbiased: bool) -> tuple[Any, Any]:
    """Where the pixels of upright crops lie in the picture: pixel i of an axis at begin + i * step.

    That is the inverse of `crop_matrix` or, unbiased, of `udp_matrix`, without a rotation. Prediction in Python and
    exported graphs both call it, with arrays or with TensorFlow's tensors.

    Args:
        centers: float64 `(n, 2)` as (x, y) in pixels of the picture.
        sides: float64 `(n, 2)`, width and height of what is shown, in pixels; without `unbiased` only the width counts.
        size: (height, width) of the crops.
        unbiased: pixel centres are matched, not corners.

    Returns:
        Steps and begins, float64 `(n, 2)` each, as (x, y).
    """
    extent = np.array([size[1], size[0]], np.float64)
    # Products with reciprocals: TensorFlow's optimiser makes products of divisions by constants, which round otherwise.
    if unbiased:
        return sides * (1 / (extent - 1)), centers - sides * 0.5
    steps = sides[:, :1] * np.full(2, 1 / size[1])
    return steps, centers - steps * (extent / 2)


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The map back of `(2, 3)`: from pixels of the input to pixels of the picture.

    For a scale of the input's aspect ratio this is also mmpose's way back, input pixel / input size * scale + centre -
    scale / 2.
    """
    return np.linalg.inv(np.vstack([matrix, (0.0, 0.0, 1.0)]))[:2]


def transform(points: ArrayLike, matrix: np.ndarray) -> np.ndarray:
    """Points `(..., 2)` as (x, y) under a map `(2, 3)`; float64 of the same shape."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def warp(image: np.ndarray, matrix: np.ndarray, size: Size, *, is_inverse: bool = False) -> np.ndarray:
    """The part of a picture that a map shows, bilinear, black where it reaches beyond the picture.

    Args:
        image: `(height, width, 3)`, uint8 or float32.
        matrix: `(2, 3)` from picture to input pixels, as `crop_matrix` gives it.
        size: (height, width) of the result.
        is_inverse: the matrix maps input to picture pixels.

    Returns:
        `(*size, 3)` of the type of `image`.

    Raises:
        ImportError: OpenCV is missing.

    Source: `cv2.warpAffine` with `INTER_LINEAR`, as in both code bases. OpenCV 4 and 5 differ by up to four grey
    levels.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError("cutting points' pictures needs OpenCV: pip install opencv-python-headless") from error
    flags = cv2.INTER_LINEAR
    if is_inverse:
        flags |= cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(np.ascontiguousarray(image), matrix, (size[1], size[0]), flags=flags)


def _sides(scale: Scale) -> np.ndarray:
    """Width and height in pixels."""
    sides = np.broadcast_to(np.asarray(scale, np.float64), 2) * UNIT
    if not (sides > 0).all():
        raise ValueError(f"scale={scale}: expected positive numbers; is the box empty?")
    return sides


def _cos_sin(rotation: float) -> tuple[float, float]:
    angle = np.deg2rad(float(rotation))
    return np.cos(angle), np.sin(angle)

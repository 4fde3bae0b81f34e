"""Photographs that are stored turned: what their EXIF data says, and the way between stored and upright pixels.

A camera stores the pixels as its sensor lies and writes beside them how a viewer is to turn them: one of eight numbers,
the quarter turns and their mirror images. Here `turned(..., orientation)` leads from stored to upright pixels, and
`turned(..., BACK[orientation])` the way back.

Source: tag 0x0112, Orientation, of the Exif standard (CIPA DC-008), section 4.6.4.
"""

import numpy as np
from PIL import Image

TAG = 0x0112
STORED = 1  # nothing to turn
# orientation: whether rows become columns, and after that whether rows, and columns, change their direction
TURNS = {
    1: (False, False, False), 2: (False, False, True), 3: (False, True, True), 4: (False, True, False),
    5: (True, False, False), 6: (True, False, True), 7: (True, True, True), 8: (True, True, False),
}  # fmt: skip
BACK = {**{orientation: orientation for orientation in TURNS}, 6: 8, 8: 6}


def orientation_of(file: str) -> int:
    """How the pixels that Pillow reads from a file have to be turned to be upright, 1..8.

    1 where the file does not say so, says something else or can't be read: whoever reads its pixels complains. Pillow
    itself turns TIFF files, so of them nothing is left to do.
    """
    try:
        with Image.open(file) as picture:
            # Pillow turns TIFF files itself when it decodes them.
            if picture.format == "TIFF":
                return STORED
            orientation = picture.getexif().get(TAG, STORED)
    except Exception:  # damaged EXIF data raises many kinds
        return STORED
    return orientation if orientation in TURNS else STORED


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """A picture or map `(height, width, ...)` turned: from stored to upright pixels."""
    swap, flip_rows, flip_columns = TURNS[orientation]
    pixels = np.swapaxes(pixels, 0, 1) if swap else pixels
    pixels = pixels[::-1] if flip_rows else pixels
    pixels = pixels[:, ::-1] if flip_columns else pixels
    return np.ascontiguousarray(pixels)


def turned_points(points, orientation: int, size: tuple[int, int]) -> np.ndarray:
    """Points `(..., 2)` as (x, y), whole numbers at the middles of pixels, of a picture of `size` (height, width)."""
    return _turned_xy(points, orientation, size, last=1)


def turned_boxes(boxes, orientation: int, size: tuple[int, int]) -> np.ndarray:
    """Boxes `(n, 4)` xyxy, whole numbers at the edges of pixels, of a picture of `size` (height, width)."""
    corners = _turned_xy(np.reshape(boxes, (-1, 2, 2)), orientation, size, last=0)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _turned_xy(points, orientation, size, last):
    """`last`: by how much the largest coordinate is less than the number of pixels."""
    swap, flip_rows, flip_columns = TURNS[orientation]
    points = np.array(points, np.float64)
    height, width = size
    if swap:
        points = points[..., ::-1].copy()
        height, width = width, height
    if flip_columns:
        points[..., 0] = width - last - points[..., 0]
    if flip_rows:
        points[..., 1] = height - last - points[..., 1]
    return points

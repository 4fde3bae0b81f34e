"""The official crop of a face, with the habits that published landmark weights were trained on.

Every crop is stretched to the full range of grey levels, computed by Pillow in up to three roundings, and its corners
and points are truncated to whole pixels counted from 1. Centres are float32, everything else float64.
"""

import math

import numpy as np

from hrnet_keras.tasks.keypoints.affine import UNIT


def crop_matrix(center, scale, side, rotation=0.0):
    """The map from picture pixels to a square of `side` pixels.

    Args:
        center: (x, y) in pixels of the picture.
        scale: of the crop in units of 200 px, padding included.
        side: of the square.
        rotation: degrees; positive turns the picture counter-clockwise.

    Returns:
        float64 `(3, 3)`.

    Raises:
        ValueError: a scale that is not positive.

    Source: `get_transform` of the official landmark code.
    """
    shown = UNIT * float(scale)
    if not shown > 0:
        raise ValueError(f"scale={scale}: expected a positive number; is the face's box empty?")
    # The official reader holds the centre in a tensor of PyTorch, which is float32.
    x, y = np.asarray(center, np.float32).astype(np.float64)
    matrix = np.array(
        [[side / shown, 0, side * (-x / shown + 0.5)], [0, side / shown, side * (-y / shown + 0.5)], [0, 0, 1]]
    )
    if rotation == 0:
        return matrix
    angle = math.radians(-rotation)
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    middle = np.array([[1, 0, side / 2], [0, 1, side / 2], [0, 0, 1]])
    return middle @ turn @ np.linalg.inv(middle) @ matrix


def to_crop(points, center, scale, side, rotation=0.0):
    """Points `(..., 2)` of the picture as whole pixels of the square; both are counted from 1.

    Args:
        points: as (x, y); other arguments as in `crop_matrix`.

    Returns:
        int64 of the same shape.
    """
    return _mapped(points, crop_matrix(center, scale, side, rotation))


def from_crop(points, center, scale, side):
    """Points `(..., 2)` of the square as whole pixels of the picture; both are counted from 1. See `to_crop`."""
    return _mapped(points, np.linalg.inv(crop_matrix(center, scale, side)))


def crop(image, center, scale, *, side=256, rotation=0.0, stretch_first=True):
    """Cuts a face out of a picture.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        center, scale, rotation: as in `crop_matrix`.
        side: of the result.
        stretch_first: where a large picture is shrunk before it is cut, its grey levels are stretched already then, as
            in the official code with the sets that it reads as floats (300W, AFLW, WFLW); not with COFW.

    Returns:
        uint8 RGB `(side, side, 3)`; black where the crop reaches beyond the picture, and, where the whole crop or the
        picture is less than two pixels, all over.

    Raises:
        ValueError: a scale that is not positive.

    Source: `crop` of the official landmark code, with the resizing, turning and stretching of SciPy 1.2.1.
    """
    center = np.array(center, np.float32)
    shrinking = UNIT * scale / side
    # A face of twice the input's size or more: the official code shrinks the whole picture first.
    if shrinking >= 2:
        size = [math.floor(pixels / shrinking) for pixels in image.shape[:2]]
        if max(size) < 2:
            return np.zeros((side, side, 3), np.uint8)
        image = _resized(_stretched(image) if stretch_first else image, [max(1, pixels) for pixels in size])
        center, scale = center / np.float32(shrinking), scale / shrinking
    begin, end = (from_crop((corner, corner), center, scale, side) for corner in (0, side))
    end = np.maximum(end, begin + 1)  # a crop of less than a pixel
    if rotation == 0:
        return _resized(_stretched(_pasted(image, begin, end)), (side, side))
    # Turned with half a diagonal around it, so that what turns into the crop's corners is there.
    margin = int(np.linalg.norm(end - begin) / 2 - (end[1] - begin[1]) / 2)
    canvas = _turned(_stretched(_pasted(image, begin - margin, end + margin)), rotation)
    return _resized(canvas[margin : len(canvas) - margin, margin : canvas.shape[1] - margin], (side, side))


def _mapped(points, matrix):
    # Counted from 1, as in MATLAB: less one before the map, plus one after it.
    moved = (np.asarray(points, np.float64) - 1) @ matrix[:2, :2].T + matrix[:2, 2]
    return moved.astype(np.int64) + 1  # astype truncates toward zero


def _pasted(image, begin, end):
    """The pixels of a picture from `begin` to `end` (x, y), black beyond the picture."""
    canvas = np.zeros((*(end - begin)[::-1], 3), np.uint8)
    (left, top), (right, bottom) = np.maximum(begin, 0), np.minimum(end, image.shape[1::-1])
    if left < right and top < bottom:
        x, y = begin
        canvas[top - y : bottom - y, left - x : right - x] = image[top:bottom, left:right]
    return canvas


def _stretched(image):
    """The picture with grey levels from 0 to 255."""
    low = np.float32(image.min())
    high = np.float32(image.max())
    # What scipy.misc.imresize did to pictures that were no bytes, before SciPy dropped it (`bytescale`).
    levels = (np.arange(256, dtype=np.float32) - low) * (np.float32(255) / max(high - low, np.float32(1)))
    return (levels.clip(0, 255) + np.float32(0.5)).astype(np.uint8)[image]


def _resized(image, size):
    """Another size (height, width), by Pillow's triangle filter, which averages where it shrinks."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _turned(image, rotation):
    """Turned counter-clockwise in a frame of the same size."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).rotate(rotation, Image.Resampling.BILINEAR))

"""Resizing and mirroring: a crop of the resized picture comes straight from the pixels it needs.

A picture is resized only virtually: `scaled` is the size that it would have, and a crop of `crop` pixels at `origin` is
computed from the window of the source that it shows. Sizes and corners are whole numbers `(height, width)` or `(y, x)`.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

Crop = tuple[int, int]


def scaled_size(size: Any, scale: float, base_size: int | None = None) -> np.ndarray:
    """The size of a picture whose long side becomes `int(base_size * scale + 0.5)`, the aspect ratio kept.

    Args:
        size: `(2,)`, height and width of the picture.
        scale: factor of the long side.
        base_size: pixels of the long side at scale 1; None: the picture's own.

    Returns:
        int32 `(2,)`, at least one pixel each way.

    Source: training transform of the official segmentation repository, in double precision like there.
    """
    sides = np.asarray(size, np.float64)
    longer = sides.max()
    base = longer if base_size is None else np.float64(base_size)
    long_side = np.floor(base * np.float64(scale) + 0.5)
    # The product first: the official code divides last, and both round the same way only in this order.
    scaled = np.floor(sides * long_side / longer + 0.5)
    return np.maximum(np.where(sides == longer, long_side, scaled).astype(np.int32), 1)


def source_window(size: Any, scaled: Any, origin: Any, crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture that a bilinear crop of its resized version reads.

    Args:
        size: `(2,)`, of the picture.
        scaled: `(2,)`, the size it is resized to.
        origin: `(2,)`, top left corner of the crop in the resized picture.
        crop: `(height, width)` of the crop; it may reach beyond the resized picture.

    Returns:
        `(begin, end)`, int32 `(2,)` each: first row and column, and the ones after the last.
    """
    ratio = np.asarray(size, np.float64) / np.asarray(scaled, np.float64)
    first = np.asarray(origin, np.float64)
    last = np.minimum(first + crop, scaled) - 1
    begin = np.floor((first + 0.5) * ratio - 0.5).astype(np.int32)
    end = np.floor((last + 0.5) * ratio - 0.5).astype(np.int32) + 2
    return np.maximum(begin, 0), np.minimum(end, size)


def resample_image(part: Any, begin: Any, size: Any, scaled: Any, origin: Any, crop: Crop) -> np.ndarray:
    """The crop of a bilinearly resized picture, black where it reaches beyond; by OpenCV (5 or newer), on arrays.

    Pixel centres lie at halves, edges repeat, nothing is smoothed before shrinking: OpenCV's `resize` with
    `INTER_LINEAR`, but for its rounding to whole grey levels.

    Args:
        part: `(rows, columns, 3)`, the pixels of `source_window`, any number type.
        begin: `(2,)`, where `part` begins in the picture.
        size, scaled, origin, crop: as in `source_window`.

    Returns:
        float32 `(crop height, crop width, 3)`.
    """
    size, scaled, origin, begin = (np.asarray(x, np.int64) for x in (size, scaled, origin, begin))
    height, width = (int(side) for side in np.minimum(scaled - origin, crop))
    ratio = size / scaled
    y, x = (origin + 0.5) * ratio - 0.5 - begin
    shown = cv2.warpAffine(
        np.asarray(part, np.float32), np.array([[ratio[1], 0, x], [0, ratio[0], y]]), (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return _filled(shown, crop, 0)


def resample_labels(label_map: Any, scaled: Any, origin: Any, crop: Crop, ignore_label: int = 255) -> np.ndarray:
    """The crop of a label map resized to the nearest label, `ignore_label` where it reaches beyond; on arrays.

    Row `i` of the resized map is row `floor(i * height / scaled height)`, as with OpenCV's `INTER_NEAREST`;
    TensorFlow's own nearest resizing looks half a pixel further and gives other labels on 1 to 5 % of the pixels.

    Args:
        label_map: `(height, width)`.
        scaled, origin, crop: as in `source_window`.
        ignore_label: of the data set.

    Returns:
        `(crop height, crop width)`, of the type of `label_map`.
    """
    label_map = np.asarray(label_map)
    rows, columns = (
        _nearest(int(first), int(min(first + length, whole)), int(whole), count)
        for first, length, whole, count in zip(origin, crop, scaled, label_map.shape, strict=True)
    )
    return _filled(label_map[rows].take(columns, axis=1), crop, ignore_label)


def _nearest(first: int, stop: int, scaled: int, count: int) -> np.ndarray:
    # OpenCV multiplies by 1 / (scaled / size) in double precision: where the quotient should be whole this can fall
    # just short of it, and the label is the one before.
    indices = np.floor(np.arange(first, stop) * (1 / (scaled / count))).astype(np.int64)
    return np.minimum(indices, count - 1)


def _filled(pixels: np.ndarray, crop: Crop, value: int) -> np.ndarray:
    """`pixels` at the upper left of an array of `crop`, the rest `value`."""
    if pixels.shape[:2] == tuple(crop):
        return pixels
    whole = np.full((*crop, *pixels.shape[2:]), value, pixels.dtype)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return whole


def swap_labels(label_map: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Exchanges class ids: what a mirrored picture asks of classes that have a side.

    Args:
        label_map: uint8 array of any shape.
        pairs: of ids, each in one pair at most (`datasets.DatasetInfo` sees to that), for example
            `((14, 15), (16, 17), (18, 19))` for the arms, legs and shoes of LIP.
    """
    table = np.arange(256, dtype=np.uint8)
    for a, b in pairs:
        table[[a, b]] = b, a
    return table[label_map]


def mirror(
    image: np.ndarray, label_map: np.ndarray, label_pairs: Sequence[tuple[int, int]] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Image and label map (arrays) flipped left to right; classes of `label_pairs` change places."""
    image = np.ascontiguousarray(image[:, ::-1])
    label_map = np.ascontiguousarray(label_map[:, ::-1])
    if label_pairs:
        label_map = swap_labels(label_map, label_pairs)
    return image, label_map

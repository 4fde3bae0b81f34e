"""What people's files of boxes get wrong: numbers of another convention in the whole file, and single bad boxes."""

from collections.abc import Callable

import numpy as np

from hrnet_keras.datasets.reading import DataError, FilePath

NORMALISED = 1.5  # no number of a file of pixels is below this one in all boxes
MANY, NEARLY_ALL = 0.2, 0.95  # shares of boxes that say that a whole file is of another convention
SLACK = 0.02  # share of a picture's side by which a box may reach beyond it: cut without a word
XYWH, XYXY, CXCYWH = "left, top, width, height", "left, top, right, bottom", "centre x, centre y, width, height"
OTHERS = {XYWH: XYXY, XYXY: XYWH, CXCYWH: XYXY}  # what each is most often confused with


def corners_of(numbers: np.ndarray, convention: str) -> np.ndarray:
    """Boxes of a convention (`XYWH`, `XYXY`, `CXCYWH`) as xyxy; both float64 `(n, 4)`."""
    if convention == XYXY:
        return numbers
    first, sides = numbers[:, :2], numbers[:, 2:]
    if convention == CXCYWH:
        first = first - sides / 2
    return np.concatenate([first, first + sides], axis=1)


def check_convention(
    numbers: np.ndarray, sizes: np.ndarray, origin: FilePath, expected: str, unit: str = "pixels"
) -> None:
    """Raises where the boxes of a file, taken together, are of another convention than the file's layout says.

    Args:
        numbers: float64 `(n, 4)` in pixels, as the file has them.
        sizes: `(n, 2)`, height and width of every box's picture.
        origin: the file or folder, for the message.
        expected: `XYWH`, `XYXY` or `CXCYWH`.
        unit: what the file's own numbers are in, for the message.

    Raises:
        DataError: all numbers lie between 0 and 1, or most boxes fit their pictures only in another convention.
    """
    if not len(numbers):
        return
    low, high = numbers.min(), numbers.max()
    if low >= -1 and 0 < high <= NORMALISED:  # VOC's corners count from 1
        raise DataError(
            f"{origin}: all {len(numbers)} boxes lie between {min(0, low):g} and {high:g}, as shares of a picture's "
            f"sides do: expected {expected} in {unit}; multiply x by the picture's width and y by its height"
        )
    other = OTHERS[expected]
    strange = ~_fits(numbers, sizes, expected)
    if strange.mean() >= MANY and _fits(numbers, sizes, other).mean() >= NEARLY_ALL:
        raise DataError(
            f"{origin}: {int(strange.sum())} of {len(numbers)} boxes don't fit their pictures as {expected}, and "
            f"nearly all do as {other}, which they seem to be: expected {expected} in {unit}"
        )


def _fits(numbers: np.ndarray, sizes: np.ndarray, convention: str) -> np.ndarray:
    """Whether boxes have an area inside their pictures in a convention; bool `(n,)`."""
    corners = corners_of(numbers, convention)
    sides = np.asarray(sizes, np.float64)[:, ::-1]
    slack = SLACK * sides + 1
    has_area = (corners[:, 2:] > corners[:, :2]).all(1)
    is_inside = (corners[:, :2] >= -slack).all(1) & (corners[:, 2:] <= sides + slack).all(1)
    return np.logical_and(has_area, is_inside)


def check_each(boxes: np.ndarray, sizes: np.ndarray, where: Callable[[int], str]) -> None:
    """Raises where a box has no area or lies outside its picture.

    Args:
        boxes: float64 `(n, 4)` xyxy in pixels.
        sizes: `(n, 2)`, height and width of every box's picture.
        where: says which annotation a box is, with its file.

    Raises:
        DataError: names the first such box, and how many there are.
    """
    height, width = np.asarray(sizes, np.float64).reshape(-1, 2).T
    left, top, right, bottom = boxes.T
    has_area = (right > left) & (bottom > top)
    is_inside = (right > 0) & (bottom > 0) & (left < width) & (top < height)
    bad = np.flatnonzero(~(has_area & is_inside))
    if not bad.size:
        return
    first = int(bad[0])
    box = ", ".join(f"{edge:g}" for edge in boxes[first])
    reason = "has no area"
    if has_area[first]:
        reason = f"lies outside the picture of {width[first]:g}x{height[first]:g} (width x height)"
    more = f" (and {bad.size - 1} more of this kind)" if bad.size > 1 else ""
    raise DataError(f"{where(first)}: the box {box} ({XYXY}) {reason}{more}: correct it or leave this one out")

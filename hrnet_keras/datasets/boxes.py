"""Boxes of faces and persons that people hand in with their pictures, as json."""

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from hrnet_keras.datasets.point_files import numbers, read_json
from hrnet_keras.datasets.reading import DataError

LIST = "[[left, top, right, bottom], ...]"


def boxes_for(pictures: Sequence[str], text: str) -> list[np.ndarray]:
    """The boxes to look at in every picture.

    Args:
        pictures: paths.
        text: json, or the path of a json file: for one picture a list `[[left, top, right, bottom], ...]` in pixels;
            for any number `{picture: such a list}`, where a picture goes by its path or by its file's name.

    Returns:
        A list of float64 `(n, 4)` xyxy, one per picture.

    Raises:
        DataError: no such file, no json, no boxes for a picture, or a box that is not four finite numbers.

    Example:
        >>> boxes_for(["street.jpg"], "[[10, 20, 110, 220]]")
        [array([[ 10.,  20., 110., 220.]])]
    """
    where, whole = _read(text.strip())
    if isinstance(whole, list):
        if len(pictures) != 1:
            raise DataError(
                f"{where}: one list of boxes for {len(pictures)} pictures: expected {{picture: {LIST}, ...}}"
            )
        whole = {pictures[0]: whole}
    if not isinstance(whole, dict):
        raise DataError(f"{where}: expected {LIST}, or {{picture: such a list, ...}}")
    return [_boxes_of(picture, whole, where) for picture in pictures]


def _read(text: str) -> tuple[str, Any]:
    """What to call the json in messages, and what it says."""
    if not text.startswith(("[", "{")):
        return text, read_json(text, f"expected the path of a json file, or {LIST}")
    try:
        return "boxes", json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"boxes: no json ({error}): expected {LIST}, or the path of a json file") from None


def _boxes_of(picture: str, whole: dict, where: str) -> np.ndarray:
    name = next((name for name in (picture, os.path.basename(picture)) if name in whole), None)
    if name is None:
        raise DataError(f"{where}: has no boxes of {os.path.basename(picture)}: expected a list, [] for nobody")
    if not isinstance(whole[name], list):
        raise DataError(f"{where}: {name}: expected {LIST}")
    rows = [numbers(row, 4, f"{where}: {name}", f"box [{i}]") for i, row in enumerate(whole[name])]
    return np.array(rows, np.float64).reshape(-1, 4)


def checked_boxes(boxes, size: tuple[int, int]) -> np.ndarray:
    """Boxes of a picture of `size` (height, width) as float64 `(n, 4)`.

    Raises:
        DataError: another shape, a number that is none, a box without area or outside of the picture; names the box.
    """
    expected = "expected (n, 4), each left, top, right, bottom in pixels"
    try:
        array = np.asarray(boxes, np.float64)
    except (TypeError, ValueError):  # rows of several lengths, words
        raise DataError(f"boxes={boxes!r}: {expected}") from None
    if array.size == 0 or array.shape == (4,):
        array = array.reshape(-1, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise DataError(f"boxes of shape {array.shape}: {expected}")
    for i, box in enumerate(array):
        problem = _problem_of(box, size)
        if problem is not None:
            left, top, right, bottom = box
            raise DataError(f"boxes[{i}] = ({left:g}, {top:g}, {right:g}, {bottom:g}): {problem}")
    return array


def _problem_of(box: np.ndarray, size: tuple[int, int]) -> str | None:
    """What is wrong with a box in a picture of that size."""
    (left, top, right, bottom), (height, width) = box, size
    if not np.isfinite(box).all():
        return "expected numbers"
    if right <= left or bottom <= top:
        return "has no area: expected left, top, right, bottom, the latter two larger"
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return f"lies outside the picture of {width}x{height} (width x height)"
    return None

"""Outlines of objects in COCO's forms, polygons and run lengths: what they say, and whether they say anything."""

from typing import Any

import numpy as np

from hrnet_keras.datasets.reading import DataError

Size = tuple[int, int]
FEWEST_NUMBERS = 6  # of a polygon: three points
# Of a character in compressed run lengths: five bits of a number, the lowest first, whether more follow, and the sign.
FIRST, BITS, MORE, SIGN, VALUE = 48, 5, 0x20, 0x10, 0x1F


def checked_segment(segment: Any, size: Size, where: str, *, lenient: bool = False) -> Any:
    """An entry's "segmentation" that pycocotools can draw.

    Args:
        segment: as the json has it.
        size: of the picture.
        where: file and annotation, for messages.
        lenient: leaves polygons of fewer than three points out instead of refusing them, as COCO's own files have some.

    Returns:
        A list of polygons, a run length encoding, or `None` where there is no outline.

    Raises:
        DataError: neither; a polygon of two points or of numbers that are none; run lengths of another size or sum.

    Source: the minimum of three points as in mmdet and detectron2; pycocotools takes four numbers for a box.
    """
    if not segment:
        return None
    if isinstance(segment, dict):
        _check_run_lengths(segment, size, where)
        return segment
    if not isinstance(segment, list) or not all(isinstance(polygon, list) for polygon in segment):
        raise DataError(f"{where}: segmentation: expected a list of polygons [[x, y, x, y, ...], ...] or run lengths")
    whole = [polygon for polygon in segment if len(polygon) >= FEWEST_NUMBERS and len(polygon) % 2 == 0]
    if len(whole) < len(segment) and not lenient:
        short = next(polygon for polygon in segment if polygon not in whole)
        raise DataError(f"{where}: a polygon of {len(short)} numbers: expected x and y of three points or more")
    for polygon in whole:
        _check_numbers(polygon, where)
    return whole or None


def _check_numbers(polygon: list, where: str) -> None:
    array = np.array(polygon)
    if array.ndim != 1 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise DataError(f"{where}: a polygon with something else than finite numbers: expected x, y, x, y, ...")


def _check_run_lengths(segment: dict, size: Size, where: str) -> None:
    stated = segment.get("size")
    counts = segment.get("counts")
    if not isinstance(stated, list) or len(stated) != 2 or not isinstance(counts, list | str | bytes):
        raise DataError(f"{where}: segmentation: expected run lengths with 'size' [height, width] and 'counts'")
    if tuple(stated) != tuple(size):
        raise DataError(
            f"{where}: run lengths of {stated[1]}x{stated[0]}, the picture is {size[1]}x{size[0]} (width x height): "
            "expected the same size"
        )
    lengths = counts if isinstance(counts, list) else unpacked(counts)
    is_whole = lengths is not None and all(isinstance(length, int) and length >= 0 for length in lengths)
    if not is_whole or sum(lengths or ()) != size[0] * size[1]:
        raise DataError(f"{where}: run lengths that don't add up to the {size[0] * size[1]} pixels of their picture")


def unpacked(counts: str | bytes) -> list[int] | None:
    """The lengths that compressed run lengths hold; `None` where the text is none.

    pycocotools takes such a text as it is, and draws what happens to lie in memory where it is too short.

    Source: `rleFrString` of COCO's API: from the fourth number on, each is told by its difference to the one before the
        last.
    """
    text = counts.encode() if isinstance(counts, str) else counts
    parts = np.frombuffer(text, np.uint8).astype(np.int64) - FIRST
    if not parts.size or parts.min() < 0 or parts.max() > VALUE + MORE or parts[-1] & MORE:
        return None
    ends = np.flatnonzero(parts & MORE == 0)
    begins = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(parts.size) - np.repeat(begins, ends - begins + 1)
    if places.max() > 11:  # 60 bits
        return None
    numbers = np.add.reduceat((parts & VALUE) << (BITS * places), begins)
    numbers -= np.where(parts[ends] & SIGN, 1 << (BITS * (places[ends] + 1)), 0)
    for first in (1, 2):
        numbers[first::2] = np.cumsum(numbers[first::2])
    return numbers.tolist()


def run_lengths_of(mask: np.ndarray) -> dict[str, Any]:
    """COCO's run length encoding of a mask, not compressed: lengths of 0s and 1s by turns, column by column.

    Args:
        mask: bool `(height, width)`.

    Returns:
        `{"size": [height, width], "counts": list of numbers}`.
    """
    columns = mask.T.ravel()
    changes = np.flatnonzero(columns[1:] != columns[:-1]) + 1
    lengths = np.diff([0, *changes.tolist(), columns.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *lengths] if columns[0] else lengths}

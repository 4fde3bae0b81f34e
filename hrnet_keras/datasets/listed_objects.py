"""A data set of the objects of files that hold little each: they are read at once and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets.box_checks import check_convention, check_each, corners_of
from hrnet_keras.datasets.dataset import Example
from hrnet_keras.datasets.info import DatasetInfo, distinct_colour
from hrnet_keras.datasets.matching import in_words, places_in
from hrnet_keras.datasets.objects import LEAST_SIDE, BoxSet, as_truth, cut_boxes, learnable
from hrnet_keras.datasets.points import names_of
from hrnet_keras.datasets.reading import DataError, FilePath

Size = tuple[int, int]


@dataclass(frozen=True)
class Thing:
    """An object of an annotation file.

    Attributes:
        where: file and line, for messages.
        name: of its class.
        numbers: of its box, in pixels, in the file's convention.
        is_crowd: neither learnt nor missed.
        polygon: x, y, x, y, ... in pixels, where the file has an outline.
    """

    where: str
    name: str
    numbers: tuple[float, ...]
    is_crowd: bool = False
    polygon: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Picture:
    """A picture with its objects.

    Attributes:
        file: of the picture.
        path: what it is called by: its path within the folder of pictures.
        size: `(height, width)`.
        things: its objects.
    """

    file: Path
    path: str
    size: Size
    things: tuple[Thing, ...]


class ListedTable:
    """The annotations of pictures that were read, an `ObjectTable`.

    Args:
        pictures: in the order of the set.
        names: of the classes, in the order of the labels; objects of others are left out.
        convention: of the boxes' numbers.
        origin: file or folder, for messages.
    """

    def __init__(self, pictures: Sequence[Picture], names: Sequence[str], convention: str, origin: FilePath) -> None:
        self.origin = origin
        self._rows: list[Example] = []
        self._is_trained: list[bool] = []
        self._first_ids = [1]
        self._has_outlines = any(thing.polygon for picture in pictures for thing in picture.things)
        own = sorted({thing.name for picture in pictures for thing in picture.things})
        labels = {name: place for name, place in zip(own, places_in(own, names), strict=True) if place is not None}
        for i, picture in enumerate(pictures):
            self._add(i, picture, labels, convention)

    def _add(self, i: int, picture: Picture, labels: dict[str, int], convention: str) -> None:
        things = [thing for thing in picture.things if thing.name in labels]
        numbers = np.array([thing.numbers for thing in things], np.float64).reshape(-1, 4)
        corners = corners_of(numbers, convention)
        sizes = np.tile(picture.size, (len(things), 1))
        boxes = cut_boxes(corners, sizes)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        for j, thing in enumerate(things):
            if thing.polygon:
                areas[j] = _area_of(thing.polygon)
        kept = learnable(np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1), areas, sizes)
        row: Example = {
            "size": picture.size,
            "image_id": i + 1,
            "boxes": boxes[kept],
            "labels": np.array([labels[thing.name] for thing in things], np.int32)[kept],
            "crowd": np.array([thing.is_crowd for thing in things], bool)[kept],
            "areas": areas[kept],
        }
        if self._has_outlines:
            row["segments"] = tuple(_segment(things[j]) for j in np.flatnonzero(kept))
        self._rows.append(row)
        self._first_ids.append(self._first_ids[-1] + int(kept.sum()))
        self._is_trained.append(bool(things) and min(picture.size) >= LEAST_SIDE)

    def row(self, number: int) -> Example:
        """See `ObjectTable`."""
        kept = self._rows[number]
        row = {word: value.copy() if isinstance(value, np.ndarray) else value for word, value in kept.items()}
        row["truth"] = as_truth(row, first_id=self._first_ids[number])
        return row

    def size_of(self, number: int) -> Size:
        """See `ObjectTable`."""
        return self._rows[number]["size"]

    def labels_of(self, number: int) -> np.ndarray:
        """See `ObjectTable`."""
        row = self._rows[number]
        return row["labels"][~row["crowd"]]

    def trainable(self, number: int) -> bool:
        """See `BoxSet.trainable`."""
        return self._is_trained[number]


def _area_of(polygon: Sequence[float]) -> float:
    """The area inside a polygon x, y, x, y, ... (shoelace formula)."""
    x, y = np.array(polygon, np.float64).reshape(-1, 2).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _segment(thing: Thing) -> Any:
    return [list(thing.polygon)] if thing.polygon else None


def listed_set(
    split: str, root: Path, pictures: Sequence[Picture], *, names: Sequence[str], chosen: Sequence[str] | None,
    convention: str, origin: FilePath, unit: str = "pixels",
) -> BoxSet:  # fmt: skip
    """The `BoxSet` of pictures that were read, after their boxes were looked at.

    Args:
        split, root: as in `boxes_folder.load`.
        pictures: in the order of the set.
        names: of all classes, in the order of their ids.
        chosen: those to take, in the order of the labels; `None`: all.
        convention, unit: of the boxes' numbers, see `box_checks.check_convention`.
        origin: file or folder, for messages.

    Raises:
        DataError: no pictures, boxes of another convention or without an area in their picture, a chosen class that the
            set has not.
    """
    if not pictures:
        raise DataError(f"{origin}: names no pictures: expected at least one")
    things = [thing for picture in pictures for thing in picture.things]
    numbers = np.array([thing.numbers for thing in things], np.float64).reshape(-1, 4)
    counts = [len(picture.things) for picture in pictures]
    sizes = np.repeat(np.array([picture.size for picture in pictures]), counts, axis=0)
    check_convention(numbers, sizes, origin, convention, unit)
    check_each(corners_of(numbers, convention), sizes, lambda j: things[j].where)
    taken = tuple(names if chosen is None else chosen)
    absent = [name for name, place in zip(taken, places_in(list(taken), list(names)), strict=True) if place is None]
    if absent:
        raise DataError(f"{origin}: has no class {absent[0]!r}: class_names expects some of {in_words(names)}")
    info = DatasetInfo(
        root.resolve().name, taken, tuple(distinct_colour(i) for i in range(len(taken))), source=str(root)
    )
    table = ListedTable(pictures, taken, convention, origin)
    files = [picture.file for picture in pictures]
    return BoxSet(info, split, names_of(picture.path for picture in pictures), files, table)

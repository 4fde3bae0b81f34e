"""A data set of the objects of a json in COCO's layout: what a picture has is put together when it is asked for."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets.coco_objects import CocoObjects, name_of
from hrnet_keras.datasets.dataset import Example
from hrnet_keras.datasets.info import DatasetInfo
from hrnet_keras.datasets.objects import LEAST_SIDE, BoxSet, cut_boxes, learnable
from hrnet_keras.datasets.outlines import checked_segment
from hrnet_keras.datasets.point_files import Id
from hrnet_keras.datasets.points import absent_files, names_of
from hrnet_keras.datasets.reading import DataError, image_size

Size = tuple[int, int]


class CocoTable:
    """The annotations of a json in COCO's layout, an `ObjectTable`.

    Args:
        objects: what was read.
        sizes: int64 `(pictures, 2)`, height and width.
        labels: `{category id: label}`; objects of other categories are left out.
        lenient: as in `checked_segment`.
    """

    def __init__(
        self, objects: CocoObjects, sizes: np.ndarray, labels: Mapping[Id, int], *, lenient: bool = False
    ) -> None:
        columns = objects.columns
        self.file = objects.file
        self.origin = objects.file.path
        self.lenient = lenient
        self.picture_ids = list(objects.pictures)
        self.sizes = sizes
        pictures = picture_places(objects)
        order = np.argsort(pictures, kind="stable")
        self._offsets = np.searchsorted(pictures[order], np.arange(len(self.picture_ids) + 1))
        self._crowd, self._begins, self._ends = (
            column[order] for column in (columns.crowd, columns.begins, columns.ends)
        )
        self._category_ids = list(objects.categories)
        self._categories = category_places(objects)[order]
        places = np.array([labels.get(number, -1) for number in objects.categories], np.int32)
        self._labels = places[self._categories] if len(places) else np.zeros(0, np.int32)
        sides = sizes[pictures[order]]
        xywh = columns.xywh[order]
        areas = columns.areas[order]
        self._areas = np.where(np.isnan(areas), xywh[:, 2] * xywh[:, 3], areas)
        is_learnt = learnable(xywh, self._areas, sides) & ~columns.ignored[order]
        self._is_kept = is_learnt & (self._labels >= 0)
        corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
        self._boxes = cut_boxes(corners, sides)
        self.has_outlines = columns.has_outlines
        self.has_truth = objects.annotated
        # COCO's evaluator looks entries up by their ids, and takes 0 for none.
        self._is_renumbered = not has_unique_ids(objects)

    def __len__(self) -> int:
        return len(self.picture_ids)

    def row(self, number: int) -> Example:
        """See `ObjectTable`."""
        inside = slice(self._offsets[number], self._offsets[number + 1])
        kept = self._is_kept[inside]
        row: Example = {
            "size": self.size_of(number),
            "image_id": self.picture_ids[number],
            "boxes": self._boxes[inside][kept],
            "labels": self._labels[inside][kept],
            "crowd": self._crowd[inside][kept],
            "areas": self._areas[inside][kept],
        }
        pairs = list(zip(self._begins[inside].tolist(), self._ends[inside].tolist(), strict=True))
        entries = [self.file.parsed(text) for text in self.file.ranges(pairs)]
        if self.has_outlines:
            shown = [entry for entry, is_kept in zip(entries, kept, strict=True) if is_kept]
            row["segments"] = tuple(self._segment(entry, row["size"]) for entry in shown)
        if self.has_truth:
            places = range(inside.start, inside.stop)
            row["truth"] = [self._scorable(entry, place) for entry, place in zip(entries, places, strict=True)]
            for entry in row["truth"]:
                entry["image_id"] = row["image_id"]
        return row

    def size_of(self, number: int) -> Size:
        """See `ObjectTable`."""
        return int(self.sizes[number, 0]), int(self.sizes[number, 1])

    def labels_of(self, number: int) -> np.ndarray:
        """See `ObjectTable`."""
        inside = slice(self._offsets[number], self._offsets[number + 1])
        return self._labels[inside][self._is_kept[inside] & ~self._crowd[inside]]

    def trainable(self, number: int) -> bool:
        """See `BoxSet.trainable`."""
        inside = slice(self._offsets[number], self._offsets[number + 1])
        return bool(self.sizes[number].min() >= LEAST_SIDE and (self._labels[inside] >= 0).any())

    def _segment(self, entry: dict, size: Size) -> Any:
        return checked_segment(entry.get("segmentation"), size, name_of(entry, self.file), lenient=self.lenient)

    def _scorable(self, entry: dict, place: int) -> dict:
        """An entry of "annotations" with what COCO's evaluator needs, where the file leaves it out."""
        if entry.get("area") is None:
            entry["area"] = float(self._areas[place])
        if self._is_renumbered:
            entry["id"] = place + 1
        entry["iscrowd"] = entry.get("iscrowd") or 0
        entry["category_id"] = self._category_ids[self._categories[place]]
        return entry


def picture_places(objects: CocoObjects) -> np.ndarray:
    """Which picture each object belongs to, int64 `(n,)`, counted in the order of the file.

    An id may be 7 in one list and "7" in the other, as some tools write it.

    Raises:
        DataError: one that the file does not list.
    """
    return _places(objects.columns.pictures, list(objects.pictures), objects, "image_id", "picture", "images")


def category_places(objects: CocoObjects) -> np.ndarray:
    """Which category each object has, int64 `(n,)`, counted in the order of `objects.categories`; else as above."""
    return _places(
        objects.columns.categories, list(objects.categories), objects, "category_id", "category", "categories"
    )


def _places(
    given: Sequence[Id], ids: Sequence[Id], objects: CocoObjects, key: str, what: str, listing: str
) -> np.ndarray:
    places = {number: i for i, number in enumerate(ids)}
    try:
        return np.fromiter(map(places.__getitem__, given), np.int64, len(given))
    except (KeyError, TypeError):  # one that is not there, or no id at all
        pass
    by_text = {str(number): i for number, i in places.items()}
    found = [by_text.get(str(number)) for number in given]
    if None in found:
        raise DataError(_stranger(objects, found.index(None), key, what, listing))
    return np.array(found, np.int64)


def _stranger(objects: CocoObjects, j: int, key: str, what: str, listing: str) -> str:
    columns = objects.columns
    entry = objects.file.parsed(objects.file.read(int(columns.begins[j]), int(columns.ends[j])))
    where = name_of(entry, objects.file)
    if entry.get(key) is None:
        return f"{where}: has no {key!r}: expected the id of one of {listing}"
    return f"{where}: belongs to {what} {entry[key]!r}, which {listing} does not list"


def has_unique_ids(objects: CocoObjects) -> bool:
    """Whether every annotation has an id of its own that is a whole number other than 0."""
    ids = objects.columns.ids
    if not set(map(type, ids)) <= {int}:
        return False
    distinct = set(ids)
    return len(distinct) == len(ids) and 0 not in distinct


def check_ids(objects: CocoObjects) -> None:
    """Raises `DataError` where two annotations of one picture have the same id."""
    columns = objects.columns
    if has_unique_ids(objects):
        return
    seen = set()
    for number, picture in zip(columns.ids, columns.pictures, strict=True):
        key = (str(number), str(picture))
        if number is not None and key in seen:
            raise DataError(
                f"{objects.file.path}: annotation {number} of picture {picture} stands there twice; remove one"
            )
        seen.add(key)


def located(objects: CocoObjects, folder: Path, *, archive: str, partial: bool) -> tuple[list[int], list[Path]]:
    """Which of the pictures that a json names are there, counted in the order of the json, and their files.

    Args:
        objects: what was read.
        folder: where the pictures should lie.
        archive: what to unpack there, for the message.
        partial: takes the pictures that are there.

    Raises:
        DataError: the json names none, or one is absent (with `partial`: all are).
    """
    origin = objects.file.path
    pictures = list(objects.pictures.values())
    if not pictures:
        raise DataError(f"{origin}: names no pictures: expected at least one")
    absent = set(absent_files(folder, pictures))
    if absent and (not partial or len(absent) == len(pictures)):
        first = next(picture for picture in pictures if picture in absent)
        rest = "" if partial else ", or take what is there with the option partial: true"
        raise DataError(
            f"{folder / first}: no such file, one of {len(absent)} absent of the {len(pictures)} pictures that "
            f"{os.path.basename(origin)} names: unpack {archive} there{rest}"
        )
    numbers = [i for i, picture in enumerate(pictures) if picture not in absent]
    return numbers, [folder / pictures[i] for i in numbers]


def sizes_of(objects: CocoObjects, numbers: Sequence[int], files: Sequence[Path]) -> np.ndarray:
    """Height and width of every picture, int64 `(pictures, 2)`: as stated, else by the header of its file.

    Args:
        objects: what was read.
        numbers: pictures that are there.
        files: the file of each of them; one that is no picture raises `DataError`.
    """
    sizes = list(objects.sizes)
    for number, file in zip(numbers, files, strict=True):
        if sizes[number] is None:
            sizes[number] = image_size(file)
    return np.array([size or (1, 1) for size in sizes], np.int64).reshape(-1, 2)


def box_set(
    info: DatasetInfo, split: str, table: CocoTable, objects: CocoObjects, numbers: Sequence[int],
    files: Sequence[Path],
) -> BoxSet:  # fmt: skip
    """The `BoxSet` of the pictures that are there; arguments as above."""
    pictures = list(objects.pictures.values())
    return BoxSet(info, split, names_of(pictures[i] for i in numbers), files, table, numbers)

"""Reading a json of objects in COCO's layout into columns; `coco_table` makes a data set of them.

The file of COCO's training set has 860,001 objects in 450 MB; their boxes and classes are 50 MB of numbers, and where
each entry stands in the file another 14. Outlines stay in the file.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from hrnet_keras.datasets.json_lists import Entries, JsonFile, Members
from hrnet_keras.datasets.point_files import Id, as_path, number_of, size_of, value_of, xywh_of
from hrnet_keras.datasets.reading import DataError, FilePath

Size = tuple[int, int]
WORDS = ("image_id", "category_id", "id", "bbox", "area", "iscrowd")  # of an entry of "annotations"


@dataclass
class Columns:
    """What the file says of its objects, in the file's order, before pictures and categories are known.

    Attributes:
        pictures, categories: ids as they stand there.
        ids: of the objects; `None` where an entry has none.
        xywh: float64 `(n, 4)`.
        areas: float64 `(n,)`; NaN where none is stated.
        crowd, ignored: bool `(n,)`.
        has_outlines: whether one of them has an outline.
        begins, ends: int64 `(n,)`, the entry's bytes in the file.
    """

    pictures: list[Id]
    categories: list[Id]
    ids: list[Id | None]
    xywh: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    ignored: np.ndarray
    has_outlines: bool
    begins: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True)
class CocoObjects:
    """A json of objects in COCO's layout.

    Attributes:
        file: the open file.
        pictures: `{id: path}` in the order of the file.
        sizes: `(height, width)` of every picture, or `None` where the file does not state it.
        categories: `{id: name}`, in the order of the ids.
        columns: of the objects.
        annotated: whether the file's objects were read.
    """

    file: JsonFile
    pictures: dict[Id, str]
    sizes: list[Size | None]
    categories: dict[Id, str]
    columns: Columns
    annotated: bool


@dataclass
class _Parts:
    """What is gathered while a file is read."""

    pictures: dict[Id, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    sizes: list[Size | None] = field(default_factory=list)
    categories: dict[Id, str] = field(default_factory=dict)
    columns: list[Columns] = field(default_factory=list)


def read_objects(path: FilePath, remedy: str = "", *, annotated: bool = True) -> CocoObjects:
    """Reads a json file in COCO's layout; of outlines only where they stand.

    Args:
        path: of the file.
        remedy: what to do where it is missing, for the message.
        annotated: whether it has to have annotations.

    Raises:
        DataError: missing or no such json; an entry without what it needs, numbers that are none, two pictures or
            categories of one id. The line names file and entry.
    """
    file = JsonFile(path, remedy)
    members = Members(file)
    parts = _Parts()
    seen = set()
    for key in members:
        if key == "images":
            parts.pictures, parts.names, parts.sizes = {}, set(), []
            for entries in members.entries():
                _add_pictures(entries.values, parts, path)
        elif key == "annotations" and annotated:
            parts.columns = [_columns_of(entries, file) for entries in members.entries()]
        elif key == "categories":
            parts.categories = _categories_of(members.value(), path)
        seen.add(key)
    wanted = ["images", *(["annotations"] if annotated else [])]
    if not seen.issuperset(wanted):
        raise DataError(f"{path}: expected a json in COCO's layout, with the lists {' and '.join(wanted)}")
    return CocoObjects(file, parts.pictures, parts.sizes, parts.categories, _joined(parts.columns), annotated)


def _add_pictures(entries: list[dict], parts: _Parts, path: FilePath) -> None:
    for entry in entries:
        where = f"{path}: images[{len(parts.pictures)}]"
        number = value_of(entry, "id", where)
        name = value_of(entry, "file_name", where)
        if not isinstance(number, (int, str)) or not isinstance(name, str) or not name:
            raise DataError(f"{where}: id {number!r}, file_name {name!r}: expected a number and the path of a picture")
        name = as_path(name)
        if number in parts.pictures or name in parts.names:
            raise DataError(f"{where}: id {number!r}, file_name {name!r}: stands there twice; remove one")
        parts.pictures[number] = name
        parts.names.add(name)
        is_stated = entry.get("height") is not None and entry.get("width") is not None
        parts.sizes.append(size_of(entry, where) if is_stated else None)


def _categories_of(entries: Any, path: FilePath) -> dict[Id, str]:
    """`{id: name}` in the order of the ids: whole numbers by their value, words by the alphabet behind them."""
    if not isinstance(entries, list):
        raise DataError(f"{path}: categories: expected a list of objects with id and name")
    categories: dict[Id, str] = {}
    for i, entry in enumerate(entries):
        where = f"{path}: categories[{i}]"
        number = value_of(entry, "id", where)
        if not isinstance(number, int | str):
            raise DataError(f"{where}: id {number!r}: expected a number")
        if number in categories:
            raise DataError(f"{where}: id {number!r} stands there twice; remove one")
        categories[number] = str(value_of(entry, "name", where))
    order = sorted(categories, key=lambda number: (isinstance(number, str), number))
    return {number: categories[number] for number in order}


def _columns_of(entries: Entries, file: JsonFile) -> Columns:
    values = entries.values
    pictures, categories, ids, boxes, areas, crowd = _words_of(values)
    ignored = np.zeros(len(values), bool)
    if any("ignore" in entry for entry in values):
        ignored[:] = [bool(entry.get("ignore")) for entry in values]
    has_outlines = any(entry.get("segmentation") for entry in values)
    return Columns(
        list(pictures), list(categories), list(ids), _boxes_of(boxes, entries, file), _areas_of(areas, entries, file),
        np.array(list(map(bool, crowd)), bool), ignored, has_outlines, entries.begins, entries.ends,
    )  # fmt: skip


def _words_of(values: list[dict]) -> list[tuple]:
    """What the entries say of each of `WORDS`; `None` where they don't."""
    try:
        return list(zip(*map(itemgetter(*WORDS), values), strict=True))
    except KeyError:
        return [tuple(entry.get(word) for entry in values) for word in WORDS]


def _floats(values: Sequence[Any]) -> np.ndarray | None:
    """Finite numbers as float64 `(n,)`; `None` where others, or words, are among them."""
    if not set(map(type, values)) <= {int, float}:
        return None
    try:
        array = np.fromiter(values, np.float64, len(values))
    except OverflowError:
        return None
    return array if np.isfinite(array).all() else None


def _boxes_of(boxes: Sequence[Any], entries: Entries, file: JsonFile) -> np.ndarray:
    """`bbox` of entries, float64 `(n, 4)`."""
    if set(map(type, boxes)) <= {list} and set(map(len, boxes)) <= {4}:
        flat = _floats(list(itertools.chain.from_iterable(boxes)))
        if flat is not None:
            return flat.reshape(-1, 4)
    return np.array([xywh_of(entry, name_of(entry, file)) for entry in _whole(entries, file)]).reshape(-1, 4)


def _areas_of(areas: Sequence[Any], entries: Entries, file: JsonFile) -> np.ndarray:
    """`area` of entries, float64 `(n,)`; NaN where there is none, or null."""
    array = _floats(areas)
    if array is not None:
        return array
    stated = [
        np.nan if entry.get("area") is None else number_of(entry, "area", name_of(entry, file))
        for entry in entries.values
    ]
    return np.array(stated, np.float64)


def _whole(entries: Entries, file: JsonFile) -> list[dict]:
    """The entries with all that they have."""
    pairs = list(zip(entries.begins.tolist(), entries.ends.tolist(), strict=True))
    return [file.parsed(text) for text in file.ranges(pairs)]


def name_of(entry: Mapping[str, Any], file: JsonFile) -> str:
    """What to call an entry of "annotations" in messages."""
    if entry.get("id") is not None:
        return f"{file.path}: annotation {entry['id']}"
    return f"{file.path}: an annotation of picture {entry.get('image_id')}"


def _joined(parts: list[Columns]) -> Columns:
    def joined(word: str, empty: np.ndarray) -> np.ndarray:
        return np.concatenate([empty, *(getattr(part, word) for part in parts)])

    def listed(word: str) -> list:
        return [value for part in parts for value in getattr(part, word)]

    flags, numbers = np.zeros(0, bool), np.zeros(0)
    return Columns(
        listed("pictures"), listed("categories"), listed("ids"), joined("xywh", np.zeros((0, 4))),
        joined("areas", numbers), joined("crowd", flags), joined("ignored", flags),
        any(part.has_outlines for part in parts),
        joined("begins", numbers.astype(np.int64)), joined("ends", numbers.astype(np.int64)),
    )  # fmt: skip

"""Reading annotation files of points, COCO's json and csv, so that whatever is wrong is said with file and line."""

import csv
import io
import json
import math
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrnet_keras.datasets.reading import DataError, FilePath
from hrnet_keras.datasets.text import read_text

Id = int | str  # of a picture, as the file says it
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class CocoFile:
    """A json in COCO's layout.

    Attributes:
        pictures: `{id: entry of "images"}`, in the order of the file.
        annotations: `{id of a picture: its entries of "annotations"}`, in the order of the file; a list for every
            picture.
        categories: the list `"categories"`.
    """

    pictures: dict[Id, dict]
    annotations: dict[Id, list[dict]]
    categories: list[dict]

    def pairs(self) -> Iterator[tuple[dict, dict]]:
        """Every `(entry of its picture, entry of "annotations")`, picture by picture."""
        for number, picture in self.pictures.items():
            for entry in self.annotations[number]:
                yield picture, entry


def read_json(file: FilePath, remedy: str) -> Any:
    """What a json file holds.

    Args:
        file: its path.
        remedy: what to do where it is missing, for the message.

    Raises:
        DataError: missing, not readable, cut short or no json.
    """
    text = read_text(file, remedy)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: cut short or no json ({error}): unpack or copy it again") from error


def read_coco(file: FilePath, remedy: str, *, annotated: bool = True) -> CocoFile:
    """A json file in COCO's layout, its pictures and annotations brought together.

    Args:
        file, remedy: as in `read_json`.
        annotated: whether it has to have annotations.

    Returns:
        A `CocoFile`.

    Raises:
        DataError: as `read_json`; no lists `images` and `annotations`; an entry without what joins the two, two
            pictures of one id or of one file, an annotation twice or of a picture that is not there.
    """
    whole = read_json(file, remedy)
    lists = ("images", "annotations") if annotated else ("images",)
    if not isinstance(whole, dict) or not all(isinstance(whole.get(key), list) for key in lists):
        raise DataError(f"{file}: expected a json in COCO's layout, with the lists {' and '.join(lists)}")
    pictures = _pictures(whole["images"], file)
    categories: list[dict] = []
    if isinstance(whole.get("categories"), list):
        categories = [entry for entry in whole["categories"] if isinstance(entry, dict)]
    entries = whole["annotations"] if annotated else []
    return CocoFile(pictures, _by_picture(entries, pictures, categories, file), categories)


def _pictures(images: list, file: FilePath) -> dict[Id, dict]:
    """`{id: entry}` of the list "images"."""
    pictures: dict[Id, dict] = {}
    names = set()
    for i, entry in enumerate(images):
        where = f"{file}: images[{i}]"
        number = value_of(entry, "id", where)
        name = value_of(entry, "file_name", where)
        if not isinstance(number, int | str) or not isinstance(name, str) or not name:
            raise DataError(f"{where}: id {number!r}, file_name {name!r}: expected a number and the path of a picture")
        name = as_path(name)
        if number in pictures or name in names:
            raise DataError(f"{where}: id {number!r}, file_name {name!r}: stands there twice; remove one")
        pictures[number] = {**entry, "file_name": name}
        names.add(name)
    return pictures


def _by_picture(
    entries: list, pictures: dict[Id, dict], categories: list[dict], file: FilePath
) -> dict[Id, list[dict]]:
    """`{id of a picture: its entries}` of the list "annotations"."""
    annotations: dict[Id, list[dict]] = {number: [] for number in pictures}
    # Some tools write an id as 7 in one list and as "7" in the other.
    pictures_by_text = {str(number): number for number in pictures}
    categories_by_text = {str(entry.get("id")): entry.get("id") for entry in categories}
    seen = set()
    for i, entry in enumerate(entries):
        where = f"{file}: annotations[{i}]"
        number = value_of(entry, "image_id", where)
        if not isinstance(number, int | str) or str(number) not in pictures_by_text:
            raise DataError(f"{where}: belongs to picture {number!r}, which images does not list")
        number = pictures_by_text[str(number)]
        category = categories_by_text.get(str(entry.get("category_id")), entry.get("category_id"))
        if (number, category) != (entry["image_id"], entry.get("category_id")):
            entry = {**entry, "image_id": number, "category_id": category}
        key = (number, str(entry.get("id")))
        if entry.get("id") is not None and key in seen:
            raise DataError(f"{where}: id {entry['id']!r} stands there twice for one picture; remove one")
        seen.add(key)
        annotations[number].append(entry)
    return annotations


def as_path(name: str) -> str:
    """A picture's path as annotation files name it, written as everywhere here: `sub\\a.jpg`, `./a.jpg` -> `a.jpg`."""
    return posixpath.normpath(name.replace("\\", "/"))


def value_of(entry: Any, key: str, where: str) -> Any:
    """`entry[key]` of a json object; `DataError` where it is no object or lacks it."""
    if not isinstance(entry, dict) or key not in entry:
        raise DataError(f"{where}: has no {key!r}: expected an object with it")
    return entry[key]


def size_of(entry: dict, where: str) -> tuple[int, int]:
    """`(height, width)` that an entry of "images" states; `DataError` where it states none."""
    height = number_of(entry, "height", where)
    width = number_of(entry, "width", where)
    if min(height, width) < 1:
        raise DataError(f"{where}: height {height:g}, width {width:g}: expected a pixel or more")
    return int(height), int(width)


def keypoints_of(entry: Any, count: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Points `(count, 2)` and visible `(count,)` of an entry of "annotations" (x, y, v by turns).

    Points that are not labelled (v is 0) are (0, 0), whatever the file says, be it NaN or null.

    Raises:
        DataError: no `keypoints`, another number of them, or one that is labelled and no finite number.
    """
    values = value_of(entry, "keypoints", where)
    if isinstance(values, list):
        values = cleared(values)
    flat = numbers(values, 3 * count, where, f"keypoints (x, y, v of {count} points)")
    rows = flat.reshape(count, 3)
    points = rows[:, :2]
    visible = rows[:, 2]
    strange = visible[(visible != 0) & (visible != 1) & (visible != 2)]
    if strange.size:
        raise DataError(f"{where}: keypoints hold a v of {strange[0]:g}: expected 0, 1 or 2")
    return np.where(visible[:, None] > 0, points, 0.0), visible.astype(np.int8)


def cleared(values: list) -> list:
    """A list x, y, v, ... in which x and y are 0 wherever v is."""
    values = list(values)
    for i in range(2, len(values), 3):
        if values[i] == 0:
            values[i - 2 : i] = 0, 0
    return values


def has_points(entry: dict) -> bool:
    """Whether an entry of "annotations" has `keypoints` at all: tools leave them out, or write null or []."""
    return bool(entry.get("keypoints"))


def xywh_of(entry: Any, where: str) -> np.ndarray:
    """`bbox` of a json entry: left, top, width, height; float64 `(4,)`."""
    return numbers(value_of(entry, "bbox", where), 4, where, "bbox (left, top, width, height)")


def number_of(entry: Any, key: str, where: str) -> float:
    """`entry[key]` of a json object, a finite number, as float; `DataError` where it is none."""
    value = value_of(entry, key, where)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise DataError(f"{where}: {key} {value!r}: expected a finite number")
    return float(value)


def numbers(values: Any, count: int, where: str, what: str) -> np.ndarray:
    """A json list of numbers as float64 `(count,)`.

    Raises:
        DataError: no list, another length, text or nothing among them, or a number that is not finite.
    """
    if not isinstance(values, list):
        raise DataError(f"{where}: {what}: {values!r} given, expected a list of {count} numbers")
    try:
        array = np.array(values)
    except ValueError:  # a list among numbers
        array = np.array([None])
    if len(values) != count or array.shape != (count,) or array.dtype.kind not in "iuf":
        kind = "" if array.dtype.kind in "iuf" else ", not all numbers"
        raise DataError(f"{where}: {what}: {len(values)} given{kind}, expected {count} numbers")
    if not np.isfinite(array).all():
        raise DataError(f"{where}: {what}: number {np.flatnonzero(~np.isfinite(array))[0] + 1} is not finite")
    return array.astype(np.float64)


def read_csv(file: FilePath, remedy: str) -> list[tuple[int, list[str]]]:
    """Rows of a table: list of `(number of the line, cells)`, without empty lines; cells are stripped text.

    Cells are parted by commas, or by semicolons or tabs where the first line has as many of these; then a decimal
    comma, as such files have in many countries, is turned into a point.

    Args:
        file, remedy: as in `read_text`.

    Raises:
        DataError: as `read_text`; or no csv.
    """
    text = read_text(file, remedy)
    mark = _delimiter_of(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    rows = []
    try:
        for row in reader:
            cells = list(map(str.strip, row))
            if mark != ",":
                cells[1:] = map(_with_point, cells[1:])
            if any(cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise DataError(f"{file}: not a csv ({error}): unpack or copy it again") from error
    return rows


def _delimiter_of(text: str) -> str:
    first = next(filter(str.strip, text.splitlines()), "")
    if ";" in first or "\t" in first:
        return max(";\t,", key=first.count)  # of equal ones the first
    return ","


def _with_point(cell: str) -> str:
    if DECIMAL_COMMA.fullmatch(cell):
        return cell.replace(",", ".")
    return cell


def parsed(cells: Sequence[str], where: str, first: int = 1) -> np.ndarray:
    """Text cells as float64; `first` is the number of the first one's column, for the message.

    Raises:
        DataError: a cell that is no finite number.
    """
    bad = next((i for i, cell in enumerate(cells) if not is_number(cell)), None)
    if bad is not None:
        raise DataError(f"{where}, column {first + bad}: {cells[bad]!r} given, expected a finite number")
    return np.array(cells, np.float64)


def is_number(cell: str) -> bool:
    """Whether text is a finite number, written as people write one: Python itself would read 1_0 as ten."""
    try:
        return "_" not in cell and math.isfinite(float(cell))
    except ValueError:
        return False

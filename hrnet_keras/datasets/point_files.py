"""Reading annotation files of points, COCO's json and csv, so that whatever is wrong is said with file and line."""

import csv
import json
from dataclasses import dataclass

import numpy as np

from hrnet_keras.datasets import DataError


@dataclass(frozen=True)
class CocoFile:
    """A json in COCO's layout.

    Attributes:
        pictures: `{id: entry of "images"}`, in the order of the file.
        annotations: `{id of a picture: its entries of "annotations"}`, in the order of the file; a list for every
            picture.
        categories: the list `"categories"`.
    """

    pictures: dict
    annotations: dict
    categories: list

    def pairs(self):
        """Every `(entry of its picture, entry of "annotations")`, picture by picture."""
        for number, picture in self.pictures.items():
            for entry in self.annotations[number]:
                yield picture, entry


def read_json(file, remedy):
    """What a json file holds.

    Args:
        file: its path.
        remedy: what to do where it is missing, for the message.

    Raises:
        DataError: missing, not readable, cut short or no json.
    """
    try:
        with open(file, encoding="utf-8-sig") as stream:
            return json.load(stream)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file: {remedy}") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:  # ValueError: no json, or no UTF-8
        raise DataError(f"{file}: cut short or no json ({error}): unpack or copy it again") from error


def read_coco(file, remedy, *, annotated=True):
    """A json file in COCO's layout, its pictures and annotations brought together.

    Args:
        file, remedy: as in `read_json`.
        annotated: whether it has to have annotations.

    Returns:
        A `CocoFile`.

    Raises:
        DataError: as `read_json`; no lists `images` and `annotations`; an entry without what joins the two, two
            pictures of one id or of one file, an annotation of a picture that is not there.
    """
    whole = read_json(file, remedy)
    lists = ("images", "annotations") if annotated else ("images",)
    if not isinstance(whole, dict) or not all(isinstance(whole.get(key), list) for key in lists):
        raise DataError(f"{file}: expected a json in COCO's layout, with the lists {' and '.join(lists)}")
    pictures, names = {}, set()
    for i, entry in enumerate(whole["images"]):
        where = f"{file}: images[{i}]"
        number, name = (value_of(entry, key, where) for key in ("id", "file_name"))
        if not isinstance(number, int | str) or not isinstance(name, str) or not name:
            raise DataError(f"{where}: id {number!r}, file_name {name!r}: expected a number and the path of a picture")
        if number in pictures or name in names:
            raise DataError(f"{where}: id {number!r}, file_name {name!r}: stands there twice; remove one")
        pictures[number] = entry
        names.add(name)
    annotations = {number: [] for number in pictures}
    for i, entry in enumerate(whole["annotations"] if annotated else []):
        number = value_of(entry, "image_id", f"{file}: annotations[{i}]")
        if not isinstance(number, int | str) or number not in annotations:
            raise DataError(f"{file}: annotations[{i}]: belongs to picture {number!r}, which images does not list")
        annotations[number].append(entry)
    categories = whole.get("categories")
    named = [entry for entry in categories if isinstance(entry, dict)] if isinstance(categories, list) else []
    return CocoFile(pictures, annotations, named)


def value_of(entry, key, where):
    """`entry[key]` of a json object; `DataError` where it is no object or lacks it."""
    if not isinstance(entry, dict) or key not in entry:
        raise DataError(f"{where}: has no {key!r}: expected an object with it")
    return entry[key]


def size_of(entry, where):
    """`(height, width)` that an entry of "images" states; `DataError` where it states none."""
    height, width = number_of(entry, "height", where), number_of(entry, "width", where)
    if min(height, width) < 1:
        raise DataError(f"{where}: height {height:g}, width {width:g}: expected a pixel or more")
    return int(height), int(width)


def keypoints_of(entry, count, where):
    """Points `(count, 2)` and visible `(count,)` of an entry of "annotations" (x, y, v by turns).

    Points that are not labelled (v is 0) are (0, 0), whatever the file says.

    Raises:
        DataError: no `keypoints`, another number of them, or one that is no finite number.
    """
    flat = numbers(value_of(entry, "keypoints", where), 3 * count, where, f"keypoints (x, y, v of {count} points)")
    points, visible = flat.reshape(count, 3)[:, :2], flat.reshape(count, 3)[:, 2]
    strange = visible[(visible != 0) & (visible != 1) & (visible != 2)]
    if strange.size:
        raise DataError(f"{where}: keypoints hold a v of {strange[0]:g}: expected 0, 1 or 2")
    return np.where(visible[:, None] > 0, points, 0.0), visible.astype(np.int8)


def xywh_of(entry, where):
    """`bbox` of a json entry: left, top, width, height; float64 `(4,)`."""
    return numbers(value_of(entry, "bbox", where), 4, where, "bbox (left, top, width, height)")


def number_of(entry, key, where):
    """`entry[key]` of a json object, a finite number, as float; `DataError` where it is none."""
    value = value_of(entry, key, where)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise DataError(f"{where}: {key} {value!r}: expected a finite number")
    return float(value)


def numbers(values, count, where, what):
    """A json list of numbers as float64 `(count,)`.

    Raises:
        DataError: no list, another length, text or nothing among them, or a number that is not finite.
    """
    if not isinstance(values, list):
        raise DataError(f"{where}: {what}: {values!r} given, expected a list of {count} numbers")
    try:
        found = np.array(values)
    except ValueError:  # a list among numbers
        found = np.array([None])
    if len(values) != count or found.shape != (count,) or found.dtype.kind not in "iuf":
        kind = "" if found.dtype.kind in "iuf" else ", not all numbers"
        raise DataError(f"{where}: {what}: {len(values)} given{kind}, expected {count} numbers")
    if not np.isfinite(found).all():
        raise DataError(f"{where}: {what}: number {np.flatnonzero(~np.isfinite(found))[0] + 1} is not finite")
    return found.astype(np.float64)


def read_csv(file, remedy):
    """Rows of a csv file: list of `(number of the line, cells)`, without empty lines; cells are stripped text.

    Raises:
        DataError: missing, not readable, no text, no csv.
    """
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            return [
                (reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(map(str.strip, cells))
            ]
    except FileNotFoundError:
        raise DataError(f"{file}: no such file: {remedy}") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: not a csv in UTF-8 ({error}): unpack or copy it again") from error


def parsed(cells, where, first=1):
    """Text cells as float64; `first` is the number of the first one's column, for the message.

    Raises:
        DataError: a cell that is no finite number.
    """
    try:
        found = np.array(cells, np.float64)
        bad = np.flatnonzero(~np.isfinite(found))
    except ValueError:
        bad = [i for i, cell in enumerate(cells) if not is_number(cell)]
    if len(bad):
        raise DataError(f"{where}, column {first + bad[0]}: {cells[bad[0]]!r} given, expected a finite number")
    return found


def is_number(cell):
    """Whether text is a finite number."""
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False

"""Your own pictures with points: a csv, a row per face or person, or a json in COCO's layout."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.point_files import (
    CocoFile,
    has_points,
    is_number,
    keypoints_of,
    parsed,
    read_coco,
    read_csv,
    size_of,
    xywh_of,
)
from hrnet_keras.datasets.point_names import named_info, places_of, read_names
from hrnet_keras.datasets.points import (
    Instance,
    PointSet,
    centers_and_scales,
    check_box,
    check_inside,
    point_set,
    rows_of,
    tight_boxes,
)
from hrnet_keras.datasets.reading import FilePath

NOT_LABELLED = {"", "nan", "na"}
BOX = ("box_left", "box_top", "box_right", "box_bottom")


def load(split: str, root: FilePath | None = None, *, partial: bool = False) -> PointSet:
    """Opens pictures with points; they lie in `<root>/images`, or in `<root>` where that is not there.

    The annotations are the first of `<root>/<split>.csv`, `<root>/<split>.json`, `<root>/annotations/<split>.csv`,
    `<root>/annotations/<split>.json`, `<root>/points.csv`, `<root>/points.json`, of which the last two then are every
    split.

    A csv has a row per face or person: the picture's path, then x and y of every point, in pixels from the middle of
    the top left pixel, (0, 0); two empty cells, nan or NA: not labelled. A header may name the points and add a box:
    `file,nose_x,nose_y,left_eye_x,left_eye_y,box_left,box_top,box_right,box_bottom`. A json is in COCO's layout; the
    points' names and lines are those of its one category with keypoints; crowds and entries without a labelled point
    or without `keypoints` are left out. Semicolons or tabs may part the cells of a csv (`point_files.read_csv`).

    Pairs that change places in a mirror are guessed from the names (`left_eye`, `right_eye`). `<root>/points.txt` says
    otherwise, names the points where nothing else does, and gives them one order in all splits
    (`hrnet_keras.datasets.point_names.read_names`).

    Args:
        split: for example `"train"`.
        root: the folder.
        partial: takes the pictures that are there, where not all are.

    Returns:
        A `PointSet` (see `hrnet_keras.datasets.points`): `boxes` are those of the file, or else the tight ones around
        the labelled points; `centers` and `scales` are those of the tight ones (of the file's, where only one point is
        labelled); `sizes` is the longer side of the box.

    Raises:
        DataError: files are missing or broken; file and line are named.
    """
    if root is None:
        raise DataError("points: expected root, the folder that holds images/ and the annotations")
    root = Path(root)
    file = _annotation_file(root, split)
    annotations = _from_csv(file) if file.suffix == ".csv" else _from_json(file)
    info = named_info(root.resolve().name, annotations.names, source=str(root))
    names_file = root / "points.txt"
    if names_file.is_file():
        info = read_names(names_file, info)
        annotations = annotations.in_order(places_of(annotations.names, file, info.point_names, names_file))
    info = replace(info, edges=info.edges or annotations.edges)
    rows = rows_of(annotations.instances)
    for picture, size in annotations.sizes.items():
        rows[picture]["size"] = size
    folder = root
    if (root / "images").is_dir():
        folder = root / "images"
    return point_set(info, split, rows, folder=folder, origin=file, archive="the pictures", partial=partial)


def _annotation_file(root: Path, split: str) -> Path:
    names = (
        f"{split}.csv", f"{split}.json", f"annotations/{split}.csv", f"annotations/{split}.json", "points.csv",
        "points.json",
    )  # fmt: skip
    for name in names:
        if (root / name).is_file():
            return root / name
    raise DataError(f"{root}: holds no annotations of split {split!r}: expected one of {', '.join(names)}")


@dataclass(frozen=True)
class Annotations:
    """What a csv or json says.

    Attributes:
        names: of the points.
        instances: the faces or persons.
        edges: pairs of points to join in drawings.
        sizes: `{picture: (height, width)}` where the file states it.
    """

    names: list[str]
    instances: list[Instance]
    edges: tuple[tuple[int, int], ...] = ()
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def in_order(self, places: list[int]) -> "Annotations":
        """The same with point `i` at `places[i]`; `names` stay."""
        order = np.argsort(places)
        instances = []
        for one in self.instances:
            points = np.asarray(one.points)[order]
            instances.append(replace(one, points=points, visible=np.asarray(one.visible)[order]))
        return replace(self, instances=instances, edges=tuple((places[a], places[b]) for a, b in self.edges))


def _instance(where: str, picture: str, points: np.ndarray, visible: np.ndarray, box: Any = None) -> Instance:
    if not np.any(visible):
        raise DataError(f"{where}: no point is labelled: label one or remove this face or person")
    (tight,) = tight_boxes(points[None], visible[None])
    spread = max(tight[2:] - tight[:2]) > 0
    if box is None and not spread:
        raise DataError(f"{where}: the labelled points are one, which says no size: label more or state a box")
    if box is None:
        box = tight
    else:
        box = np.asarray(box, np.float64)
        check_box(box, where)
    around = tight if spread else box
    (center,), (scale,) = centers_and_scales(around[None])
    return Instance(picture, points, visible, tuple(box), tuple(center), float(scale), float(max(box[2:] - box[:2])))


def _from_csv(file: Path) -> Annotations:
    rows = read_csv(file, "")
    if not rows:
        raise DataError(f"{file}: is empty: expected a row per face or person")
    line, first = rows[0]
    has_box = False
    if not any(map(is_number, first[1:])):
        names, has_box = _names_in_header(first, f"{file}, line {line}")
        rows = rows[1:]
    elif len(first) % 2 == 0 or len(first) < 3:
        raise DataError(
            f"{file}, line {line}: {len(first)} columns: expected a path, then x and y of every point; boxes "
            "need a header"
        )
    else:
        names = [f"point_{i}" for i in range(len(first) // 2)]
    instances = [_csv_row(f"{file}, line {line}", cells, len(names), has_box) for line, cells in rows]
    return Annotations(names, instances)


def _csv_row(where: str, cells: list[str], count: int, has_box: bool) -> Instance:
    expected = 1 + 2 * count + 4 * has_box
    if len(cells) != expected:
        raise DataError(f"{where}: {len(cells)} columns, expected {expected}: cut short, or a comma too many?")
    if not cells[0]:
        raise DataError(f"{where}: names no picture")
    numbers = cells[1 : 2 * count + 1]
    visible = np.ones(count, np.int8)
    for i in range(count):
        if set(map(str.lower, numbers[2 * i : 2 * i + 2])) <= NOT_LABELLED:
            visible[i] = 0
            numbers[2 * i : 2 * i + 2] = "0", "0"
    points = parsed(numbers, where, first=2).reshape(count, 2)
    box = None
    if has_box:
        box = parsed(cells[-4:], where, first=expected - 3)
    return _instance(where, cells[0], points, visible, box)


def _names_in_header(header: list[str], where: str) -> tuple[list[str], bool]:
    """Names of the points, and whether a box follows: `file`, then `<name>_x` and `<name>_y` (or `x0` and `y0`)."""
    has_box = tuple(cell.lower() for cell in header[-4:]) == BOX
    cells = header[1:-4] if has_box else header[1:]
    names = []
    for x, y in zip(cells[::2], [*cells[1::2], "nothing"], strict=False):
        name = _name_of_x(x)
        if not name or y.lower() not in (f"{x[:-2]}_y".lower(), f"y{x[1:]}".lower()):
            raise DataError(
                f"{where}: columns {x!r} and {y!r} in the header: expected name_x and name_y of every point, then "
                f"nothing or {', '.join(BOX)}"
            )
        names.append(name)
    if not names or len(set(names)) < len(names):
        raise DataError(f"{where}: the header names {len(set(names))} different points: expected every point once")
    return names, has_box


def _name_of_x(column: str) -> str:
    """`nose` of the column `nose_x`, `point_0` of `x0` and `x_0`; empty where it is no x."""
    if column.lower().endswith("_x"):
        return column[:-2]
    if column.lower().startswith("x"):
        return f"point_{column[1:].lstrip('_')}"
    return ""


def _from_json(file: Path) -> Annotations:
    whole = read_coco(file, "")
    category = _category(whole, file)
    entries = list(whole.pairs())
    if category is None:
        names = _counted_names(entries)
        edges: tuple[tuple[int, int], ...] = ()
    else:
        names = list(map(str, category["keypoints"]))
        if len(set(names)) < len(names):
            raise DataError(f"{file}: a category names a keypoint twice: expected {len(names)} different names")
        entries = [pair for pair in entries if pair[1].get("category_id") == category.get("id")]
        edges = _edges(category.get("skeleton") or [], len(names), file)
    sizes: dict[str, tuple[int, int]] = {}
    instances = []
    for picture, entry in entries:
        instance = _json_instance(picture, entry, len(names), file)
        if instance is None:
            continue
        instances.append(instance)
        if "height" in picture and "width" in picture:
            size = size_of(picture, f"{file}: picture {picture['id']}")
            check_inside(instance.box, size, f"{file}: annotation {entry.get('id')}")
            sizes[picture["file_name"]] = size
    return Annotations(names, instances, edges, sizes)


def _category(whole: CocoFile, file: Path) -> dict | None:
    """The one category with keypoints, `None` where there is none."""
    categories = []
    for entry in whole.categories:
        if isinstance(entry.get("keypoints"), list) and entry["keypoints"]:
            categories.append(entry)
    if len(categories) > 1:
        raise DataError(f"{file}: {len(categories)} categories have keypoints: expected one; split the file")
    return next(iter(categories), None)


def _counted_names(entries: list[tuple[dict, dict]]) -> list[str]:
    """Names for as many points as the longest entry has."""
    longest = 0
    for _, entry in entries:
        if isinstance(entry.get("keypoints"), list):
            longest = max(longest, len(entry["keypoints"]))
    # COCO's "keypoints" are x, y and a flag of every point.
    return [f"point_{i}" for i in range(longest // 3)]


def _json_instance(picture: dict, entry: dict, count: int, file: Path) -> Instance | None:
    """The face or person of an entry of "annotations"; `None` for crowds, and where no point is labelled."""
    if entry.get("iscrowd") or not has_points(entry):
        return None
    where = f"{file}: annotation {entry.get('id')}"
    points, visible = keypoints_of(entry, count, where)
    if not visible.any():
        return None
    return _instance(where, picture["file_name"], points, visible, _json_box(entry, where))


def _json_box(entry: dict, where: str) -> tuple[float, float, float, float] | None:
    if entry.get("bbox") in (None, []):
        return None
    left, top, wide, high = xywh_of(entry, where)
    return left, top, left + wide, top + high


def _edges(skeleton: Any, count: int, file: Path) -> tuple[tuple[int, int], ...]:
    """COCO counts the points of a skeleton from 1."""
    try:
        edges = tuple((int(a) - 1, int(b) - 1) for a, b in skeleton)
    except (TypeError, ValueError, OverflowError):
        edges = ((-1, -1),)
    if any(not 0 <= i < count for edge in edges for i in edge):
        raise DataError(
            f"{file}: the category's skeleton: expected pairs of 1 to {count}, its keypoints counted from 1"
        )
    return edges

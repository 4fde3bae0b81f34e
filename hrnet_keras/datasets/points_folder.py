"""Your own pictures with points: a csv, a row per face or person, or a json in COCO's layout."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.point_files import (
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
    centers_and_scales,
    check_box,
    check_inside,
    point_set,
    rows_of,
    tight_boxes,
)

NOT_LABELLED = {"", "nan", "na"}
BOX = ("box_left", "box_top", "box_right", "box_bottom")


def load(split, root=None, *, partial=False):
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
    places = (f"{split}.csv", f"{split}.json", f"annotations/{split}.csv", f"annotations/{split}.json", "points.csv",
              "points.json")  # fmt: skip
    file = next((root / place for place in places if (root / place).is_file()), None)
    if file is None:
        raise DataError(f"{root}: holds no annotations of split {split!r}: expected one of {', '.join(places)}")
    names, edges, instances, sizes = (_from_csv if file.suffix == ".csv" else _from_json)(file)
    info, names_file = named_info(root.resolve().name, names, source=str(root)), root / "points.txt"
    if names_file.is_file():
        info = read_names(names_file, info)
        places = places_of(names, file, info.point_names, names_file)
        instances = _in_order(instances, places)
        edges = info.edges or tuple((places[a], places[b]) for a, b in edges)
    info = replace(info, edges=edges)
    rows = {picture: row | sizes.get(picture, {}) for picture, row in rows_of(instances).items()}
    folder = root / "images" if (root / "images").is_dir() else root
    return point_set(info, split, rows, folder=folder, origin=file, archive="the pictures", partial=partial)


def _in_order(instances, places):
    """Instances whose point `i` stands at `places[i]`."""
    order = np.argsort(places)
    return [replace(one, points=one.points[order], visible=one.visible[order]) for one in instances]


def _instance(where, picture, points, visible, box=None):
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
    (center,), (scale,) = centers_and_scales((tight if spread else box)[None])
    return Instance(picture, points, visible, tuple(box), tuple(center), float(scale), float(max(box[2:] - box[:2])))


def _from_csv(file):
    rows = read_csv(file, "")
    if not rows:
        raise DataError(f"{file}: is empty: expected a row per face or person")
    first = rows[0][1]
    names, boxed = None, False
    if not any(map(is_number, first[1:])):
        names, boxed = _names_in_header(first, f"{file}, line {rows[0][0]}")
        rows = rows[1:]
    elif len(first) % 2 == 0 or len(first) < 3:
        raise DataError(
            f"{file}, line {rows[0][0]}: {len(first)} columns: expected a path, then x and y of every point; boxes "
            "need a header"
        )
    count = len(names) if names else len(first) // 2
    instances = [_csv_row(f"{file}, line {line}", cells, count, boxed) for line, cells in rows]
    return names or [f"point_{i}" for i in range(count)], (), instances, {}


def _csv_row(where, cells, count, boxed):
    expected = 1 + 2 * count + 4 * boxed
    if len(cells) != expected:
        raise DataError(f"{where}: {len(cells)} columns, expected {expected}: cut short, or a comma too many?")
    if not cells[0]:
        raise DataError(f"{where}: names no picture")
    pairs = list(zip(cells[1 : 2 * count + 1 : 2], cells[2 : 2 * count + 2 : 2], strict=True))
    visible = np.array([not {x.lower(), y.lower()} <= NOT_LABELLED for x, y in pairs], np.int8)
    filled = [cell if seen else "0" for pair, seen in zip(pairs, visible, strict=True) for cell in pair]
    points = parsed(filled, where, first=2).reshape(count, 2)
    box = parsed(cells[-4:], where, first=expected - 3) if boxed else None
    return _instance(where, cells[0], points, visible, box)


def _names_in_header(header, where):
    """Names of the points, and whether a box follows: `file`, then `<name>_x` and `<name>_y` (or `x0` and `y0`)."""
    boxed = tuple(cell.lower() for cell in header[-4:]) == BOX
    cells = header[1:-4] if boxed else header[1:]
    names = []
    for x, y in zip(cells[::2], [*cells[1::2], "nothing"], strict=False):
        name = x[:-2] if x.lower().endswith("_x") else f"point_{x[1:].lstrip('_')}" if x.lower()[:1] == "x" else ""
        if not name or y.lower() not in (f"{x[:-2]}_y".lower(), f"y{x[1:]}".lower()):
            raise DataError(
                f"{where}: columns {x!r} and {y!r} in the header: expected name_x and name_y of every point, then "
                f"nothing or {', '.join(BOX)}"
            )
        names.append(name)
    if not names or len(set(names)) < len(names):
        raise DataError(f"{where}: the header names {len(set(names))} different points: expected every point once")
    return names, boxed


def _from_json(file):
    whole = read_coco(file, "")
    kinds = [kind for kind in whole.categories if isinstance(kind.get("keypoints"), list) and kind["keypoints"]]
    if len(kinds) > 1:
        raise DataError(f"{file}: {len(kinds)} categories have keypoints: expected one; split the file")
    entries = list(whole.pairs())
    if kinds:
        names = [str(name) for name in kinds[0]["keypoints"]]
        if len(set(names)) < len(names):
            raise DataError(f"{file}: a category names a keypoint twice: expected {len(names)} different names")
        entries = [(picture, entry) for picture, entry in entries if entry.get("category_id") == kinds[0].get("id")]
    else:
        lists = [entry["keypoints"] for _, entry in entries if isinstance(entry.get("keypoints"), list)]
        names = [f"point_{i}" for i in range(max(map(len, lists), default=0) // 3)]
    edges = _edges(kinds[0].get("skeleton") or [], len(names), file) if kinds else ()
    sizes, instances = {}, []
    for picture, entry in entries:
        if entry.get("iscrowd") or not has_points(entry):
            continue
        where = f"{file}: annotation {entry.get('id')}"
        points, visible = keypoints_of(entry, len(names), where)
        if not visible.any():
            continue
        box = _json_box(entry, where)
        instance = _instance(where, picture["file_name"], points, visible, box)
        if "height" in picture and "width" in picture:
            size = size_of(picture, f"{file}: picture {picture['id']}")
            check_inside(instance.box, size, where)
            sizes[picture["file_name"]] = {"size": size}
        instances.append(instance)
    return names, edges, instances, sizes


def _json_box(entry, where):
    if entry.get("bbox") in (None, []):
        return None
    left, top, wide, high = xywh_of(entry, where)
    return left, top, left + wide, top + high


def _edges(skeleton, count, file):
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

"""COCO's persons, 17 points (Lin et al., ECCV 2014): training and scoring on annotated boxes or on a detector's.

COCO's pictures have several kinds of annotations, and each is a data set of its own: this one is `coco_keypoints`;
boxes and masks of its 80 classes of objects are `coco_detection`. `coco` opens this one, as recipes of pose say
it. What a model states in `ModelInfo.data` is the pictures, `"coco"`, which is therefore `info.name` here: its task
says which annotations are meant.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo
from hrnet_keras.datasets.matching import difference, places_in
from hrnet_keras.datasets.point_files import (
    CocoFile,
    has_points,
    keypoints_of,
    number_of,
    read_coco,
    read_json,
    size_of,
    value_of,
    xywh_of,
)
from hrnet_keras.datasets.points import PointSet, Rows, check_box, check_inside, point_set
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath

COUNT = 17
PERSON = 1  # category id in detection files
FILES = {"train": ("person_keypoints_train2017.json", "train2017"),
         "val": ("person_keypoints_val2017.json", "val2017"),
         "test-dev": ("image_info_test-dev2017.json", "test2017")}  # fmt: skip
ANNOTATIONS = {"test-dev": "image_info_test2017.zip"}  # where it is not the archive of the others
# Of every point, for object keypoint similarity: COCO's evaluator, `setKpParams`.
SIGMAS = tuple(s / 1000 for s in (26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89))
Box = tuple[float, float, float, float]
UPPER_BODY = tuple(range(11))  # the official pose repository's reader


def load(
    split: str, root: FilePath | None = None, *, detections: FilePath | None = None, score_threshold: float = 0.0,
    lineage: str = "official", partial: bool = False,
) -> PointSet:  # fmt: skip
    """Opens COCO 2017 at `<root>/annotations/*.json` and `<root>/images/{train2017,val2017,test2017}` (or these folders
    in `<root>` itself), as its archives unpack.

    Annotated persons are those that the official code trains on: no crowds, at least one labelled point, and a box
    that keeps some area when it is cut at the picture's edge; a person without `keypoints` has no labelled point.
    Pictures and persons come in the order of the json; pictures without persons to train on or to score are left
    out. With `detections` every picture is there, those with a box first, in the order of that file, which also is
    the order of the boxes; the boxes are used as they are.

    Args:
        split: `"train"`, `"val"` or `"test-dev"`, which has no annotations and needs `detections`.
        root: the folder.
        detections: json with a detector's boxes of the split's pictures: a list of `{image_id, category_id, bbox
            (left, top, width, height), score}`, of which category 1, persons, is taken; a path, or one within `root`.
            Published scores are those of `COCO_val2017_detections_AP_H_56_person.json`.
        score_threshold: least score of a detection.
        lineage: how boxes are cut: `"official"` takes a pixel off their width and height, `"mmlab"` doesn't.
        partial: takes the pictures that are there, where not all are, and ignores detections in pictures that the json
            does not list.

    Returns:
        A `PointSet` (see `hrnet_keras.datasets.points`) of examples that also have `image_id`, `size` and `truth`, the
        picture's entries of `"annotations"` for COCO's evaluator (`_scorable`; not for test-dev). With
        `detections`: `boxes` and `box_scores` `(n,)`, and no `points`.

    Raises:
        ValueError: unknown split or lineage; `DataError` where files are missing or broken.

    Source: boxes, order and what is left out as in the official pose repository's reader; mmpose's for its lineage.
    """
    root = _root_of(split, root, detections, lineage)
    name, pictures = FILES[split]
    file = root / "annotations" / name
    archive = ANNOTATIONS.get(split, "annotations_trainval2017.zip")
    truth = read_coco(file, f"unpack {archive} of cocodataset.org in {root}", annotated=split != "test-dev")
    if detections is None:
        rows = _annotated(truth, file, lineage)
    else:
        rows = _detected(truth, file, _detections_file(detections, root), score_threshold, partial)
    if split == "test-dev":
        for row in rows.values():
            del row["truth"]
    folder = root / "images" / pictures
    if not folder.is_dir() and (root / pictures).is_dir():
        folder = root / pictures
    archive = f"{pictures}.zip of cocodataset.org"
    return point_set(coco_info(), split, rows, folder=folder, origin=file, archive=archive, partial=partial)


def _root_of(split: str, root: FilePath | None, detections: FilePath | None, lineage: str) -> Path:
    """The folder; raises where the options don't go together."""
    if split not in FILES:
        raise ValueError(f"split={split!r}: coco has {', '.join(map(repr, FILES))}")
    if lineage not in ("official", "mmlab"):
        raise ValueError(f"lineage={lineage!r}: expected 'official' or 'mmlab'")
    if root is None:
        raise DataError("coco is read from files: expected root, the folder that holds annotations/ and images/")
    if split == "test-dev" and detections is None:
        raise DataError("coco 'test-dev' has no annotations: expected the option detections, a file of persons' boxes")
    return Path(root)


def coco_info() -> DatasetInfo:
    """The `DatasetInfo` of COCO's persons."""
    return replace(
        published_info("coco"), class_names=(), metric="oks", sigmas=SIGMAS, upper_body=UPPER_BODY,
        source="cocodataset.org", terms="annotations CC BY 4.0, pictures: Flickr's terms of use",
    )  # fmt: skip


def cut_box(xywh: Any, size: tuple[int, int], lineage: str) -> Box | None:
    """A person's box, cut at the edge of a picture, xyxy; `None` where too little is left to train on.

    Args:
        xywh: left, top, width, height.
        size: `(height, width)` of the picture.
        lineage: `"official"` or `"mmlab"`.

    Source: the official pose repository's reader; mmpose's base of data sets in COCO's layout.
    """
    x, y, wide, high = map(float, xywh)
    last_row, last_column = (side - 1.0 for side in size)
    left = max(x, 0.0)
    top = max(y, 0.0)
    # mmpose cuts at the last pixel of a side and asks for an area.
    if lineage == "mmlab":
        box = (
            min(left, last_column),
            min(top, last_row),
            min(max(x + wide, 0.0), last_column),
            min(max(y + high, 0.0), last_row),
        )
        has_area = box[2] > box[0] and box[3] > box[1]
    else:
        # The official reader takes a pixel off width and height, and keeps what is left without any.
        box = (left, top, min(last_column, left + max(0.0, wide - 1)), min(last_row, top + max(0.0, high - 1)))
        has_area = box[2] >= box[0] and box[3] >= box[1]
    return box if has_area else None


def _with_area(box: Box) -> Box:
    """The official cut may leave a box without width or height; a thousandth of a pixel keeps it a box."""
    left, top, right, bottom = box
    return left, top, max(right, left + 1e-3), max(bottom, top + 1e-3)


def _picture(truth: CocoFile, number: int | str, file: Path) -> dict[str, Any]:
    ids = _person_ids(truth)
    entries = [_scorable(one, one.get("category_id") in ids, file) for one in truth.annotations[number]]
    size = size_of(truth.pictures[number], f"{file}: picture {number}")
    return {"image_id": number, "size": size, "truth": entries}


def _person_ids(truth: CocoFile) -> set[Any]:
    """Ids of the categories of persons, in upper or lower case."""
    return {entry.get("id") for entry in truth.categories if str(entry.get("name")).strip().lower() == "person"}


def _scorable(entry: dict, is_person: bool, file: Path) -> dict:
    """An entry of "annotations" as COCO's evaluator can read it; as it stands there, but for two things.

    A person without `keypoints` gets zeros, so that the evaluator ignores whoever is found there, as it does with
    COCO's own unlabelled persons; x and y that are no numbers become 0 where a point is not labelled.
    """
    if not has_points(entry):
        rest = {key: value for key, value in entry.items() if key != "keypoints"}
        is_placed = isinstance(entry.get("bbox"), list) and len(entry["bbox"]) == 4
        if is_person and is_placed:
            return {**rest, "keypoints": [0] * 3 * COUNT, "num_keypoints": 0}
        return rest
    try:
        if math.isfinite(sum(entry["keypoints"])):
            return entry
    except TypeError:  # null among numbers, or no list
        pass
    points, visible = keypoints_of(entry, COUNT, f"{file}: annotation {entry.get('id')}")
    return {**entry, "keypoints": np.concatenate([points, visible[:, None]], axis=1).ravel().tolist()}


def _check_names(category: dict, file: Path) -> None:
    """Raises `DataError` where the json names other keypoints than COCO's, or in another order."""
    if not isinstance(category.get("keypoints"), list):
        return
    names = [str(name) for name in category["keypoints"]]
    expected = published_info("coco").point_names
    if names and places_in(names, expected) != list(range(COUNT)):
        raise DataError(
            f"{file}: {difference('its category person', names, 'coco', expected)}: expected COCO's "
            "keypoints in COCO's order; data set 'points' reads any"
        )


@dataclass(frozen=True)
class _Person:
    """A person with a labelled point; `box` is `None` where it is not fit for training."""

    points: np.ndarray
    visible: np.ndarray
    box: Box | None


def _annotated(truth: CocoFile, file: Path, lineage: str) -> Rows:
    """Rows of all pictures that have a person with a labelled point."""
    ids = _person_ids(truth)
    if not ids:
        names = ", ".join(repr(entry.get("name")) for entry in truth.categories) or "none"
        raise DataError(f"{file}: has no category 'person' (its categories: {names}): expected COCO's own annotations")
    for category in truth.categories:
        if category.get("id") in ids:
            _check_names(category, file)
    rows = {}
    for number, entry in truth.pictures.items():
        picture = _picture(truth, number, file)
        persons = _persons(picture, ids, lineage, file)
        if persons:
            rows[entry["file_name"]] = picture | _columns([person for person in persons if person.box])
    return rows


def _persons(picture: dict[str, Any], ids: set[Any], lineage: str, file: Path) -> list[_Person]:
    """Those of a picture that have a labelled point: no crowds, no objects of other categories."""
    persons = []
    for entry in picture["truth"]:
        if entry.get("category_id") not in ids or entry.get("iscrowd") or not has_points(entry):
            continue
        where = f"{file}: annotation {entry.get('id')}"
        points, visible = keypoints_of(entry, COUNT, where)
        if visible.any():
            persons.append(_Person(points, visible, _trained_box(entry, picture["size"], lineage, where)))
    return persons


def _trained_box(entry: dict, size: tuple[int, int], lineage: str, where: str) -> Box | None:
    xywh = xywh_of(entry, where)
    if number_of(entry, "area", where) <= 0 or min(xywh[2:]) <= 0:
        return None
    return cut_box(xywh, size, lineage)


def _columns(persons: list[_Person]) -> dict[str, np.ndarray]:
    """`points`, `visible` and `boxes` of persons who have a box; there may be none."""
    return {
        "points": np.array([person.points for person in persons], np.float64).reshape(-1, COUNT, 2),
        "visible": np.array([person.visible for person in persons], np.int8).reshape(-1, COUNT),
        "boxes": np.array([_with_area(person.box) for person in persons if person.box], np.float64).reshape(-1, 4),
    }


def _detections_file(detections: FilePath, root: Path) -> Path:
    """The file of detections, as given or within `root`."""
    inside = root / detections
    if inside.is_file() and not Path(detections).is_file():
        return inside
    return Path(detections)


def _detected(truth: CocoFile, origin: Path, file: Path, threshold: float, partial: bool) -> Rows:
    """Rows of all pictures: those with detections first, in the order of that file."""
    persons: dict[int | str, list[tuple[float, ...]]] = {}
    for number, box, score in _detections(truth, file, threshold, partial):
        persons.setdefault(number, []).append((*box, score))
    for number in truth.pictures:
        persons.setdefault(number, [])
    rows = {}
    for number, boxes in persons.items():
        values = np.array(boxes, np.float64).reshape(-1, 5)
        picture = _picture(truth, number, origin)
        rows[truth.pictures[number]["file_name"]] = picture | {"boxes": values[:, :4], "box_scores": values[:, 4]}
    return rows


def _detections(truth: CocoFile, file: Path, threshold: float, partial: bool) -> Iterator[tuple[int | str, Box, float]]:
    """Picture, box xyxy and score of every person found with at least the score `threshold`."""
    whole = read_json(file, "expected a list of detections, such as COCO_val2017_detections_AP_H_56_person.json")
    if not isinstance(whole, list):
        raise DataError(f"{file}: expected a list of detections with image_id, category_id, bbox and score")
    for i, entry in enumerate(whole):
        where = f"{file}: detection [{i}]"
        number = value_of(entry, "image_id", where)
        category = value_of(entry, "category_id", where)
        score = number_of(entry, "score", where)
        # Files of detections hold all of COCO's categories under their original ids.
        if category != PERSON or score < threshold:
            continue
        if isinstance(number, int) and number in truth.pictures:
            left, top, wide, high = xywh_of(entry, where)
            box = (left, top, left + wide, top + high)
            check_box(box, where)
            check_inside(box, size_of(truth.pictures[number], where), where)
            yield number, box, score
        elif not partial:
            raise DataError(f"{where}: in picture {number!r}, which the annotations do not list: is it of this split?")

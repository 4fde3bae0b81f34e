"""COCO's persons, 17 points (Lin et al., ECCV 2014): training and scoring on annotated boxes or on a detector's."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.matching import difference, places_in
from hrnet_keras.datasets.point_files import (
    has_points,
    keypoints_of,
    number_of,
    read_coco,
    read_json,
    size_of,
    value_of,
    xywh_of,
)
from hrnet_keras.datasets.points import check_box, check_inside, point_set
from hrnet_keras.datasets.published import published

COUNT = 17
PERSON = 1  # category id in detection files
FILES = {"train": ("person_keypoints_train2017.json", "train2017"),
         "val": ("person_keypoints_val2017.json", "val2017"),
         "test-dev": ("image_info_test-dev2017.json", "test2017")}  # fmt: skip
# Of every point, for object keypoint similarity: COCO's evaluator, `setKpParams`.
SIGMAS = tuple(s / 1000 for s in (26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89))
UPPER_BODY = tuple(range(11))  # the official pose repository's reader


def load(split, root=None, *, detections=None, score_threshold=0.0, lineage="official", partial=False):
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
    if split not in FILES:
        raise ValueError(f"split={split!r}: coco has {', '.join(map(repr, FILES))}")
    if lineage not in ("official", "mmlab"):
        raise ValueError(f"lineage={lineage!r}: expected 'official' or 'mmlab'")
    if root is None:
        raise DataError("coco is read from files: expected root, the folder that holds annotations/ and images/")
    if split == "test-dev" and detections is None:
        raise DataError("coco 'test-dev' has no annotations: expected the option detections, a file of persons' boxes")
    file = Path(root) / "annotations" / FILES[split][0]
    archive = "annotations_trainval2017.zip" if split != "test-dev" else "image_info_test2017.zip"
    truth = read_coco(file, f"unpack {archive} of cocodataset.org in {root}", annotated=split != "test-dev")
    if detections is None:
        rows = _annotated(truth, file, lineage)
    else:
        rows = _detected(truth, file, _found(detections, root), score_threshold, partial)
    if split == "test-dev":
        rows = {name: {key: value for key, value in row.items() if key != "truth"} for name, row in rows.items()}
    folder = Path(root) / "images" / FILES[split][1]
    if not folder.is_dir() and (Path(root) / FILES[split][1]).is_dir():
        folder = Path(root) / FILES[split][1]
    archive = f"{FILES[split][1]}.zip of cocodataset.org"
    return point_set(coco_info(), split, rows, folder=folder, origin=file, archive=archive, partial=partial)


def coco_info():
    """The `DatasetInfo` of COCO's persons."""
    return replace(
        published("coco"), class_names=(), metric="oks", sigmas=SIGMAS, upper_body=UPPER_BODY,
        source="cocodataset.org", terms="annotations CC BY 4.0, pictures: Flickr's terms of use",
    )  # fmt: skip


def cut_box(xywh, size, lineage):
    """A person's box, cut at the edge of a picture, xyxy; `None` where too little is left to train on.

    Args:
        xywh: left, top, width, height.
        size: `(height, width)` of the picture.
        lineage: `"official"` or `"mmlab"`.

    Source: the official pose repository's reader; mmpose's base of data sets in COCO's layout.
    """
    (x, y, wide, high), (height, width) = (map(float, xywh), size)
    left, top = max(x, 0.0), max(y, 0.0)
    if lineage == "mmlab":
        left, top = min(left, width - 1.0), min(top, height - 1.0)
        right, bottom = min(max(x + wide, 0.0), width - 1.0), min(max(y + high, 0.0), height - 1.0)
        return (left, top, right, bottom) if right > left and bottom > top else None
    right, bottom = min(width - 1.0, left + max(0.0, wide - 1)), min(height - 1.0, top + max(0.0, high - 1))
    return (left, top, right, bottom) if right >= left and bottom >= top else None


def _with_area(box):
    """The official cut may leave a box without width or height; a thousandth of a pixel keeps it a box."""
    left, top, right, bottom = box
    return left, top, max(right, left + 1e-3), max(bottom, top + 1e-3)


def _picture(truth, number, file):
    ids = _person_ids(truth)
    entries = [_scorable(one, one.get("category_id") in ids, file) for one in truth.annotations[number]]
    size = size_of(truth.pictures[number], f"{file}: picture {number}")
    return {"image_id": number, "size": size, "truth": entries}


def _person_ids(truth):
    """Ids of the categories of persons, in upper or lower case."""
    return {entry.get("id") for entry in truth.categories if str(entry.get("name")).strip().lower() == "person"}


def _scorable(entry, is_person, file):
    """An entry of "annotations" as COCO's evaluator can read it; as it stands there, but for two things.

    A person without `keypoints` gets zeros, so that the evaluator ignores whoever is found there, as it does with
    COCO's own unlabelled persons; x and y that are no numbers become 0 where a point is not labelled.
    """
    if not has_points(entry):
        rest = {key: value for key, value in entry.items() if key != "keypoints"}
        is_placed = isinstance(entry.get("bbox"), list) and len(entry["bbox"]) == 4
        return {**rest, "keypoints": [0] * 3 * COUNT, "num_keypoints": 0} if is_person and is_placed else rest
    try:
        if math.isfinite(sum(entry["keypoints"])):
            return entry
    except TypeError:  # null among numbers, or no list
        pass
    points, visible = keypoints_of(entry, COUNT, f"{file}: annotation {entry.get('id')}")
    return {**entry, "keypoints": np.concatenate([points, visible[:, None]], axis=1).ravel().tolist()}


def _check_names(category, file):
    """Raises `DataError` where the json names other keypoints than COCO's, or in another order."""
    named, expected = category.get("keypoints"), published("coco").point_names
    if isinstance(named, list) and named and places_in(list(map(str, named)), expected) != list(range(COUNT)):
        raise DataError(
            f"{file}: {difference('its category person', list(map(str, named)), 'coco', expected)}: expected COCO's "
            "keypoints in COCO's order; data set 'points' reads any"
        )


def _annotated(truth, file, lineage):
    ids = _person_ids(truth)
    if not ids:
        names = ", ".join(repr(entry.get("name")) for entry in truth.categories) or "none"
        raise DataError(f"{file}: has no category 'person' (its categories: {names}): expected COCO's own annotations")
    for entry in truth.categories:
        if entry.get("id") in ids:
            _check_names(entry, file)
    rows = {}
    for number, entry in truth.pictures.items():
        picture = _picture(truth, number, file)
        known = [one for one in picture["truth"] if one.get("category_id") in ids and not one.get("iscrowd")]
        known = [one for one in known if has_points(one)]
        persons = [_person(one, picture["size"], lineage, f"{file}: annotation {one.get('id')}") for one in known]
        labelled = [person for person in persons if person[1].any()]
        kept = [person for person in labelled if person[2] is not None]
        if labelled:
            rows[entry["file_name"]] = picture | {
                "points": np.array([points for points, _, _ in kept], np.float64).reshape(-1, COUNT, 2),
                "visible": np.array([visible for _, visible, _ in kept], np.int8).reshape(-1, COUNT),
                "boxes": np.array([_with_area(box) for _, _, box in kept], np.float64).reshape(-1, 4),
            }
    return rows


def _person(entry, size, lineage, where):
    """Points, visible, and the box, `None` where it is not fit for training, of an entry of "annotations"."""
    points, visible = keypoints_of(entry, COUNT, where)
    if not visible.any():
        return points, visible, None
    xywh = xywh_of(entry, where)
    box = cut_box(xywh, size, lineage)
    return points, visible, box if number_of(entry, "area", where) > 0 and min(xywh[2:]) > 0 else None


def _found(detections, root):
    """The file of detections, as given or within `root`."""
    inside = Path(root) / detections
    return inside if inside.is_file() and not Path(detections).is_file() else Path(detections)


def _detected(truth, origin, file, threshold, partial):
    """Rows of all pictures: those with detections first, in the order of that file."""
    found = {}
    for number, box, score in _detections(truth, file, threshold, partial):
        found.setdefault(number, []).append((*box, score))
    rows = {}
    for number in (*found, *(number for number in truth.pictures if number not in found)):
        values = np.array(found.get(number, []), np.float64).reshape(-1, 5)
        picture = _picture(truth, number, origin)
        rows[truth.pictures[number]["file_name"]] = picture | {"boxes": values[:, :4], "box_scores": values[:, 4]}
    return rows


def _detections(truth, file, threshold, partial):
    """Picture, box xyxy and score of every person found with at least the score `threshold`."""
    whole = read_json(file, "expected a list of detections, such as COCO_val2017_detections_AP_H_56_person.json")
    if not isinstance(whole, list):
        raise DataError(f"{file}: expected a list of detections with image_id, category_id, bbox and score")
    for i, one in enumerate(whole):
        where = f"{file}: detection [{i}]"
        number, category = value_of(one, "image_id", where), value_of(one, "category_id", where)
        score = number_of(one, "score", where)
        if category != PERSON or score < threshold:
            continue
        if isinstance(number, int) and number in truth.pictures:
            left, top, wide, high = xywh_of(one, where)
            box = (left, top, left + wide, top + high)
            check_box(box, where)
            check_inside(box, size_of(truth.pictures[number], where), where)
            yield number, box, score
        elif not partial:
            raise DataError(f"{where}: in picture {number!r}, which the annotations do not list: is it of this split?")

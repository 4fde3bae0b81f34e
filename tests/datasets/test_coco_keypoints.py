"""COCO's persons: the official databases from the sample json and detections, and what is refused."""

import json
import shutil

import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.coco_keypoints import cut_box
from hrnet_keras.datasets.published import published
from tests import point_files

DETECTIONS = "test_coco_det_AP_H_56.json"


def center_and_scale(box, ratio=192 / 256):
    """The official rule, written out: the box widened to the input's ratio, over 200 pixels, times 1.25."""
    x, y, wide, high = box[0], box[1], box[2] - box[0], box[3] - box[1]
    center = (x + wide * 0.5, y + high * 0.5)
    if wide > ratio * high:
        high = wide / ratio
    elif wide < ratio * high:
        wide = high * ratio
    return center, (1.25 * wide / 200, 1.25 * high / 200)


@pytest.fixture
def root(samples, tmp_path):
    return point_files.from_samples(samples, "coco", tmp_path / "coco")


def test_both_names_open_the_same_set(root):
    one, other = (datasets.load(name, "val", root) for name in ("coco_keypoints", "coco"))
    assert one.names == other.names and one.info == other.info and one.info.name == "coco"


def flat(found):
    """Picture file, annotations and row of every person, in the order of the set."""
    for i, row in enumerate(map(found.annotations, range(len(found)))):
        for j in range(len(row["boxes"])):
            yield found.image_files[i].name, row, j


def test_annotated_persons_are_the_official_database(golden, root):
    _, arrays = golden("pose", "pose_sample_coco_db")
    found = datasets.load("coco", "val", root)
    persons = list(flat(found))
    assert [name for name, _, _ in persons] == arrays["out_image"].tolist()
    for k, (_, row, j) in enumerate(persons):
        center, scale = center_and_scale(row["boxes"][j])
        np.testing.assert_allclose(center, arrays["out_center"][k], rtol=1e-5)
        np.testing.assert_allclose(scale, arrays["out_scale"][k], rtol=1e-5)
        np.testing.assert_array_equal(row["points"][j], arrays["out_joints"][k, :, :2])
        np.testing.assert_array_equal(np.minimum(row["visible"][j], 1), arrays["out_joints_vis"][k, :, 0])


def test_detections_are_the_official_database(golden, samples, root):
    _, arrays = golden("pose", "pose_sample_coco_det_db")
    found = datasets.load("coco", "val", root, detections=samples / "mmpose" / "coco" / DETECTIONS)
    boxes = list(flat(found))
    assert [name for name, _, _ in boxes] == arrays["out_image"].tolist()
    for k, (_, row, j) in enumerate(boxes):
        center, scale = center_and_scale(row["boxes"][j])
        np.testing.assert_allclose(center, arrays["out_center"][k], rtol=1e-5)
        np.testing.assert_allclose(scale, arrays["out_scale"][k], rtol=1e-5)
        np.testing.assert_allclose(row["box_scores"][j], arrays["out_score"][k], rtol=1e-12)
    assert "points" not in found.annotations(0)


def test_examples_carry_what_coco_s_evaluator_needs(samples, root):
    whole = json.loads((samples / "mmpose" / "coco" / "test_coco.json").read_text())
    files = {one["id"]: one for one in whole["images"]}
    for options in ({}, {"detections": samples / "mmpose" / "coco" / DETECTIONS}):
        found = datasets.load("coco", "val", root, **options)
        assert len(found) == 4
        for i in range(4):
            example = found.example(i)
            entry = files[example["image_id"]]
            assert example["name"] == f"{entry['id']:012}" and example["size"] == example["image"].shape[:2]
            assert example["size"] == (entry["height"], entry["width"])
            assert example["truth"] == [one for one in whole["annotations"] if one["image_id"] == entry["id"]]
    assert sum(len(row["truth"]) for row in found.rows) == 14


def test_the_info(root):
    info = datasets.load("coco", "val", root).info
    assert info.metric == "oks" and len(info.point_names) == 17 and info.class_names == ()
    from pycocotools.cocoeval import Params

    np.testing.assert_allclose(info.sigmas, Params("keypoints").kpt_oks_sigmas)
    upper = {info.point_names[i] for i in info.upper_body}
    assert {name for name in info.point_names if name not in upper} == {
        f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")
    }


def test_a_threshold_and_a_relative_path(samples, root):
    shutil.copyfile(samples / "mmpose" / "coco" / DETECTIONS, root / "dets.json")
    scores = np.array([one["score"] for one in json.loads((root / "dets.json").read_text())])
    found = datasets.load("coco", "val", root, detections="dets.json", score_threshold=0.2)
    assert sum(len(row["boxes"]) for row in found.rows) == (scores >= 0.2).sum() < len(scores)
    edge = float(np.sort(scores)[-5])
    found = datasets.load("coco", "val", root, detections="dets.json", score_threshold=edge)
    assert sum(len(row["boxes"]) for row in found.rows) == 5, "as good as the threshold is good enough"
    found = datasets.load("coco", "val", root, detections="dets.json", score_threshold=2.0)
    assert len(found) == 4 and found.annotations(0)["boxes"].shape == (0, 4), "every picture is to be scored"


def rewrite(root, change, file="annotations/person_keypoints_val2017.json"):
    whole = json.loads((root / file).read_text())
    change(whole)
    (root / file).write_text(json.dumps(whole))


@pytest.mark.parametrize("keypoints", [None, [], "absent"])
@pytest.mark.parametrize("crowd", [0, 1])
def test_a_person_without_keypoints_is_left_out_and_scored_by_nobody(root, keypoints, crowd):
    """COCO's evaluator ignores who is found where a person has no labelled point: zeros say so."""
    extra = {"id": 1, "image_id": 785, "category_id": 1, "bbox": [5, 5, 20, 20], "area": 400, "iscrowd": crowd}
    extra |= {} if keypoints == "absent" else {"keypoints": keypoints}
    before = datasets.load("coco", "val", root)
    rewrite(root, lambda whole: whole["annotations"].append(extra))
    for options in ({}, {"detections": str(point_files.write_json(root / "d.json", []))}):
        found = datasets.load("coco", "val", root, **options)
        truth = found.annotations(found.names.index("000000000785"))["truth"][-1]
        assert truth == extra | {"keypoints": [0] * 51, "num_keypoints": 0}
    for one, other in zip(before.rows, datasets.load("coco", "val", root).rows, strict=True):
        np.testing.assert_array_equal(one["boxes"], other["boxes"])
        np.testing.assert_array_equal(one["points"], other["points"])


def test_what_is_no_number_where_nothing_is_labelled(root):
    before = datasets.load("coco", "val", root)

    def change(whole):
        for one in whole["annotations"]:
            for j in range(0, 51, 3):
                if not one["keypoints"][j + 2]:
                    one["keypoints"][j : j + 2] = [None, float("nan")]

    rewrite(root, change)
    for one, other in zip(before.rows, datasets.load("coco", "val", root).rows, strict=True):
        np.testing.assert_array_equal(one["points"], other["points"])
        assert [entry["keypoints"] for entry in one["truth"]] == [entry["keypoints"] for entry in other["truth"]]


def test_boxes_of_no_size_are_not_trained_on(root):
    def change(whole):
        whole["annotations"][0]["bbox"], whole["annotations"][1]["bbox"] = [0, 0, 0, 0], [50, 60, -20, 30]
        whole["categories"][0]["name"] = "Person"

    rewrite(root, change)
    assert sum(len(row["boxes"]) for row in datasets.load("coco", "val", root).rows) == 12 - 2


def test_who_is_left_out(root):
    """Of picture 197388 with five persons: a crowd, an animal, one without points, one off the edge, an empty area."""

    def change(whole):
        people = [one for one in whole["annotations"] if one["image_id"] == 197388]
        people[0]["iscrowd"] = 1
        people[1]["category_id"] = 18
        people[2]["keypoints"] = [0] * 51
        people[3]["bbox"] = [700, 10, 30, 40]
        people[4]["area"] = 0
        whole["categories"].append({"id": 18, "name": "dog"})

    rewrite(root, change)
    found = datasets.load("coco", "val", root)
    row = found.annotations(found.names.index("000000197388"))
    assert row["boxes"].shape == (0, 4) and row["points"].shape == (0, 17, 2) and row["visible"].shape == (0, 17)
    assert len(row["truth"]) == 5, "two of them are still scored"
    assert sum(len(row["boxes"]) for row in found.rows) == 12 - 5

    def nobody(whole):
        for one in whole["annotations"]:
            if one["image_id"] == 785:
                one["keypoints"] = [0] * 51

    rewrite(root, nobody)
    assert "000000000785" not in datasets.load("coco", "val", root).names


@pytest.mark.parametrize(
    ("xywh", "official", "mmlab"),
    [
        ((10, 20, 30, 40), (10, 20, 39, 59), (10, 20, 40, 60)),
        ((-5, -6, 30, 40), (0, 0, 29, 39), (0, 0, 25, 34)),  # the official rule keeps the width
        ((90, 70, 30, 40), (90, 70, 99, 79), (90, 70, 99, 79)),
        ((99, 79, 0.5, 0.5), (99, 79, 99, 79), None),
        ((100, 10, 5, 5), None, None),
        ((10.25, 20.5, 8.5, 4.25), (10.25, 20.5, 17.75, 23.75), (10.25, 20.5, 18.75, 24.75)),
        ((-50, 10, 20, 20), (0, 10, 19, 29), None),
    ],
)
def test_boxes_are_cut_at_the_edge(xywh, official, mmlab):
    assert cut_box(xywh, (80, 100), "official") == official
    assert cut_box(xywh, (80, 100), "mmlab") == mmlab


def test_the_lineage_chooses_the_cut(root):
    one, other = (datasets.load("coco", "val", root, lineage=lineage) for lineage in ("official", "mmlab"))
    for a, b in zip(one.rows, other.rows, strict=True):
        np.testing.assert_allclose(b["boxes"][:, :2], a["boxes"][:, :2])
        assert ((b["boxes"][:, 2:] - a["boxes"][:, 2:] <= 1 + 1e-9) & (b["boxes"][:, 2:] >= a["boxes"][:, 2:])).all()
        assert len(a["boxes"]) == len(b["boxes"])


def test_pictures_lie_in_images_or_beside_annotations(root):
    (root / "images" / "val2017").rename(root / "val2017")
    assert datasets.load("coco", "val", root).example(0)["image"].shape == (425, 640, 3)
    (root / "val2017" / "000000000785.jpg").unlink()
    with pytest.raises(
        DataError, match=r"val2017/000000000785\.jpg: no such file, .* unpack val2017\.zip of cocodataset"
    ):
        datasets.load("coco", "val", root)
    assert len(datasets.load("coco", "val", root, partial=True)) == 3


def test_test_dev_has_boxes_only(samples, root):
    def change(whole):
        del whole["annotations"]

    shutil.copyfile(root / "annotations" / "person_keypoints_val2017.json", root / "annotations" / "all.json")
    rewrite(root, change, "annotations/all.json")
    (root / "annotations" / "all.json").rename(root / "annotations" / "image_info_test-dev2017.json")
    (root / "images" / "val2017").rename(root / "images" / "test2017")
    with pytest.raises(DataError, match="'test-dev' has no annotations: expected the option detections"):
        datasets.load("coco", "test-dev", root)
    found = datasets.load("coco", "test-dev", root, detections=samples / "mmpose" / "coco" / DETECTIONS)
    assert len(found) == 4 and "truth" not in found.annotations(0) and len(found.annotations(0)["boxes"]) == 22


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda whole: whole["categories"][0].update(name="dog"), r"no category 'person' \(its categories: 'dog'\)"),
        (lambda whole: whole["annotations"][0]["keypoints"].pop(), "keypoints .*: 50 given, expected 51 numb"),
        (lambda whole: whole["annotations"][0].pop("area"), "annotation 442619: has no 'area'"),
        (lambda whole: whole["annotations"][0].update(bbox=[1, 2, None, 3]), "bbox .*: 4 given, not all numbers"),
        (lambda whole: whole["annotations"][0].update(bbox=[1, 2, float("nan"), 3]), "bbox .* number 3 is not finite"),
        (lambda whole: whole["images"][0].pop("height"), "picture 785: has no 'height'"),
        (lambda whole: whole.update(annotations=[]), "annotates nothing of use"),
    ],
)  # fmt: skip
def test_bad_annotations_are_named(root, change, complaint):
    rewrite(root, change)
    with pytest.raises(DataError, match=r"person_keypoints_val2017\.json: .*" + complaint):
        datasets.load("coco", "val", root)


DETECTION = {"image_id": 785, "category_id": 1, "bbox": [10, 20, 30, 40], "score": 0.5}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image_id": 12}, r"detection \[1\]: in picture 12, which the annotations do not list: is it of this split\?"),
        ({"bbox": [10, 20, 0, 40]}, r"detection \[1\]: the box 10, 20, 10, 60 .* has no area"),
        ({"bbox": [1000, 20, 30, 40]}, r"detection \[1\]: the box .* lies outside the picture of 640x425"),
        ({"bbox": [1, 2, 3]}, r"detection \[1\]: bbox .*: 3 given, expected 4"),
        ({"score": "high"}, r"detection \[1\]: score 'high': expected a finite number"),
        ({"score": float("nan")}, r"detection \[1\]: score nan: expected a finite number"),
    ],
)
def test_bad_detections_are_named(root, change, complaint):
    file = point_files.write_json(root / "dets.json", [DETECTION, DETECTION | change])
    with pytest.raises(DataError, match=r"dets\.json: " + complaint):
        datasets.load("coco", "val", root, detections=file)


def test_detections_of_other_kinds(root):
    whole = [DETECTION | {"category_id": 2, "bbox": [0, 0, 0, 0]}, DETECTION, DETECTION | {"image_id": 3}]
    file = point_files.write_json(root / "dets.json", whole)
    found = datasets.load("coco", "val", root, detections=file, partial=True)
    assert [len(row["boxes"]) for row in found.rows] == [1, 0, 0, 0]
    point_files.write_json(file, {"annotations": []})
    with pytest.raises(DataError, match=r"dets\.json: expected a list of detections"):
        datasets.load("coco", "val", root, detections=file)
    with pytest.raises(
        DataError, match=r"none\.json: no such file: expected a list of detections, such as COCO_val2017"
    ):
        datasets.load("coco", "val", root, detections="none.json")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"train2017\.json: no such file: unpack annotations_trainval2017\.zip of coco"):
        datasets.load("coco", "train", tmp_path)
    with pytest.raises(ValueError, match="split='val2017': coco has 'train', 'val', 'test-dev'"):
        datasets.load("coco", "val2017", tmp_path)
    with pytest.raises(ValueError, match="lineage='mm': expected 'official' or 'mmlab'"):
        datasets.load("coco", "val", tmp_path, lineage="mm")


def test_a_person_whose_box_the_cut_leaves_without_width_still_has_a_box(root):
    file = root / "annotations" / "person_keypoints_val2017.json"
    data = json.loads(file.read_text())
    person = next(one for one in data["annotations"] if not one["iscrowd"] and any(one["keypoints"][2::3]))
    person["bbox"][2] = 1  # the official cut takes a pixel off
    file.write_text(json.dumps(data))
    boxes = np.concatenate([row["boxes"] for row in datasets.load("coco", "val", root).rows])
    widths = boxes[:, 2] - boxes[:, 0]
    assert 0 < widths.min() < 0.01 and len(boxes) == 12


def test_keypoints_in_another_order_are_refused(tmp_path):
    """A file that says its own order would be read in COCO's without a word."""
    names = published("coco").point_names
    for order in (names, names[::-1]):
        root = tmp_path / order[0]
        point_files.coco(root, {"val": 1})
        file = root / "annotations" / "person_keypoints_val2017.json"
        whole = json.loads(file.read_text())
        whole["categories"][0]["keypoints"] = list(order)
        file.write_text(json.dumps(whole))
        if order == names:
            assert len(datasets.load("coco", "val", root)) == 1
            continue
        with pytest.raises(DataError, match=r"its category person has right_ankle, .* expected COCO"):
            datasets.load("coco", "val", root)

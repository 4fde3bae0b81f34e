"""COCO's objects: mmdet's reading of annotations, masks as pycocotools draws them, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError, masks_of
from tests.coco_files import coco


@pytest.fixture
def case(golden):
    return golden("detection", "det_coco")[0]


@pytest.fixture
def root(case, tmp_path):
    return written(tmp_path, case["annotations"])


def written(root, whole, split="val"):
    """A folder of COCO with black pictures."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / f"{split}2017").mkdir(exist_ok=True)
    (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(whole))
    for picture in whole["images"]:
        Image.new("RGB", (picture["width"], picture["height"])).save(root / f"{split}2017" / picture["file_name"])
    return root


def test_the_test_set_is_mmdet_s(case, root):
    """mmdet cuts boxes at the picture's edge when it resizes them, we when we read them."""
    found = datasets.load("coco_detection", "val", root)
    assert len(found) == len(case["parsed_test"])
    for i, expected in enumerate(case["parsed_test"]):
        row = found.annotations(i)
        height, width = row["size"]
        boxes = np.clip(np.array(expected["boxes"], np.float64).reshape(-1, 4), 0, [width, height, width, height])
        np.testing.assert_array_equal(row["boxes"], boxes)
        assert row["image_id"] == expected["img_id"] and row["labels"].tolist() == expected["labels"]
        assert row["crowd"].astype(int).tolist() == expected["ignore"]
        assert row["boxes"].dtype == np.float64 and row["labels"].dtype == np.int32 and row["crowd"].dtype == bool


def test_the_training_set_is_mmdet_s(case, root):
    found = datasets.load("coco_detection", "val", root)
    trained = [found.annotations(i)["image_id"] for i in range(len(found)) if found.trainable(i)]
    assert trained == [expected["img_id"] for expected in case["parsed_train"]]


def test_examples_carry_what_coco_s_evaluator_needs(case, root):
    entries = case["annotations"]["annotations"]
    found = datasets.load("coco_detection", "val", root)
    for i in range(len(found)):
        example = found.example(i)
        assert example["size"] == found.size(i) == example["image"].shape[:2]
        assert example["truth"] == [entry for entry in entries if entry["image_id"] == example["image_id"]]


def test_masks_are_pycocotools(case, root):
    from pycocotools.coco import COCO

    whole = COCO()
    whole.dataset = case["annotations"]
    whole.createIndex()
    found = datasets.load("coco_detection", "val", root)
    count = 0
    for i in range(len(found)):
        row = found.annotations(i)
        masks = masks_of(row)
        assert masks.shape == (len(row["boxes"]), *row["size"]) and masks.dtype == bool
        kept = [entry for entry in row["truth"] if entry["segmentation"] in row["segments"]]
        areas = {entry["area"] for entry in kept}
        for mask, area in zip(masks, row["areas"], strict=True):
            assert area in areas
            same = [entry for entry in kept if np.array_equal(whole.annToMask(entry), mask)]
            assert same
            count += 1
    assert count == sum(len(expected["boxes"]) for expected in case["parsed_test"])


def test_the_info(root):
    info = datasets.load("coco_detection", "val", root).info
    assert info.name == "coco" and len(info.class_names) == 80 and len(set(info.palette)) == 80
    assert info.category_ids[:12] == (*range(1, 12), 13) and info.category_ids[-1] == 90
    assert info.class_names[11] == "stop sign"


def test_classes_go_by_their_names(case, tmp_path):
    whole = case["annotations"]
    moved = {entry["id"]: 500 - entry["id"] for entry in whole["categories"]}
    renamed = [{"id": moved[entry["id"]], "name": entry["name"].upper()} for entry in whole["categories"]]
    objects = [{**entry, "category_id": moved[entry["category_id"]]} for entry in whole["annotations"]]
    other = {**whole, "categories": renamed[::-1], "annotations": objects}
    found = datasets.load("coco_detection", "val", written(tmp_path, other))
    for i, expected in enumerate(case["parsed_test"]):
        assert found.annotations(i)["labels"].tolist() == expected["labels"]
    assert found.info.category_ids[11] == moved[13]


def test_the_test_pictures_have_no_objects(tmp_path):
    images = [{"id": 5, "file_name": "a.jpg", "width": 40, "height": 30}]
    (tmp_path / "image_info_test-dev2017.json").write_text(json.dumps({"images": images, "categories": []}))
    (tmp_path / "images" / "test2017").mkdir(parents=True)
    Image.new("RGB", (40, 30)).save(tmp_path / "images" / "test2017" / "a.jpg")
    found = datasets.load("coco_detection", "test-dev", tmp_path)
    row = found.annotations(0)
    assert row["image_id"] == 5 and row["boxes"].shape == (0, 4) and "truth" not in row and not found.trainable(0)
    assert len(found.info.category_ids) == 80


def test_another_json_and_another_folder(case, root):
    (root / "annotations" / "instances_val2017.json").rename(root / "mine.json")
    (root / "val2017").rename(root / "pictures")
    found = datasets.load("coco_detection", "train", root, annotations="mine.json", images="pictures")
    assert len(found.example(1)["boxes"]) == 4


BAD = {
    "annotation 1: belongs to picture 999, which images does not": lambda whole, first: first.update(image_id=999),
    "annotation 1: belongs to category 99, which categories does not": lambda whole, first: first.update(
        category_id=99
    ),
    "annotation 1: has no 'category_id'": lambda whole, first: first.pop("category_id"),
    "annotation 1: bbox .*not finite": lambda whole, first: first.update(bbox=[1, 2, float("nan"), 4]),
    "annotation 1: bbox .*not all numbers": lambda whole, first: first.update(bbox=["1", "2", "3", "4"]),
    "annotation 1: has no 'bbox'": lambda whole, first: first.pop("bbox"),
    "annotation 1: bbox .*3 given, expected 4": lambda whole, first: first.update(bbox=[1, 2, 3]),
    "annotation 1: area 'big': expected a finite number": lambda whole, first: first.update(area="big"),
    "annotation 2 of picture 100 stands there twice": lambda whole, first: first.update(id=2),
    "id 100, file_name .*: stands there twice": lambda whole, first: whole["images"].append(whole["images"][0]),
    "id 1 stands there twice": lambda whole, first: whole["categories"].append({"id": 1, "name": "x"}),
    "with the lists images and annotations": lambda whole, first: whole.pop("annotations"),
    "expected a list of objects": lambda whole, first: whole.update(annotations={}),
    "something else than objects": lambda whole, first: whole["annotations"].append([1]),
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_refused(case, tmp_path, message):
    whole = json.loads(json.dumps(case["annotations"]))
    BAD[message](whole, whole["annotations"][0])
    with pytest.raises(DataError, match=message):
        datasets.load("coco_detection", "val", written(tmp_path, whole))


def test_a_file_without_coco_s_classes(case, tmp_path):
    whole = {**case["annotations"], "categories": [{"id": 1, "name": "raccoon"}], "annotations": []}
    with pytest.raises(DataError, match=r"none of COCO's 80 categories \(its own: raccoon\).*'boxes' reads any"):
        datasets.load("coco_detection", "val", written(tmp_path, whole))


def test_a_picture_of_another_size(root):
    Image.new("RGB", (90, 120)).save(root / "val2017" / "000000000100.jpg")
    found = datasets.load("coco_detection", "val", root)
    for check in (datasets.validate, datasets.validate_headers):
        ((name, reason),) = check(found)
        assert name == "000000000100" and "the picture is 90x120" in reason and "says 120x90" in reason
    assert len(datasets.exclude(found, datasets.validate(found))) == len(found) - 1


def test_missing_pictures(root):
    (root / "val2017" / "000000000100.jpg").unlink()
    with pytest.raises(DataError, match=r"000000000100.jpg: no such file, one of 1 absent .*option partial: true"):
        datasets.load("coco_detection", "val", root)
    found = datasets.load("coco_detection", "val", root, partial=True)
    assert [found.annotations(i)["image_id"] for i in range(2)] == [107, 114]
    assert found.subset([1, 0]).annotations(0)["image_id"] == 114


def test_a_file_that_changes_behind_our_back(root):
    found = datasets.load("coco_detection", "val", root)
    file = root / "annotations" / "instances_val2017.json"
    file.write_text(" " + file.read_text())
    with pytest.raises(DataError, match="has changed since it was opened"):
        found.annotations(0)


def test_semantic_maps_lie_beside_the_pictures(tmp_path):
    dataset = datasets.load("coco_detection", "val", coco(tmp_path, {"val": 2}))
    labels = dataset.subset([1]).label_map(0)
    assert labels.shape == dataset.size(1) and labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 181, 255}
    first, second = dataset.label_files
    Image.new("L", (30, 20)).save(first)
    with pytest.raises(DataError, match=r"000000000001.png: 30x20, its picture is 160x120 \(width x height\)"):
        dataset.label_map(0)
    second.unlink()
    with pytest.raises(DataError, match=r"000000000002\.png"):
        dataset.label_map(1)

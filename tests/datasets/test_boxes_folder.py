"""Your own boxes: files as tools write them, and what is said about wrong ones."""

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from tests.box_files import BOXES, SIZES, coco_json, pictures, write_json


@pytest.fixture
def root(tmp_path):
    pictures(tmp_path / "images")
    write_json(tmp_path / "train.json", coco_json())
    return tmp_path


def rewrite(root, change):
    whole = coco_json()
    change(whole)
    write_json(root / "train.json", whole)


def check(found, labels=((0, 1), (), (0,))):
    assert len(found) == 3
    for i, (name, boxes) in enumerate(BOXES.items()):
        example = found.example(i)
        np.testing.assert_allclose(example["boxes"], np.array(boxes, np.float64).reshape(-1, 4), atol=1e-9)
        assert tuple(example["labels"]) == labels[i] and example["size"] == SIZES[name][::-1]
        assert example["crowd"].tolist() == [False] * len(boxes)
        assert found.trainable(i) == bool(boxes)


def test_a_json(root):
    found = datasets.load("boxes", "train", root)
    check(found)
    assert found.info.class_names == ("dog", "cat") and found.info.category_ids == (3, 7)
    assert found.names == ("a", "b", "sub/c") and found.info.name == root.name
    assert "segments" not in found.annotations(0)
    truth = [entry for i in range(3) for entry in found.annotations(i)["truth"]]
    assert [entry["id"] for entry in truth] == [1, 2, 3], "COCO's evaluator takes an id of 0 for none"


@pytest.mark.parametrize(
    ("json_file", "folder"),
    [
        ("annotations/train.json", "images"), ("annotations/instances_train.json", "images/train"),
        ("train/_annotations.coco.json", "train"), ("annotations/instances_train2017.json", "train2017"),
        ("instances_training.json", "."),
    ],
)  # fmt: skip
def test_places(tmp_path, json_file, folder):
    pictures(tmp_path / folder)
    write_json(tmp_path / json_file, coco_json())
    check(datasets.load("boxes", "train", tmp_path))
    with pytest.raises(DataError, match=r"holds no json of split 'val': expected val.json, .*json files here: "):
        datasets.load("boxes", "val", tmp_path)


def test_options_name_places(root):
    (root / "train.json").rename(root / "mine.json")
    (root / "images").rename(root / "pictures")
    check(datasets.load("boxes", "train", root, annotations="mine.json", images=root / "pictures", format="coco"))
    (root / "mine.json").rename(root / "mine_val.json")
    check(datasets.load("boxes", "val", root, annotations="mine_{split}.json", images="pictures"))


def test_classes_are_chosen_by_name(root):
    found = datasets.load("boxes", "train", root, class_names=["Cat", "dog"])
    check(found, ((1, 0), (), (1,)))
    assert found.info.class_names == ("Cat", "dog") and found.info.category_ids == (7, 3)
    alone = datasets.load("boxes", "train", root, class_names=["cat"])
    assert [len(alone.annotations(i)["labels"]) for i in range(3)] == [1, 0, 0] and not alone.trainable(2)
    with pytest.raises(DataError, match="has no class 'cow': class_names expects some of dog, cat"):
        datasets.load("boxes", "train", root, class_names=["cow"])


def test_sizes_that_the_file_leaves_out(root):
    def change(whole):
        for picture in whole["images"]:
            del picture["width"]

    rewrite(root, change)
    check(datasets.load("boxes", "train", root))


def test_what_tools_leave_out(root):
    def change(whole):
        for entry in whole["annotations"]:
            del entry["area"], entry["iscrowd"], entry["id"]
            entry["image_id"] = str(entry["image_id"])

    rewrite(root, change)
    found = datasets.load("boxes", "train", root)
    check(found)
    assert found.annotations(0)["areas"].tolist() == [3000, 75.5 * 35]
    truth = [entry for i in range(3) for entry in found.annotations(i)["truth"]]
    assert [entry["id"] for entry in truth] == [1, 2, 3]
    assert [entry["image_id"] for entry in truth] == [0, 0, 2] and {entry["iscrowd"] for entry in truth} == {0}


def boxes_of(change):
    def changed(whole):
        sizes = {picture["id"]: (picture["width"], picture["height"]) for picture in whole["images"]}
        for entry in whole["annotations"]:
            entry["bbox"] = change(*entry["bbox"], *sizes[entry["image_id"]])

    return changed


def first(**values):
    return lambda whole: whole["annotations"][0].update(values)


MESSAGES = {
    "all 3 boxes lie between 0 and 1, as shares": boxes_of(lambda x, y, w, h, W, H: [x / W, y / H, w / W, h / H]),  # noqa: N803
    "1 of 3 boxes don't fit .* as left, top, width, height, and nearly all do as left, top, right, bottom": boxes_of(
        lambda x, y, w, h, *_: [x, y, x + w, y + h]
    ),
    r"annotation 0: the box 10, 10, 10, 80 \(left, top, right, bottom\) has no area: correct it": first(
        bbox=[10, 10, 0, 70]
    ),
    r"annotation 0: the box 200, 10, 260, 80 .* lies outside the picture of 96x80 \(width x height\): correct": first(
        bbox=[200, 10, 60, 70]
    ),
    "annotation 0: bbox .*number 2 is not finite": first(bbox=[10, float("inf"), 60, 70]),
    "annotation 0: belongs to category 99, which categories does not list": first(category_id=99),
    "annotation 0: belongs to picture 99, which images does not list": first(image_id=99),
    "annotation 1 of picture 0 stands there twice; remove one": first(id=1),
    "has no categories: expected a list of them": lambda whole: (
        whole["categories"].clear(),
        whole["annotations"].clear(),
    ),
    "two categories are called 'cat'": lambda whole: whole["categories"][1].update(name="cat"),
    "names no pictures": lambda whole: (whole["images"].clear(), whole["annotations"].clear()),
    "d.jpg: no such file, one of 1 absent of the 3 pictures that train.json names": lambda whole: whole["images"][
        0
    ].update(file_name="d.jpg"),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_what_is_refused(root, message):
    rewrite(root, MESSAGES[message])
    with pytest.raises(DataError, match=message):
        datasets.load("boxes", "train", root)


OUTLINES = {
    "annotation 0: a polygon of 4 numbers: expected x and y of three points or more": [[10, 10, 60, 70]],
    "annotation 0: a polygon with something else than finite numbers": [[10, 10, 60, 70, "5", 6]],
    r"annotation 0: run lengths of 80x96, the picture is 96x80 \(width": {
        "size": [96, 80],
        "counts": [7680],
    },
    "annotation 0: run lengths that don't add up to the 7680 pixels": {"size": [80, 96], "counts": [7000]},
    "annotation 0: run lengths that don't add": {"size": [80, 96], "counts": "0"},
    "0: run lengths that don't add": {"size": [80, 96], "counts": "abc def"},
    "annotation 0: segmentation: expected run lengths with 'size'": {"size": [80, 96]},
    "annotation 0: segmentation: expected a list of polygons": [10, 10, 60, 70, 5, 6],
}


@pytest.mark.parametrize("message", OUTLINES)
def test_outlines_that_are_none(root, message):
    rewrite(root, first(segmentation=OUTLINES[message]))
    found = datasets.load("boxes", "train", root)
    for look in (datasets.validate, datasets.validate_headers):
        assert [name for name, _ in look(found)] == ["a"]
    with pytest.raises(DataError, match=message):
        found.example(0)
    assert len(datasets.exclude(found, datasets.validate(found))) == 2


def test_outlines(root):
    rewrite(root, first(segmentation=[[10, 10, 60, 10, 60, 70, 10, 70]]))
    found = datasets.load("boxes", "train", root)
    masks = datasets.masks_of(found.example(0))
    assert masks.shape == (2, 80, 96) and masks[0].sum() == 3000 and not masks[1].any()
    assert datasets.masks_of(found.annotations(1)).shape == (0, 120, 64)
    with pytest.raises(DataError, match=r"^a: has boxes alone: expected outlines"):
        rewrite(root, lambda whole: None)
        datasets.masks_of(datasets.load("boxes", "train", root).example(0))


def test_a_part_is_held_out(samples):
    root = samples / "raccoon"
    whole = datasets.load("boxes", "train", root)
    assert len(whole) == 160 and whole.info.class_names == ("raccoon",) and not datasets.validate_headers(whole)
    train, val = (datasets.load("boxes", split, root, val_part=30) for split in ("train", "val"))
    assert len(val) == 30 and sorted(train.names + val.names) == sorted(whole.names)
    share = datasets.load("boxes", "val", root, val_part=0.2)
    assert 20 <= len(share) <= 45
    assert datasets.load("boxes", "val", root, val_part=0.2).names == share.names


def test_a_part_does_not_move_when_pictures_come(root):
    few = datasets.load("boxes", "val", root, val_part=0.7).names
    rewrite(root, lambda whole: whole["images"].append({"id": 9, "file_name": "d.jpg", "width": 40, "height": 40}))
    Image.new("RGB", (40, 40)).save(root / "images" / "d.jpg")
    more = datasets.load("boxes", "val", root, val_part=0.7).names
    assert [name for name in more if name != "d"] == list(few)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "cocoa"}, "format='cocoa': expected 'coco', 'voc', 'yolo', 'csv'"),
        ({"val_part": 0}, "val_part=0: expected a share below 1, or a number of pictures"),
        ({"val_part": 3}, "val_part=3: leaves nothing of 3 pictures for split 'train'"),
        ({"root": None}, "boxes: expected root"),
        ({"root": "nowhere"}, "nowhere: no such folder"),
    ],
)
def test_options_that_are_none(root, options, message):
    options = {"root": root, **options}
    with pytest.raises(ValueError, match=message):
        datasets.load("boxes", "train", **options)


def test_classes_that_never_occur_are_told(root, samples):
    found = datasets.load("boxes", "train", root)
    assert found.count_labels().tolist() == [2, 1] and datasets.label_report(found) == []
    (line,) = datasets.label_report(found.subset([1, 2]))
    assert line == "split 'train': all that is labelled in its 2 pictures is 'dog': no other class is learnt"
    assert datasets.label_report(found.subset([1])) == ["split 'train': nothing is labelled in its 1 pictures"]
    assert datasets.label_report(datasets.load("boxes", "train", samples / "raccoon")) == []
    assert datasets.label_report(datasets.load("toytown", "val", annotation="objects", count=2)) == []

"""Cityscapes, LIP and PASCAL-Context in the layout of their archives: reading, label codings, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError, cityscapes, pascal_context
from hrnet_keras.datasets.masks import resized, to_short_side
from tests import published_sets


def test_cityscapes_ids_are_those_of_the_official_code(golden):
    meta, arrays = golden("segmentation", "seg_cityscapes_labels")
    for value, expected in meta["label_id_to_train_id"].items():
        if int(value) >= 0:
            assert cityscapes.IDS[int(value)] == expected
    table = np.array([cityscapes.IDS.get(value, 255) for value in range(256)])
    ids = arrays["in_label_ids"]
    np.testing.assert_array_equal(np.where(ids < 0, 255, table[ids]), arrays["out_train_ids"])
    found = cityscapes.to_label_ids(arrays["out_train_ids"].astype(np.uint8))
    np.testing.assert_array_equal(found, arrays["out_back_to_ids"])
    assert list(cityscapes.CLASS_WEIGHTS) == meta["class_weights"]


def test_cityscapes(tmp_path):
    root = published_sets.cityscapes(tmp_path, {"train": 2, "val": 1})
    found = datasets.load("cityscapes", "train", root, partial=True)
    assert len(found) == 2 and found.names[0] == "aachen_000000_000019"
    stored = np.asarray(Image.open(found.label_files[0]))
    example = found.example(0)
    assert (example["label_map"][stored == 7] == 0).all() and (example["label_map"][stored == 33] == 18).all()
    assert (example["label_map"][stored == 0] == 255).all() and example["label_map"].max() == 255
    assert len(datasets.load("cityscapes", "trainval", root, partial=True)) == 3
    with pytest.raises(DataError, match=r"holds 2 of the 2975 pictures of split 'train': unpack leftImg8bit"):
        datasets.load("cityscapes", "train", root)
    with pytest.raises(DataError, match=r"holds no pictures of split 'test': unpack leftImg8bit_trainv"):
        datasets.load("cityscapes", "test", root)
    with pytest.raises(DataError, match=r"has no label map: expected .*gtCoarse_labelIds\.png; unpack gtCoarse\.zip"):
        datasets.load("cityscapes", "train", root, annotation="coarse")
    with pytest.raises(ValueError, match="split='dev': cityscapes has 'train', 'val'"):
        datasets.load("cityscapes", "dev", root)
    Image.fromarray(np.full((32, 64), 77, np.uint8)).save(found.label_files[1])
    with pytest.raises(DataError, match=r"labelIds\.png: holds class ids 77: expected one of the 35 values"):
        found.example(1)


def test_lip(tmp_path):
    root = published_sets.lip(tmp_path, {"train": 2, "val": 1})
    plain = datasets.load("lip", "train", root, partial=True)
    sized = datasets.load("lip", "train", root, partial=True, size=(73, 73))
    assert plain.example(0)["image"].shape == (40, 30, 3) and sized.example(0)["image"].shape == (73, 73, 3)
    one, other = plain.example(0)["label_map"], sized.example(0)["label_map"]
    rows, columns = np.arange(73) * 40 // 73, np.arange(73) * 30 // 73  # OpenCV's nearest
    np.testing.assert_array_equal(other, one[rows[:, None], columns])
    assert plain.info.label_flip_pairs == ((14, 15), (16, 17), (18, 19))
    assert datasets.load("lip", "val", root, partial=True, size=(73, 73)).example(0)["image"].shape == (40, 30, 3)
    with pytest.raises(DataError, match=r"holds 2 of the 30462 pictures .* unpack TrainVal_images\.zip"):
        datasets.load("lip", "train", root)


@pytest.mark.parametrize(("classes", "background"), [(59, 255), (60, 0)])
def test_pascal_context(tmp_path, classes, background):
    root = published_sets.pascal_context(tmp_path, {"train": 2, "val": 1})
    found = datasets.load("pascal_context", "train", root, classes=classes)
    stored = np.asarray(Image.open(found.label_files[0]))
    label_map = found.example(0)["label_map"]
    assert (label_map[stored == 0] == background).all() and (label_map[stored == 59] == classes - 1).all()
    assert len(found.info.class_names) == classes and found.info.class_names[-1] == "wood"
    found.image_files[1].unlink()
    with pytest.raises(DataError, match=r"no such file, train\.txt names it; unpack VOCtrainval"):
        datasets.load("pascal_context", "train", root, classes=classes)
    with pytest.raises(DataError, match=r"train\.txt: no such file: expected a stem per line; unpack VOC"):
        datasets.load("pascal_context", "train", tmp_path / "nowhere")


def test_pascal_context_knows_two_counts(tmp_path):
    with pytest.raises(ValueError, match="classes=33: pascal_context has 59 or 60"):
        datasets.load("pascal_context", "train", tmp_path, classes=33)


def test_pascal_context_from_the_file_of_pascal_in_detail(tmp_path, golden):
    _, arrays = golden("segmentation", "seg_transforms")
    raw, index = arrays["pascal_raw"], arrays["pascal_index"]
    np.testing.assert_array_equal(np.searchsorted(pascal_context.RAW_IDS, raw), index)  # of the official code
    assert set(np.unique(raw)) <= set(pascal_context.RAW_IDS)
    root = published_sets.pascal_context_merged(tmp_path, {"train": 2, "val": 1})
    for classes, background, first in ((59, 255, 0), (60, 0, 1)):
        found = datasets.load("pascal_context", "train", root, classes=classes)
        label_map = found.example(1)["label_map"]
        assert len(found) == 2 and found.names == ("2008_train000", "2008_train001")
        stripes = [label_map[0, x] for x in (0, 12, 22, 44, 50)]  # a later shape lies over an earlier one
        assert stripes == [first, first + 1, classes - 1, first + 30, background]
        names = [found.info.class_names[i] for i in stripes[:4]]
        assert names == ["aeroplane", "bag", "wood", "horse"] and (label_map == label_map[:1]).all()
    file = tmp_path / "trainval_merged.json"
    data = json.loads(file.read_text())
    data["annos_segmentation"][0]["category_id"] = 3
    file.write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"merged\.json: category 3 in picture 2008_train000: expected one of the 60"):
        datasets.load("pascal_context", "train", root).example(0)
    file.write_text(file.read_text()[:500])
    with pytest.raises(DataError, match=r"merged\.json: not the annotations of PASCAL in Detail"):
        datasets.load("pascal_context", "train", root)


def test_ade20k(tmp_path):
    root = published_sets.ade20k(tmp_path, {"train": 2, "val": 1}, size=(60, 160))
    found = datasets.load("ade20k", "train", root, partial=True)
    stored, label_map = np.asarray(Image.open(found.label_files[0])), found.example(0)["label_map"]
    np.testing.assert_array_equal(label_map, stored - np.uint8(1))  # the official code: minus 1 in uint8
    assert found.info.class_names[label_map[0, 1]] == "wall" and len(found.info.class_names) == 150
    sized = datasets.load("ade20k", "train", root, partial=True, short_side=30).example(0)
    assert sized["image"].shape == (30, 80, 3) and sized["label_map"].shape == (30, 80)
    with pytest.raises(DataError, match=r"holds 1 of the 2000 pictures .* unpack ADEChallengeData2016\.zip"):
        datasets.load("ade20k", "val", root)
    with pytest.raises(ValueError, match="short_side=0: expected a number of pixels"):
        datasets.load("ade20k", "train", root, partial=True, short_side=0)


@pytest.mark.parametrize("maker", [published_sets.cocostuff, published_sets.cocostuff_released])
def test_cocostuff(tmp_path, maker):
    """The official rule: ids without the eleven unused ones are numbered through, then minus 1 in uint8."""
    root = maker(tmp_path, {"train": 2, "val": 1}, size=(60, 190))
    found = datasets.load("cocostuff", "train", root, partial=True)
    row = found.example(0)["label_map"][0, :183]
    used = [value for value in range(183) if value not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)]
    expected = np.full(183, 255, np.uint8)
    expected[used] = np.arange(len(used), dtype=np.uint8) - np.uint8(1)
    np.testing.assert_array_equal(row, expected)
    names = found.info.class_names
    assert len(names) == 171 and names[0] == "person" and names[row[182]].startswith("wood")
    with pytest.raises(DataError, match=r"holds 2 of the 9000 pictures .* unpack cocostuff-10k"):
        datasets.load("cocostuff", "train", root)
    with pytest.raises(DataError, match=r"has neither train/image nor imageLists/train\.txt: unpack cocostuff-10k"):
        datasets.load("cocostuff", "train", tmp_path / "nowhere")


def test_the_short_side_is_set_as_in_the_official_ocr_branch(golden):
    _, arrays = golden("segmentation", "seg_transforms")
    for kind in "ab":
        image, label_map = arrays["image"], arrays["label_ids"]
        if kind == "b":
            image, label_map = image.transpose(1, 0, 2), label_map.T
        filled = np.subtract(arrays[f"short52_{kind}_image"].shape[:2], arrays[f"short52_{kind}_pad_hw"])
        example = {"image": np.ascontiguousarray(image), "label_map": np.ascontiguousarray(label_map), "name": kind}
        found = resized(example, to_short_side(52)(label_map.shape))
        inside = slice(filled[0]), slice(filled[1])
        np.testing.assert_array_equal(found["image"], arrays[f"short52_{kind}_image"][inside])
        np.testing.assert_array_equal(found["label_map"], arrays[f"short52_{kind}_label"][inside])

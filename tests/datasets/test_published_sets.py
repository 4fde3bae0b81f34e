"""Cityscapes, LIP and PASCAL-Context in the layout of their archives: reading, label codings, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError, cityscapes
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
    assert plain.facts.label_flip_pairs == ((14, 15), (16, 17), (18, 19))
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
    assert len(found.facts.class_names) == classes and found.facts.class_names[-1] == "wood"
    found.image_files[1].unlink()
    with pytest.raises(DataError, match=r"no such file, train\.txt names it; unpack VOCtrainval"):
        datasets.load("pascal_context", "train", root, classes=classes)
    with pytest.raises(DataError, match=r"train\.txt: no such file: expected a stem per line; unpack VOC"):
        datasets.load("pascal_context", "train", tmp_path / "nowhere")


def test_pascal_context_knows_two_counts(tmp_path):
    with pytest.raises(ValueError, match="classes=33: pascal_context has 59 or 60"):
        datasets.load("pascal_context", "train", tmp_path, classes=33)

"""Results as others take them: turned, for COCO, NumPy and supervision."""

import json

import numpy as np
import pytest
from pycocotools import mask as coder

from hrnet_keras.tasks.agreement import in_data_order
from hrnet_keras.tasks.detection.files import write, write_coco
from hrnet_keras.tasks.results import Objects
from hrnet_keras.transforms import upright


@pytest.fixture
def found():
    """Three objects in a picture of 20x30 (height x width)."""
    masks = np.random.default_rng(0).random((3, 20, 30)) < 0.4
    boxes = np.array([[1.5, 2, 11, 19], [0, 0, 30, 20], [4, 4, 4.25, 6]])
    return Objects(boxes, np.float32([0.9, 0.5, 0.25]), np.int32([2, 0, 1]), masks)


@pytest.mark.parametrize("orientation", sorted(upright.TURNS))
def test_turning_moves_boxes_and_masks_alike(orientation):
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 3:9, 5:25] = masks[1, 10:, :4] = True
    boxes = np.array([[5.0, 3, 25, 9], [0, 10, 4, 20]])
    turned = Objects(boxes, np.ones(2), np.zeros(2, np.int32), masks).turned(orientation, (20, 30))
    for mask, turned_mask, (left, top, right, bottom) in zip(
        masks, turned.masks, turned.boxes.astype(int), strict=True
    ):
        np.testing.assert_array_equal(turned_mask, upright.turned(mask, orientation))
        expected = np.zeros_like(turned_mask)
        expected[top:bottom, left:right] = True
        np.testing.assert_array_equal(turned_mask, expected)
    nothing = Objects(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int32), np.zeros((0, 20, 30), bool))
    assert nothing.turned(orientation, (20, 30)).masks.shape == (0, *upright.turned(masks[0], orientation).shape)


def test_entries_for_coco(found):
    entries = found.to_coco(7, (18, 44, 90))
    assert [entry["category_id"] for entry in entries] == [90, 18, 44]
    assert entries[0]["bbox"] == [1.5, 2.0, 9.5, 17.0] and entries[1]["score"] == 0.5
    assert all(entry["image_id"] == 7 for entry in entries)
    for entry, mask in zip(json.loads(json.dumps(entries)), found.masks, strict=True):
        np.testing.assert_array_equal(coder.decode(entry["segmentation"]), mask)
    assert [entry["category_id"] for entry in found.to_coco("a.jpg")] == [3, 1, 2]
    with pytest.raises(ValueError, match="label 2: the data set has 2 categories"):
        found.to_coco(7, (18, 44))
    assert Objects(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int32)).to_coco(1) == []


def test_a_record_array(found):
    record = found.to_record()
    assert record.left.tolist() == [1.5, 0, 4] and record.bottom.tolist() == [19, 20, 6]
    assert record.dtype.names == ("left", "top", "right", "bottom", "score", "label")
    assert record[record.score > 0.4].label.tolist() == [2, 0]


def test_supervision_takes_them(found):
    supervision = pytest.importorskip("supervision", reason="needs supervision: pip install supervision")
    detections = found.to_supervision(("cat", "dog", "cow"))
    assert isinstance(detections, supervision.Detections) and len(detections) == 3
    np.testing.assert_allclose(detections.xyxy, found.boxes)
    np.testing.assert_array_equal(detections.mask, found.masks)
    assert detections.data["class_name"].tolist() == ["cow", "cat", "dog"]
    assert len(detections[detections.confidence > 0.4]) == 2
    assert len(Objects(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int32)).to_supervision(("cat",))) == 0


def test_supervision_is_named_where_it_is_missing(found, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)
    with pytest.raises(ImportError, match="pip install supervision"):
        found.to_supervision()


def test_labels_of_a_model_as_those_of_a_data_set(found):
    assert in_data_order(found, [2, 0, 1]).labels.tolist() == [0, 1, 2]
    assert in_data_order(found, [2, 1]).labels.tolist() == [0, 2, 1]  # the set lacks class 0
    assert in_data_order(found, None) is found


def test_files(found, tmp_path):
    write({**found.to_dict(), "names": ["cow", "cat", "dog"]}, str(tmp_path / "new" / "a"))
    read = json.loads((tmp_path / "new" / "a.json").read_text())
    assert read["boxes"] == found.boxes.tolist() and read["labels"] == [2, 0, 1] and read["scores"] == [0.9, 0.5, 0.25]
    assert read["names"] == ["cow", "cat", "dog"]
    np.testing.assert_array_equal(coder.decode(read["masks"][1]), found.masks[1])
    write_coco(found.to_coco(1), str(tmp_path / "results.json"))
    assert json.loads((tmp_path / "results.json").read_text()) == found.to_coco(1)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"a\.json: can't be written"):
        write(found.to_dict(), str(tmp_path / "file" / "a"))

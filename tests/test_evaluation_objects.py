"""Scores of detectors on COCO: which files are opened, and the published figure beside the measured one."""

import json

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras import predictor
from hrnet_keras.checkpoints import zoo
from hrnet_keras.cli import main
from hrnet_keras.datasets.coco_detection import CATEGORY_IDS
from hrnet_keras.datasets.published import published
from hrnet_keras.layers.model_info import update_info
from tests import coco_files
from tests.tasks.detection.tiny import decided

NAME = "mask_rcnn_hrnetv2p_w18_1x_coco"


@pytest.fixture(scope="module")
def detector():
    """A tiny detector that says of itself what one of published weights says."""
    model = decided("mask_rcnn", num_classes=80)
    kernel = model.get_layer("roi_head.bbox_head.fc_cls").kernel
    kernel.assign(50 * kernel)  # some class of the 80 above the least score
    entry = zoo.named(NAME)
    update_info(
        model, weights=NAME, published=entry.published, data=entry.data, class_names=published("coco").class_names,
        input_size=(64, 96),
    )  # fmt: skip
    return model


def test_the_one_line_check_of_a_published_score(detector, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(predictor, "load", lambda source: detector)
    root = coco_files.coco(tmp_path / "coco", {"val": 2})
    out = tmp_path / "out"
    assert main(["evaluate", "--weights", NAME, "--data", str(root), "--save", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "toothbrush" in printed and "published: AP 0.377, mask AP 0.342" in printed
    assert "annotated boxes" not in printed  # said of persons in boxes that are given
    found = json.loads((out / "results.bbox.json").read_text())
    assert {row["image_id"] for row in found} == {1, 2}
    assert {row["category_id"] for row in found} <= set(CATEGORY_IDS)


def test_a_detector_of_coco_is_scored_on_its_objects(detector, tmp_path):
    """By the name that its weights give the data set, which also has persons, or by none."""
    root = coco_files.coco(tmp_path / "coco", {"val": 1})
    own = hk.evaluate(detector, "coco_detection", root=root, verbose=False)
    for name in ("coco", None):
        found = hk.evaluate(detector, name, root=root, verbose=False)
        assert found["AP"] == own["AP"] and found["pictures"] == 1
        np.testing.assert_equal(found["class_AP"], own["class_AP"])
    with pytest.raises(ValueError, match="instances_val2017"):
        hk.evaluate(detector, root=tmp_path / "elsewhere")

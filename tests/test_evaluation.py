"""The evaluation verb on a folder of pictures."""

import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras import datasets
from hrnet_keras.checkpoints import zoo
from hrnet_keras.cli import main
from hrnet_keras.datasets.cityscapes import TRAINED_IDS
from hrnet_keras.tasks.segmentation.protocol import Protocol
from tests import published_sets, streets
from tests.checkpoints.published import CASES, filled


@pytest.fixture
def root(tmp_path):
    streets.draw(tmp_path, count=2, size=(40, 60))
    streets.draw(tmp_path / "more", count=1, size=(33, 47))
    return tmp_path


def test_scores_agree_with_predictions_counted_by_hand(root, capsys):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    result = hk.evaluate(model, "folder", root=root)
    dataset = datasets.load("folder", "val", root)
    examples = [dataset.example(i) for i in range(len(dataset))]
    found = np.concatenate([hk.predict(model, e["image"])[0].label_map.ravel() for e in examples])
    truth = np.concatenate([e["label_map"].ravel() for e in examples])
    assert result["pixel_accuracy"] == pytest.approx((found == truth).mean())
    hits = [((found == c) & (truth == c)).sum() / max(1, ((found == c) | (truth == c)).sum()) for c in range(3)]
    assert result["mIoU"] == pytest.approx(np.mean(hits))
    printed = capsys.readouterr().out
    assert "square" in printed and "pixel accuracy" in printed


def test_a_model_of_other_classes_is_refused(root):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5)
    with pytest.raises(ValueError, match=r"the model has 5 classes, data set .* has 3"):
        hk.evaluate(model, "folder", root=root)


def test_unknown_data_sets_are_named():
    with pytest.raises(ValueError, match="'cityscape': expected one of"):
        hk.evaluate(hk.HRNetV2W18SmallV1("seg"), "cityscape")


def test_published_protocols_are_taken_and_changed(tmp_path, capsys):
    root = published_sets.cityscapes(tmp_path, {"val": 2})
    model = hk.HRNetV2W18SmallV1("seg")
    whole = Protocol()
    plain = hk.evaluate(model, "cityscapes", root=root, partial=True, protocol=whole, verbose=False)
    scaled = hk.evaluate(model, "cityscapes", root=root, partial=True, limit=1, verbose=False)  # long side 2048
    assert plain["pixel_accuracy"] != scaled["pixel_accuracy"]
    both = {"scales": (0.5, 1.0), "flip": True, "base_size": 128, "window": (64, 128)}  # the rule stays Cityscapes'
    hk.evaluate(model, "cityscapes", root=root, partial=True, protocol=both, save=tmp_path / "out", verbose=False)
    written = np.asarray(Image.open(tmp_path / "out" / "aachen_000000_000019.png"))
    assert written.shape == (64, 128) and set(np.unique(written)) <= set(TRAINED_IDS)  # ready for the test server


def test_the_one_line_check_of_a_published_score(tmp_path, monkeypatch, capsys, golden, weights_rule):
    case = next(case for case in CASES if case.name == "mmseg")
    path = filled(case, golden(case.kind, case.case)[0], weights_rule, "zip", tmp_path)
    monkeypatch.setattr(zoo, "fetch", lambda entry: path)
    root = published_sets.cityscapes(tmp_path / "data", {"val": 1})
    command = ["evaluate", "--weights", "fcn_hr18s_512x1024_160k_cityscapes", "--data", str(root), "--base-size", "128"]
    assert main([*command, "--option", "{partial: true}"]) == 0
    printed = capsys.readouterr().out
    assert "traffic_light" in printed and "published: mIoU 76.31" in printed
    assert main(["evaluate", "--weights", "mars", "--data", str(root)]) == 1
    assert (
        "weights='mars': expected a published name for cls or seg or landmark or pose, or one of 300w, ade20k"
        in capsys.readouterr().err
    )
    assert main(["evaluate", "--data", str(root)]) == 1
    assert "expected MODEL and DATASET, or --weights NAME" in capsys.readouterr().err

"""The evaluation verb on a folder of pictures."""

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras import datasets
from tests import streets


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

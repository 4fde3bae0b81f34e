"""Files of what a detector found, without a detector: what is written, and under which names."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import prediction_files
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.prediction import Prediction
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.results import Objects, run_lengths

INFO = ModelInfo(
    "det", num_classes=2, class_names=("cat", "dog"), palette=((250, 20, 20), (20, 20, 250)), lineage="mmlab"
)


@pytest.fixture
def street(tmp_path, monkeypatch):
    """A picture, and predictions that find a dog in it, or nothing."""
    path = tmp_path / "street.png"
    Image.fromarray(np.full((40, 60, 3), 128, np.uint8)).save(path)
    masks = np.zeros((1, 40, 60), bool)
    masks[0, 5:20, 5:30] = True
    dog = Objects(np.array([[5.0, 5, 30, 20]]), np.array([0.75]), np.array([1], np.int32), masks)
    nothing = Objects(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int32))

    def answers(result):
        monkeypatch.setattr(prediction_files, "open_predictor", lambda *args: SimpleNamespace(info=INFO))
        monkeypatch.setattr(
            prediction_files, "predict_pictures",
            lambda predictor, pictures, boxes, **options: (
                Prediction(np.array(Image.open(one)), one, INFO, result) for one in pictures
            ),
        )  # fmt: skip
        return str(path)

    return SimpleNamespace(dog=dog, nothing=nothing, masks=masks, answers=answers)


def test_a_drawing_and_a_json_per_picture(street, tmp_path):
    picture = street.answers(street.dog)
    written = list(prediction_files.write_predictions("net", [picture], str(tmp_path / "out"), points=True))
    assert [file.path for file in written] == [str(tmp_path / "out" / f"street.{end}") for end in ("png", "json")]
    found = json.loads((tmp_path / "out" / "street.json").read_text())
    assert found == {
        "scores": [0.75], "boxes": [[5.0, 5.0, 30.0, 20.0]], "labels": [1], "names": ["dog"],
        "masks": run_lengths(street.masks),
    }  # fmt: skip
    drawn = np.array(Image.open(tmp_path / "out" / "street.png"))
    assert (drawn[19, 10] == INFO.palette[1]).all()


def test_nothing_found_is_said(street, tmp_path):
    picture = street.answers(street.nothing)
    drawing, numbers = prediction_files.write_predictions("net", [picture], str(tmp_path / "out"), points=True)
    assert drawing.remarks == (task_named("det").nothing_found,)
    assert json.loads((tmp_path / "out" / "street.json").read_text())["boxes"] == []
    assert numbers.path.endswith("street.json")


def test_a_detector_has_no_label_maps(street, tmp_path):
    picture = street.answers(street.dog)
    with pytest.raises(ValueError, match="a model of task 'det' answers none: --json writes its boxes"):
        list(prediction_files.write_predictions("net", [picture], str(tmp_path), label_maps=True))

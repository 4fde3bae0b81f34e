"""What the demo prints to be copied."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras import datasets, demo
from hrnet_keras.tasks import DEMOS
from tests import dots


@pytest.mark.parametrize("task", ["landmark", "pose"])
def test_the_printed_request_is_about_somebody_in_the_saved_scene(task, tmp_path):
    config = DEMOS[task]
    options = hk.Recipe.load(config.recipe).data.options
    scene = next(demo._with_somebody(datasets.load("toytown", "test", **options)))
    printed = demo._instance("runs/demo/scene.png", scene, config.prompts)
    request = json.loads(re.sub(r"'\$\(base64 -w0 runs/demo/scene\.png\)'", "CONTENTS", printed))
    assert request["image_bytes"] == {"b64": "CONTENTS"}
    np.testing.assert_allclose(request["boxes"], scene["boxes"][0], atol=0.05)
    height, width = scene["image"].shape[:2]
    left, top, right, bottom = request["boxes"]
    inside = scene["points"][0][scene["visible"][0] > 0]
    assert ((inside >= [left - 1, top - 1]) & (inside <= [right + 1, bottom + 1])).all()
    assert right > 0 and bottom > 0 and left < width and top < height


def test_a_scene_of_pixels_is_asked_about_by_its_bytes_alone():
    assert demo._instance("a.png", {}, ()) == """{"b64": "'$(base64 -w0 a.png)'"}"""


def test_weights_to_start_from_may_be_missing(tmp_path, monkeypatch, capsys):
    """Outside of the repository the demo of detection learns from scratch, and says so."""
    recipe = hk.Recipe.load(DEMOS["det"].recipe)
    root = Path(__file__).parent.parent
    monkeypatch.chdir(root)
    assert demo._from_scratch_if_missing(recipe) == recipe and (root / recipe.model.weights).is_file()
    monkeypatch.chdir(tmp_path)
    assert demo._from_scratch_if_missing(recipe).model.weights is None
    assert f"{recipe.model.weights} is not here" in capsys.readouterr().out


@pytest.mark.parametrize("task", ["landmark", "pose"])
def test_another_program_finds_the_points_as_predict_does(task, tmp_path, capsys):
    boxes = np.array([[40.0, 30, 140, 130]])
    points = dots.instances(np.random.default_rng(4), boxes)
    model = dots.model(task, (64, 64), "udp")
    example = {"image": dots.picture((180, 200), points), "boxes": boxes, "points": points}
    demo._use_elsewhere(hk.export(model, tmp_path / "net"), model, tmp_path, example)
    assert "100.00% of the points within a pixel of here" in capsys.readouterr().out
    assert np.asarray(Image.open(tmp_path / "scene.png")).shape == (180, 200, 3)

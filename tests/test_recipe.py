"""Recipes: what is read, what is refused, and that every published one is sound."""

from pathlib import Path

import pytest

import hrnet_keras as hk
from hrnet_keras import builders

RECIPES = sorted((Path(__file__).parent.parent / "recipes").rglob("*.yaml"))
GOOD = "model: {name: HRNetV2W18}\ndata: {name: camvid, crop: [64, 96], scale: null}\ntrain: {epochs: 3}\n"


def write(tmp_path, text):
    path = tmp_path / "street.yaml"
    path.write_text(text)
    return path


def test_reads_values_and_fills_in_defaults(tmp_path):
    recipe = hk.Recipe.load(write(tmp_path, GOOD))
    assert recipe.model.name == "HRNetV2W18" and recipe.model.task == "seg"
    assert recipe.data.crop == (64, 96) and recipe.data.scale is None
    assert recipe.train.epochs == 3 and recipe.train.momentum == 0.9
    assert recipe.output == "runs/street"


def test_overrides_dotted_and_nested(tmp_path):
    path = write(tmp_path, GOOD)
    recipe = hk.Recipe.load(
        path, **{"train.epochs": 7, "data.options": {"count": 3}}, data={"crop": [32, 32]}, output="x"
    )
    assert (recipe.train.epochs, recipe.data.crop, recipe.output) == (7, (32, 32), "x")
    assert recipe.data.options == {"count": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("epochs", "epoch"), "epoch"),
        (GOOD.replace("epochs: 3", "epochs: three"), "train.epochs"),
        (GOOD.replace("[64, 96]", "[64]"), "data.crop"),
        (GOOD.replace("train:", "training:"), "training"),
        (GOOD.replace("model: {name: HRNetV2W18}\n", ""), "model"),
        (GOOD.replace("epochs: 3", "epochs: 0"), "train.epochs: expected a number above 0, given 0"),
        (GOOD.replace("epochs: 3", "schedule: linear"), "train.schedule"),
        (GOOD + "a: [", "parsing"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, text, expected):
    path = write(tmp_path, text)
    with pytest.raises(ValueError) as caught:
        hk.Recipe.load(path)
    message = str(caught.value)
    assert expected in message and str(path) in message and "\n" not in message


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.yaml: no such file"):
        hk.Recipe.load(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_published_recipes_are_sound(path):
    recipe = hk.Recipe.load(path)
    assert hasattr(builders, recipe.model.name)
    assert path.stem.startswith(recipe.data.name)
    assert path.read_text().startswith("#"), "the head says what it reproduces and what was measured"

"""Every recipe: it loads, its net exists, and it trains a step on dummy files in the real layout of its data set."""

from pathlib import Path

import pytest

from hrnet_keras import builders, training
from hrnet_keras.recipe import Recipe
from tests import published_sets

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "recipes").glob("*/*.yaml"))
SMALL = {"model.weights": None, "data.crop": [64, 64], "data.base_size": 96, "train.batch": 2, "train.epochs": 1}
FAST = "HRNetV2W18SmallV1"  # a step of W48 takes minutes to trace; the recipe's own net is only looked up
STEPS = (
    "cityscapes_hrnetv2_w18_small_v1_ohem",
    "lip_hrnetv2_w48",
    "pascal_context_60_hrnetv2_w48",
    "pascal_context_59_hrnetv2_w48_ocr",
    "imagenet_hrnetv2_w18_small_v1",
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_it_loads_and_says_what_it_reproduces(path):
    recipe = Recipe.load(path)
    assert recipe.model.name in vars(builders)
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert len(head) >= 2 or recipe.data.name == "folder"
    assert f"[{path.parent.name}/{path.stem}]" in (ROOT / "recipes" / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_step_on_dummy_files(name, tmp_path):
    (path,) = [path for path in RECIPES if path.stem == name]
    recipe = Recipe.load(path)
    data = recipe.data.name
    root = published_sets.MAKERS[data](tmp_path / "data", {"train": 2, "val": 1})
    options = dict(recipe.data.options)
    options |= {"partial": True} if data in ("cityscapes", "lip") else {}
    options |= {"size": [80, 80]} if data == "lip" else {}
    changes = {**SMALL, "model.name": FAST, "data.root": str(root), "data.options": options}
    main = "mIoU"
    if recipe.model.task == "cls":
        main = "top1"
        changes.pop("data.base_size")
    history = training.train(path, output=str(tmp_path / "run"), **changes)
    assert history.history["loss"][0] > 0 and 0 <= history.history[main][0] <= 100

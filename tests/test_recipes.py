"""Every recipe: it loads, its net exists, and it trains a step on dummy files in the real layout of its data set."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hrnet_keras import builders, training
from hrnet_keras.architecture import conventions
from hrnet_keras.recipe import Recipe
from hrnet_keras.tasks import part
from tests import published_sets

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "recipes").glob("*/*.yaml"))
PUBLISHED = [path for path in RECIPES if path.stem.split("_")[0] not in ("camvid", "folder")]
SMALL = {"model.weights": None, "data.crop": [64, 64], "data.base_size": 96, "train.batch": 2, "train.epochs": 1}
FAST = "HRNetV2W18SmallV1"  # a step of W48 takes minutes to trace; the recipe's own net is only looked up
WHOLE = ("lip_hrnetv2_w48", "pascal_context_59_hrnetv2_w48_ocr", "imagenet_hrnetv2_w18_small_v1")


def on_dummy_files(path, tmp_path, **more):
    """The recipe on two dummy pictures in the real layout of its data set, with a small net in the place of its own."""
    recipe = Recipe.load(path)
    data = recipe.data.name
    options = dict(recipe.data.options)
    options |= {"partial": True} if data in ("cityscapes", "lip", "ade20k", "cocostuff") else {}
    options |= {"size": [80, 80]} if "size" in options else {}
    options |= {"short_side": 50} if "short_side" in options else {}
    root = published_sets.MAKERS[data](tmp_path / "data", {"train": 2, "val": 1})
    changes = {**SMALL, "model.name": FAST, "data.root": str(root), "data.options": options, **more}
    if recipe.model.task == "cls":
        changes.pop("data.base_size")
    return Recipe.load(path, **changes)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_it_loads_and_says_what_it_reproduces(path):
    recipe = Recipe.load(path)
    assert recipe.model.name in vars(builders)
    representation = recipe.model.name.removeprefix("HRNet")[:2]
    conventions(recipe.model.lineage or "official", recipe.model.task, representation,
                align_corners=recipe.model.align_corners, head=recipe.model.head)  # fmt: skip
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert len(head) >= 2
    assert f"[{path.parent.name}/{path.stem}]" in (ROOT / "recipes" / "README.md").read_text()


def distinct(paths):
    """One recipe of those that differ in their net's width and first weights alone: with the small net they are one."""
    found = {}
    for path in paths:
        recipe = Recipe.load(path)
        net = replace(recipe.model, name=FAST, weights=None)
        found.setdefault(repr((net, recipe.data, recipe.train)), path)
    return list(found.values())


@pytest.mark.parametrize("path", distinct(PUBLISHED), ids=lambda path: path.stem)
def test_its_first_step(path, tmp_path):
    """One step of its loss, optimizer and pipeline, without the minutes that tracing takes."""
    recipe = on_dummy_files(path, tmp_path)
    data, held_out = training._open_data(recipe)
    model = training.build(recipe, data)
    fitted = training.compile_for(model, recipe.train, data, steps=1)
    fitted.run_eagerly = True
    stream = part(recipe.model.task, "pipeline").training(data, batch=2, **training._augmentation(recipe))
    image, *truth = next(iter(stream))
    before = fitted.trainable_variables[0].numpy()
    loss = fitted.train_on_batch(image, list(truth) * len(fitted.outputs))
    assert np.isfinite(loss).all() and np.ravel(loss)[0] > 0
    assert not np.array_equal(before, fitted.trainable_variables[0])
    assert len(held_out) in (1, 3)  # three class folders of ImageNet


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_training_on_dummy_files(name, tmp_path):
    (path,) = [path for path in RECIPES if path.stem == name]
    history = training.train(on_dummy_files(path, tmp_path, output=str(tmp_path / "run")))
    main = "top1" if path.parent.name == "cls" else "mIoU"
    assert history.history["loss"][0] > 0 and 0 <= history.history[main][0] <= 100

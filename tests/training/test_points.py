"""Training on points: from a recipe to a model that knows how it is to be asked, and which of its epochs is kept."""

import json
import math
import os
from dataclasses import replace

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras import builders, datasets, tasks, training
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.recipe import DataRecipe, ModelRecipe, OptimizerRecipe, Recipe, TrainRecipe
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.keypoints.spec import KeypointSpec
from hrnet_keras.training import assemble, callbacks
from hrnet_keras.training.callbacks import Scores

FACES, FIGURES = ({"annotation": kind, "count": 6, "size": [96, 128]} for kind in ("faces", "figures"))


def tiny(task, num_keypoints, **options):
    """Stride 4 and a map per point; a whole net takes long to trace."""
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(8, 5, 4, padding="same", activation="relu")(image / 255)
    x = keras.layers.Conv2D(num_keypoints, 3, padding="same")(x)
    return keras.Model(image, ModelInfoLayer({"task": task, "num_keypoints": num_keypoints}, name="heatmaps")(x))


@pytest.fixture
def tiny_net(monkeypatch):
    monkeypatch.setattr(builders, "HRNetV2W18SmallV1", tiny)


def recipe(folder, task, augment=None, options=None, **train):
    options = options or (FACES if task == "landmark" else FIGURES)
    return Recipe(
        model=ModelRecipe(name="HRNetV2W18SmallV1", task=task),
        data=DataRecipe(name="toytown", train="train", evaluate="val", options=options),
        augment=task_named(task).augment(**{"input_size": (64, 64), **(augment or {})}),
        optimizer=OptimizerRecipe(name="adam", learning_rate=1e-3),
        train=TrainRecipe(**{"epochs": 2, "batch": 2, **train}),
        output=str(folder / "run"),
    )


MAINS = {"landmark": "NME", "pose": "PCK"}


@pytest.mark.parametrize("task", MAINS)
def test_a_model_knows_how_it_is_to_be_asked(tmp_path, tiny_net, task):
    training.train(recipe(tmp_path, task, {"convention": "mmlab", "codec": "dark", "sigma": 1.5}), verbose=0)
    dataset = datasets.load("toytown", "val", **(FACES if task == "landmark" else FIGURES))
    lines = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [line["main"] for line in lines] == [MAINS[task]] * 2 and all(MAINS[task] in line for line in lines)
    model = keras.saving.load_model(tmp_path / "run" / "best.keras", compile=False)
    folder = hk.export(model, tmp_path / "net")
    with open(os.path.join(folder, "assets.extra", "hrnet_keras.json"), encoding="utf-8") as file:
        exported = ModelInfo.from_dict(json.load(file))
    for info in (builders.info_of(model), exported):
        assert (info.task, info.convention, info.codec, info.input_size) == (task, "mmlab", "dark", (64, 64))
        assert info.point_names == tuple(dataset.info.point_names) and info.data == "toytown"
        assert [tuple(pair) for pair in info.flip_pairs] == list(dataset.info.flip_pairs)
        assert [tuple(pair) for pair in info.edges] == list(dataset.info.edges)
        assert info.crop_box == "tight" and info.stretch_first is True
    read = KeypointSpec.of(
        builders.info_of(model), model.input_shape[1:3], tasks.task_named(task).module("inference").DEFAULTS
    )
    assert (read.convention, read.codec, read.size, read.flip) == ("mmlab", "dark", (64, 64), True)
    example = dataset.example(next(i for i in range(6) if len(dataset.annotations(i)["points"])))
    points = [hk.predict(net, example["image"], boxes=example["boxes"])[0].points for net in (model, folder)]
    assert points[0].shape == points[1].shape == example["points"].shape
    # A face is looked at twice, the second time where the first look found it: by chance, after two epochs.
    # tests/test_saved_model.py compares faces by a net that knows where to look.
    assert task == "landmark" or (np.abs(points[0] - points[1]).max(-1) < 0.5).mean() > 0.9


def test_epochs_go_over_faces_and_persons_not_over_pictures(tmp_path):
    for task in MAINS:
        asked = recipe(tmp_path, task)
        data, _ = assemble.open_data(asked.data)
        count = sum(len(data.annotations(i)["points"]) for i in range(len(data)))
        assert assemble.steps_per_epoch(asked, data) == count // 2
    with pytest.raises(ValueError, match=r"train\.batch=500: split 'train' has only \d+ examples to train on"):
        assemble.steps_per_epoch(recipe(tmp_path, "pose", batch=500), data)


@pytest.mark.parametrize(
    ("task", "changes", "expected"),
    [
        ("landmark", {"augment.half_body": 0.5}, "augment.half_body does not belong to task 'landmark'"),
        ("landmark", {"augment.input_size": (64, 96)}, "the official convention cuts squares"),
        ("landmark", {"data.options": FIGURES}, r"normaliser='': expected two indices"),
        ("pose", {"data.options": {"count": 4}}, "toytown train has no points: expected a data set with points"),
        ("pose", {"data.options": FACES}, "metric='nme': expected one of 'oks'"),
        ("pose", {"augment.shift": 0.3}, "the official convention moves no crop"),
        ("pose", {"augment.input_size": (64, 100)}, "multiples of 32"),
        ("pose", {"augment.brightness": 5}, "augment.brightness does not belong to task 'pose'"),
        ("pose", {"augment.scaling": 2.0}, "scaling=2.0: expected 0 up to"),
    ],
)
def test_impossible_recipes_of_points_are_refused(tmp_path, tiny_net, task, changes, expected):
    with pytest.raises(ValueError, match=expected):
        training.train(recipe(tmp_path, task), verbose=0, **changes)


def run(folder, monkeypatch, task, figures):
    """The callback's epochs with these main figures, with the number of the epoch in the model's only weight."""
    dataset = datasets.load("toytown", "val", **(FACES if task == "landmark" else FIGURES))
    model = tiny(task, len(dataset.info.point_names))
    scores, given = Scores(model, dataset, str(folder)), iter(figures)
    monkeypatch.setattr(callbacks, "evaluate", lambda *a, **k: {MAINS[task]: next(given)})
    scores.set_params({"epochs": len(figures)})
    scores.on_train_begin()
    for epoch, figure in enumerate(figures):
        model.layers[-2].bias.assign(np.full(model.layers[-2].bias.shape, figure if math.isfinite(figure) else 77.0))
        scores.on_epoch_begin(epoch)
        scores.on_epoch_end(epoch, {"loss": 1.0})
    return keras.saving.load_model(folder / "best.keras", compile=False).layers[-2].bias.numpy()[0]


@pytest.mark.parametrize(("task", "figures", "best"), [
    ("landmark", [9.0, 4.0, 6.0], 4.0), ("pose", [20.0, 60.0, 40.0], 60.0),
    ("landmark", [float("nan"), 8.0, 9.0], 8.0), ("pose", [float("nan")], 77.0), ("pose", [0.0, 0.0], 0.0),
])  # fmt: skip
def test_the_epoch_with_the_better_figure_is_kept(tmp_path, monkeypatch, task, figures, best):
    assert run(tmp_path, monkeypatch, task, figures) == best


@pytest.mark.parametrize(
    ("task", "first", "worse", "better"), [("landmark", [5.0, 3.0], 4.0, 2.0), ("pose", [50.0, 70.0], 60.0, 80.0)]
)
def test_a_run_that_goes_on_keeps_the_best_there_was(tmp_path, monkeypatch, task, first, worse, better):
    assert run(tmp_path, monkeypatch, task, first) == first[1]
    assert run(tmp_path, monkeypatch, task, [worse]) == first[1]
    assert run(tmp_path, monkeypatch, task, [better]) == better


@pytest.mark.slow
@pytest.mark.parametrize("task", MAINS)
def test_a_whole_net_takes_two_steps(tmp_path, task):
    name = "HRNetV2W18SmallV1" if task == "landmark" else "HRNetV1W18SmallV1"
    options = {**(FACES if task == "landmark" else FIGURES), "count": 4}
    plain = recipe(tmp_path, task, options=options, epochs=1)
    asked = replace(plain, model=ModelRecipe(name=name, task=task))
    history = training.train(asked, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    model = keras.saving.load_model(tmp_path / "run" / "last.keras", compile=False)
    info = builders.info_of(model)
    assert (info.convention, info.codec, info.input_size) == ("official", "official", (64, 64))
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    assert hk.predict(model, image, boxes=[10, 10, 60, 70])[0].points.shape == (1, info.num_keypoints, 2)

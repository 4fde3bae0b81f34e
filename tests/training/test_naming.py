"""What is refused, reordered or said before the first step, since names of classes and points disagree."""

import json
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras import builders, datasets, training
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.recipe import DataRecipe, ModelRecipe, OptimizerRecipe, Recipe, TrainRecipe
from hrnet_keras.tasks import task_named
from hrnet_keras.training import assemble
from hrnet_keras.training.callbacks import Scores
from hrnet_keras.training.naming import info_in_file
from tests import dots, published_sets, streets


def tiny(task, num_classes=None, num_keypoints=None, weights=None):
    """An output per class or point; a whole net takes long to trace."""
    image = keras.Input((None, None, 3), name="image")
    count = num_classes or num_keypoints
    info = {"task": task, "num_keypoints" if num_keypoints else "num_classes": count, "output_stride": 1}
    x = keras.layers.Conv2D(count, 3, 4 if num_keypoints else 1, padding="same", name="scores")(image / 64)
    if task == "cls":
        x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, ModelInfoLayer(info, name="logits")(x))


@pytest.fixture
def tiny_net(monkeypatch):
    monkeypatch.setattr(builders, "HRNetV2W18SmallV1", lambda task, **options: tiny(task, **_counts(options)))


def _counts(options):
    return {word: options[word] for word in ("num_classes", "num_keypoints") if options.get(word)}


def recipe(tmp_path, task, name, root, model=None, flip=0.0, **data):
    size = "crop" if task == "seg" else "input_size"
    return Recipe(
        ModelRecipe(**{"name": "HRNetV2W18SmallV1", "task": task, **(model or {})}),
        DataRecipe(**{"name": name, "root": str(root), **data}),
        task_named(task).augment(**{size: (32, 32)}, flip=flip),
        optimizer=OptimizerRecipe(learning_rate=1e-4),
        train=TrainRecipe(epochs=1, batch=2),
        output=str(tmp_path / "run"),
    )


@pytest.mark.parametrize("count", [2, 5])
def test_a_number_of_classes_that_is_not_the_data_s_is_refused(tmp_path, tiny_net, count):
    root = streets.draw(tmp_path / "data", count=2)
    asked = recipe(tmp_path, "seg", "folder", root, {"num_classes": count})
    with pytest.raises(
        ValueError, match=rf"model\.num_classes={count}: .* has 3 classes \(ground, square, bar\): leave"
    ):
        training.train(asked, verbose=0)
    with pytest.raises(ValueError, match=r"data set 'data' has no points: expected one with points for task 'pose'"):
        training.train(recipe(tmp_path / "b", "pose", "folder", root), verbose=0)


def test_a_held_out_split_of_other_classes_is_refused_before_the_first_step(tmp_path, tiny_net):
    root = published_sets.imagenet(tmp_path / "data", {"train": 2, "val": 1})
    (root / "val" / "n00000001").rename(root / "val" / "other")
    with pytest.raises(ValueError, match=r"split 'val' does not go with split 'train', .*only data set .* has other"):
        training.train(recipe(tmp_path, "cls", "imagenet", root), verbose=0)
    assert not (tmp_path / "run" / "history.jsonl").exists()


def test_a_held_out_split_may_lack_classes(tmp_path, tiny_net):
    """Splits that are not called train, so that each has ids of its own: still scored by name."""
    root = published_sets.imagenet(tmp_path / "data", {"learn": 2, "held": 1})
    for name in ("n00000000", "n00000002"):
        shutil.rmtree(root / "held" / name)
    asked = recipe(tmp_path, "cls", "imagenet", root, train="learn", evaluate="held")
    training.train(asked, verbose=0)
    line = json.loads((tmp_path / "run" / "history.jsonl").read_text())
    model = hk.load(str(tmp_path / "run" / "best.keras"))
    expected = hk.predict(model, str(root / "held" / "n00000001" / "1_0.JPEG"))[0].labels[0] == 1
    assert line["pictures"] == 1 and line["top1"] == 100 * expected


HEADER = "file,nose_x,nose_y,left_eye_x,left_eye_y,right_eye_x,right_eye_y\n"


def test_a_held_out_csv_with_other_points_is_refused(tmp_path, tiny_net):
    streets.draw(tmp_path, count=1)
    (tmp_path / "train.csv").write_text(HEADER + "0.png,1,2,30,4,5,36\n" * 2)
    (tmp_path / "val.csv").write_text(HEADER.replace("nose", "tail") + "0.png,1,2,30,4,5,36\n")
    with pytest.raises(ValueError, match=r"has nose, left_eye, right_eye; .* has tail, left_eye, right_eye; only"):
        training.train(recipe(tmp_path, "pose", "points", tmp_path), verbose=0)


def test_sides_are_told(tmp_path, caplog):
    caplog.set_level("INFO", "hrnet_keras")
    streets.draw(tmp_path, count=2)
    (tmp_path / "classes.txt").write_text("left arm\nright arm\nleft leg\n")
    data = datasets.load("folder", "train", tmp_path)
    for flip in (0.0, 0.5):
        training.naming.tell_sides(data, recipe(tmp_path, "seg", "folder", tmp_path, flip=flip))
        said = caplog.text
        caplog.clear()
        assert ("exchange left arm and right arm" in said) == ("other side: left leg" in said) == bool(flip)


def test_a_run_whose_classes_changed_does_not_go_on(tmp_path):
    model = tiny("seg", 3)
    builders.name_outputs(model, datasets.DatasetInfo("mine", class_names=("a", "b", "c")))
    model.save(tmp_path / "best.keras")
    training.naming.check_resumed(str(tmp_path), model)
    builders.name_outputs(model, datasets.DatasetInfo("mine", class_names=("b", "a", "c")))
    with pytest.raises(ValueError, match="the run has a, b, c; the data set has b, a, c"):
        training.naming.check_resumed(str(tmp_path), model)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A net that knows the classes ground, square and bar, as a file of Keras; and its logits of a picture."""
    folder = tmp_path_factory.mktemp("start")
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    builders.name_outputs(model, datasets.DatasetInfo("first", class_names=streets.CLASSES))
    head = model.get_layer("last_layer.3")
    head.bias.assign([1.0, 2.0, 3.0])
    model.save(folder / "start.keras")
    image = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    return str(folder / "start.keras"), image, np.asarray(model(image, training=False)), np.asarray(head.kernel)


def test_a_start_of_the_same_classes_in_another_order_keeps_what_it_knows(tmp_path, start, caplog):
    caplog.set_level("INFO", "hrnet_keras")
    path, image, logits, _ = start
    streets.draw(tmp_path, count=2)
    (tmp_path / "classes.txt").write_text("Bar\nground\nsquare\n")
    assert info_in_file(path).class_names == tuple(streets.CLASSES)
    asked = recipe(tmp_path, "seg", "folder", tmp_path, {"weights": path})
    model = assemble.build(asked, datasets.load("folder", "train", tmp_path))
    np.testing.assert_allclose(model(image, training=False), logits[..., [2, 0, 1]], rtol=1e-4, atol=1e-5)
    assert builders.info_of(model).class_names == ("Bar", "ground", "square")
    assert "in another order than the data set's: the last layer is reordered" in caplog.text


def test_a_start_of_other_classes_gets_a_new_last_layer(tmp_path, start, caplog):
    caplog.set_level("INFO", "hrnet_keras")
    path, _, _, kernel = start
    streets.draw(tmp_path, count=2)
    (tmp_path / "classes.txt").write_text("ground\nsquare\nring\n")
    asked = recipe(tmp_path, "seg", "folder", tmp_path, {"weights": path})
    head = assemble.build(asked, datasets.load("folder", "train", tmp_path)).get_layer("last_layer.3")
    assert not np.asarray(head.bias).any() and np.abs(np.asarray(head.kernel) - kernel).min() > 0
    assert np.std(head.kernel) == pytest.approx(0.001, rel=0.2), "drawn as a new one is"
    said = caplog.text
    assert "has ground, square, bar; the data set has ground, square, ring" in said and "starts at random" in said


def test_a_diverged_net_is_not_the_best(tmp_path, caplog):
    dataset = datasets.load("folder", "val", streets.draw(tmp_path / "data", count=1))
    model = tiny("seg", 3)
    builders.name_outputs(model, dataset.info)
    scores = Scores(model, dataset, str(tmp_path))
    scores.set_params({"epochs": 3})
    scores.on_train_begin()
    weights = model.layers[-2].get_weights()
    for epoch, factor in enumerate((np.nan, 1.0, np.inf)):
        model.layers[-2].set_weights([value + factor if epoch != 1 else value for value in weights])
        scores.on_epoch_begin(epoch)
        scores.on_epoch_end(epoch, {"loss": 1.0})
        assert (tmp_path / "best.keras").exists() == (epoch > 0)
    best = hk.load(str(tmp_path / "best.keras"))
    np.testing.assert_array_equal(best.layers[-2].get_weights()[0], weights[0])
    assert caplog.text.count("no score: weights scores/kernel are no finite numbers") == 2


def test_a_net_whose_maps_overflow_finds_nothing():
    """Finite weights, infinite heat maps: nobody is found, and that scores 0."""
    dataset = datasets.load("toytown", "val", count=2, annotation="figures", size=[96, 128])
    model = tiny("pose", num_keypoints=17)
    model.layers[-2].kernel.assign(np.full(model.layers[-2].kernel.shape, 3e38))
    builders.name_outputs(model, replace(dataset.info, name="mine"))
    assert hk.evaluate(model, dataset, verbose=False)["PCK"] <= 5
    found = hk.predict(model, dots.picture((90, 80), np.full((1, 3, 2), 40.0)), boxes=[[10, 10, 60, 70]])[0]
    assert np.isfinite(found.points).all() and (found.scores == 0).all()

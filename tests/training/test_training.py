"""The training verb: from a recipe to a model, cut off and resumed, and what it refuses."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras import training
from hrnet_keras.recipe import DataRecipe, ModelRecipe, OptimizerRecipe, Recipe, TrainRecipe
from hrnet_keras.tasks.segmentation.recipe import Augment
from hrnet_keras.training import assemble
from tests import streets


def recipe(tmp_path, root, optimizer=None, **train):
    optimizer = optimizer or {}
    return Recipe(
        model=ModelRecipe(name="HRNetV2W18SmallV1"),
        data=DataRecipe(name="folder", root=str(root)),
        augment=Augment(crop=(64, 64), scale=(0.8, 1.2), brightness=5),
        optimizer=OptimizerRecipe(learning_rate=0.02, **optimizer),
        train=TrainRecipe(**{"epochs": 3, "batch": 2, **train}),
        output=str(tmp_path / "run"),
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    streets.draw(root, count=4, split="train")
    return streets.draw(root, count=2, split="val", seed=1)


class PowerCut(keras.callbacks.Callback):
    """Ends the process's training in the middle of an epoch, as a crash would."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.now = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_run_cut_off_goes_on_to_the_same_weights(tmp_path, root, monkeypatch, capsys):
    whole = training.train(recipe(tmp_path / "whole", root))
    interrupted = recipe(tmp_path / "cut", root)
    tensorboard = keras.callbacks.TensorBoard
    monkeypatch.setattr(keras.callbacks, "TensorBoard", lambda *a, **k: PowerCut(epoch=1))
    with pytest.raises(KeyboardInterrupt):
        training.train(interrupted)
    monkeypatch.setattr(keras.callbacks, "TensorBoard", tensorboard)
    resumed = training.train(interrupted)
    assert resumed.epoch == [1, 2]
    assert int(whole.model.optimizer.iterations) == int(resumed.model.optimizer.iterations) == 6
    # Threads add in any order, so the weights differ by rounding; another order of pictures would show at once.
    assert whole.history["loss"][1:] == pytest.approx(resumed.history["loss"], rel=1e-2)
    lines = [json.loads(line) for line in (tmp_path / "cut" / "run" / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all({"mIoU", "loss", "seconds"} <= set(line) for line in lines)
    assert {"best.keras", "last.keras", "recipe.json", "tensorboard"} <= set(os.listdir(tmp_path / "cut" / "run"))
    found = hk.predict(tmp_path / "cut" / "run" / "last.keras", str(root / "val" / "images" / "0.png"))[0]
    assert found.info.class_names == tuple(streets.CLASSES)
    with pytest.raises(ValueError, match="holds the finished experiment"):
        training.train(interrupted)
    with pytest.raises(ValueError, match=r"holds another experiment \(optimizer.momentum differ\)"):
        training.train(recipe(tmp_path / "cut", root, {"momentum": 0.5}))


TWO_REPLICAS = """
import json, sys
import numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from hrnet_keras import builders, training
from hrnet_keras.layers import ModelInfoLayer, Resize
from hrnet_keras.backbone import bottleneck, conv_bn_relu
from hrnet_keras.architecture import Conventions
from hrnet_keras.recipe import Recipe

def head_of_an_hrnet(task, num_classes, **options):
    "Convolutions and batch norms enough for replicas to differ; a whole net takes minutes to trace twice."
    image = keras.Input((None, None, 3))
    x = conv_bn_relu(image / 64, 16, 3, 2, "conv1", "bn1", Conventions())
    x = bottleneck(x, 8, "layer1", Conventions(), project=True)
    x = Resize(name="up")(keras.layers.Conv2D(num_classes, 1)(x), image)
    return keras.Model(image, ModelInfoLayer({"task": task, "num_classes": num_classes, "output_stride": 1})(x))

builders.HRNetV2W18SmallV1 = head_of_an_hrnet

def train(strategy, output, **changes):
    with strategy.scope():
        return training.train(Recipe.load(sys.argv[1], output=output, **changes), verbose=0)

one = train(tf.distribute.get_strategy(), sys.argv[2] + "/one")
reduce = tf.distribute.ReductionToOneDevice()
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce)
train(mirrored, sys.argv[2] + "/two", train={"epochs": 2})
two = train(mirrored, sys.argv[2] + "/two")  # goes on where replicas had been
assert two.epoch == [2]
np.testing.assert_allclose(one.history["loss"][2:], two.history["loss"], rtol=1e-4)
kernels = [np.asarray(h.model.get_layer("conv1").kernel) for h in (one, two)]
assert np.abs(kernels[0] - kernels[1]).max() < 1e-4 * np.abs(kernels[0]).max()
"""


def test_two_replicas_learn_what_one_does(tmp_path, root):
    """Each replica's loss is a mean over its own labelled pixels, as on the GPUs of the official code."""
    path = tmp_path / "street.yaml"
    path.write_text(
        f"model: {{name: HRNetV2W18SmallV1}}\ndata: {{name: folder, root: '{root}'}}\n"
        "augment: {crop: [32, 32], scale: null}\noptimizer: {learning_rate: 0.02}\nschedule: {name: constant}\n"
        "train: {epochs: 3, batch: 4}\n"
    )
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS, path, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_unreadable_pictures_stop_the_run_by_name_or_are_skipped_and_counted(tmp_path, caplog):
    root = streets.draw(tmp_path / "data", count=4)
    data = (root / "images" / "2.png").read_bytes()
    (root / "images" / "2.png").write_bytes(data[: len(data) // 2])
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(root / "labels" / "3.png")
    broken = recipe(tmp_path, root)
    with pytest.raises(ValueError, match=r"2\.png"):
        training.train(broken)
    skipping = replace(broken.data, unreadable="skip")
    train, held_out = assemble.open_data(skipping)
    assert train.names == held_out.names == ("0", "1")
    printed = caplog.text
    assert "2 of 4 pictures of split 'train' skipped" in printed and "2.png" in printed and "9x9" in printed


def test_broken_pictures_read_from_disk_are_named_too(tmp_path):
    root = streets.draw(tmp_path / "data", count=4)
    data = (root / "images" / "1.png").read_bytes()
    (root / "images" / "1.png").write_bytes(data[: len(data) // 2])
    broken = recipe(tmp_path, root)
    uncached = replace(broken, data=replace(broken.data, cache=False))
    with pytest.raises(ValueError, match=r"1\.png.*unreadable: skip|1\.png"):
        training.train(uncached)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": ModelRecipe(name="HRNetV2W19")}, "model.name='HRNetV2W19': expected one of"),
        ({"model": ModelRecipe(name="HRNetV2W18", task="depth")}, "task='depth': expected one of"),
        ({"train": TrainRecipe(batch=5)}, "train.batch=5: split 'train' has only 4 examples to train on"),
        ({"data": DataRecipe(name="folder", root="/nowhere")}, "nowhere"),
    ],
)
def test_impossible_recipes_are_refused(tmp_path, root, change, expected):
    good = recipe(tmp_path, root)
    with pytest.raises(ValueError, match=expected):
        training.train(Recipe(**{**vars(good), **change}))


def test_an_output_that_cannot_be_written_is_named(tmp_path, root):
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(ValueError, match=r"output .*run"):
        training.train(recipe(tmp_path, root))

"""What a model is fitted to: named losses, their sum, and the same steps as Keras's own `compile(loss=...)`."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.keypoints.losses import OhkmMSE
from hrnet_keras.tasks.objective import OWN_OUTPUT, Objective, ObjectiveModel, objective_of
from hrnet_keras.tasks.segmentation.losses import CrossEntropy, OhemCrossEntropy, objective
from hrnet_keras.tasks.segmentation.recipe import Loss

DATA = DatasetInfo("mine", class_names=("a", "b", "c"), class_weights=(1.0, 2.0, 3.0))


def net(head=None):
    """Logits of three classes, and beside them those of an auxiliary layer, as the OCR nets have it."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv", kernel_regularizer="l2")(image)
    regions = keras.layers.Conv2D(3, 1, name="aux_head.3" if head else "other")(x)
    return keras.Model(image, keras.layers.Conv2D(3, 1, name="cls_head")(keras.layers.concatenate([x, regions])))


def batch():
    rng = np.random.default_rng(0)
    return rng.random((4, 8, 8, 3), np.float32), rng.integers(0, 3, (4, 8, 8)).astype(np.uint8)


def test_steps_are_those_of_compile_with_the_loss():
    """Losses and weights of three steps; a regulariser's loss is part of both."""
    images, label_maps = batch()
    model, same = net(), net()
    learner = ObjectiveModel.of(model, objective(Loss(), ModelInfo("seg"), DATA))
    learner.compile(keras.optimizers.SGD(0.1))
    same.compile(keras.optimizers.SGD(0.1), loss=CrossEntropy(class_weights=DATA.class_weights))
    for _ in range(3):
        assert learner.train_on_batch(images, label_maps) == same.train_on_batch(images, label_maps)
    for one, other in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["cross_entropy", "ohem"])
def test_the_auxiliary_head_learns_by_its_name(name):
    images, label_maps = batch()
    loss = Loss(name=name, ohem_threshold=0.5, ohem_min_kept=20, class_weights=False)
    learner = ObjectiveModel.of(net("ocr"), objective(loss, ModelInfo("seg", head="ocr"), DATA))
    learner.compile(keras.optimizers.SGD(0.0))
    outputs = learner(images)
    assert list(outputs) == [OWN_OUTPUT, "regions"]
    main = OhemCrossEntropy(threshold=0.5, min_kept=20) if name == "ohem" else CrossEntropy()
    expected = {
        name: float(main(label_maps, outputs[OWN_OUTPUT])),
        "auxiliary": float(CrossEntropy(over_all=name == "ohem")(label_maps, outputs["regions"])),
    }
    added = float(ops.sum(learner.losses))
    logs = learner.train_on_batch(images, label_maps, return_dict=True)
    assert {key: logs[key] for key in expected} == pytest.approx(expected, rel=1e-6)
    assert logs["loss"] == pytest.approx(expected[name] + 0.4 * expected["auxiliary"] + added, rel=1e-6)


def test_targets_and_outputs_may_be_of_any_structure():
    image = keras.Input((4,), name="image")
    model = keras.Model(image, {"boxes": keras.layers.Dense(4)(image), "scores": keras.layers.Dense(1)(image)})

    def losses(outputs, targets):
        boxes, (scores, weights) = targets["boxes"], targets["rest"]
        return {
            "box": ops.mean(ops.abs(outputs["boxes"] - boxes), axis=1),
            "score": weights * ops.squeeze(ops.square(outputs["scores"] - scores), axis=1),
        }

    learner = ObjectiveModel.of(model, Objective(losses, {"box": 1.0, "score": 2.0}))
    learner.compile(keras.optimizers.SGD(0.0))
    rng = np.random.default_rng(1)
    images = rng.random((6, 4), np.float32)
    targets = {
        "boxes": rng.random((6, 4), np.float32),
        "rest": (np.ones((6, 1), np.float32), np.arange(6.0, dtype="f")),
    }
    outputs = model(images)
    box = np.abs(outputs["boxes"] - targets["boxes"]).mean()
    score = (np.arange(6) * (np.asarray(outputs["scores"])[:, 0] - 1) ** 2).mean()
    logs = learner.train_on_batch(images, targets, return_dict=True)
    assert logs == pytest.approx({"box": box, "score": score, "loss": box + 2 * score}, rel=1e-5)


TWO_REPLICAS = """
import sys
import numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.objective import ObjectiveModel
from tests.tasks.test_objective import DATA, Loss, batch, net, objective

def fit(strategy):
    with strategy.scope():
        loss = Loss(class_weights=False)
        learner = ObjectiveModel.of(net("ocr"), objective(loss, ModelInfo("seg", head="ocr"), DATA))
        learner.compile(keras.optimizers.SGD(0.1))
    return learner.fit(tf.data.Dataset.from_tensors(batch()), epochs=3, verbose=0).history, learner.get_weights()

reduce = tf.distribute.ReductionToOneDevice()
two = fit(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce))
one = fit(tf.distribute.get_strategy())
assert set(one[0]) == set(two[0]) == {"loss", "cross_entropy", "auxiliary"}
for name in one[0]:
    np.testing.assert_allclose(one[0][name], two[0][name], rtol=1e-5)
for first, second in zip(one[1], two[1]):
    np.testing.assert_allclose(first, second, atol=1e-6)
"""


@pytest.mark.slow
def test_two_replicas_learn_what_one_does():
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_saved_one_is_a_model_like_any_other(tmp_path):
    images, label_maps = batch()
    learner = ObjectiveModel.of(net(), objective_of(CrossEntropy(reduction="none")))
    learner.compile(keras.optimizers.SGD(0.1))
    learner.save(tmp_path / "fitted.keras")
    again = keras.saving.load_model(tmp_path / "fitted.keras")
    np.testing.assert_allclose(again(images), learner(images), rtol=1e-6)
    again.compile("sgd", loss=CrossEntropy())
    assert again.train_on_batch(images, label_maps) == pytest.approx(learner.train_on_batch(images, label_maps))


@pytest.mark.parametrize(
    ("old", "kind", "options"),
    [("HardPixels", OhemCrossEntropy, {"threshold": 0.5, "min_kept": 7}), ("HardPoints", OhkmMSE, {})],
)
def test_losses_in_files_of_earlier_versions_are_read(old, kind, options):
    config = {"name": "hard", "reduction": "sum_over_batch_size", **options}
    said = {"module": "hrnet_keras", "class_name": old, "config": config, "registered_name": f"hrnet_keras>{old}"}
    loss = keras.losses.deserialize(said)
    assert type(loss) is kind and all(getattr(loss, name) == value for name, value in options.items())

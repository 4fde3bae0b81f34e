"""The losses on heat maps against those of the official pose code and of mmpose (goldens), alone and under `fit`."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.keypoints.losses import LOSSES, AdaptiveWing, OhkmMSE, SquaredError, loss_named, pack

OFFICIAL = {
    "loss_unweighted": (SquaredError(factor=0.5), "target_weight"),
    "loss_weighted": (SquaredError("maps", factor=0.5), "target_weight"),
    "loss_nonbinary_weight": (SquaredError("maps", factor=0.5), "target_weight_nonbinary"),
    "loss_ohkm_top8": (OhkmMSE(), "target_weight"),
}


def last(maps):
    return maps.transpose(0, 2, 3, 1)


def value(loss, arrays, found="heatmaps", targets="targets", weights="weights"):
    packed = pack(last(arrays[f"in_{targets}"]), arrays[f"in_{weights}"].reshape(len(arrays[f"in_{found}"]), -1))
    return float(loss(packed, last(arrays[f"in_{found}"])))


@pytest.mark.parametrize("data", ["coco", "mpii"])
@pytest.mark.parametrize("name", OFFICIAL)
def test_official_pose_code(golden, data, name):
    _, arrays = golden("pose", f"pose_decode_{data}")
    loss, weights = OFFICIAL[name]
    assert value(loss, arrays, "pred_heatmaps", "heatmaps", weights) == pytest.approx(
        float(arrays[f"out_{name}"]), rel=1e-6
    )


@pytest.mark.parametrize(("loss", "name"), [(SquaredError("errors"), "mse"), (AdaptiveWing(), "awing")])
def test_mmpose(golden, loss, name):
    _, arrays = golden("landmark", "mmpose_misc")
    assert value(loss, arrays) == pytest.approx(float(arrays[f"out_{name}_weighted"]), rel=1e-5)


def test_weights_that_are_not_0_or_1_enter_linearly_or_squared():
    targets, found = np.zeros((1, 2, 3, 1)), np.full((1, 2, 3, 1), 2.0)
    packed = pack(targets, [[0.5]])
    assert packed.shape == (1, 3, 3, 1) and (packed[:, 2] == 0.5).all()
    assert [float(SquaredError(rule)(packed, found)) for rule in ("none", "errors", "maps")] == [4, 2, 1]


def test_adaptive_wing_is_steep_but_finite_around_its_seam():
    """Both branches meet at theta with one slope (arXiv:1904.07399, equation 4), and an error of 0 has no gradient."""
    import tensorflow as tf

    targets = np.float32([0, 0.3, 1] * 3).reshape(1, 1, 9, 1)
    offsets = np.float32([0.4999] * 3 + [0.5001] * 3 + [0] * 3).reshape(1, 1, 9, 1)
    found = tf.constant(targets + offsets)
    with tf.GradientTape() as tape:
        tape.watch(found)
        loss = AdaptiveWing()(pack(targets, [[1.0]]), found)
    slopes = 9 * tape.gradient(loss, found).numpy().ravel()
    np.testing.assert_allclose(slopes[:3], slopes[3:6], rtol=1e-3)
    assert (slopes[:6] > 5).all() and (slopes[6:] == 0).all()


def test_the_hardest_of_few_points_are_all_of_them():
    targets, found = np.zeros((2, 4, 4, 3)), np.ones((2, 4, 4, 3)) * [1, 2, 3]
    assert float(OhkmMSE()(pack(targets, np.ones((2, 3))), found)) == pytest.approx(0.5 * (1 + 4 + 9) / 3)


@pytest.mark.parametrize("name", LOSSES)
def test_a_value_per_example_in_float32_from_half_precision_and_after_saving(name):
    loss, rng = loss_named(name), np.random.default_rng(3)
    packed, found = rng.random((4, 9, 8, 10)).astype("float32"), rng.random((4, 8, 8, 10)).astype("float16")
    assert loss.call(packed, found).shape == (4,)
    assert keras.backend.standardize_dtype(loss.call(packed, found).dtype) == "float32"
    each = [float(loss(packed[i : i + 1], found[i : i + 1])) for i in range(4)]
    assert float(loss(packed, found)) == pytest.approx(np.mean(each), rel=1e-5)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(packed, found)) == float(loss(packed, found))


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 8, 8, 3\), the heat maps \(2, 8, 8, 3\): expected one row more"):
        SquaredError()(np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 3)))
    with pytest.raises(ValueError, match="expected one row more"):
        OhkmMSE()(np.zeros((2, 9, 8, 4)), np.zeros((2, 8, 8, 3)))
    with pytest.raises(ValueError, match="weighting='map': expected 'none', 'errors' or 'maps'"):
        SquaredError("map")
    with pytest.raises(ValueError, match=r"loss.name='cross_entropy': points are trained on 'mse', 'weighted_mse'"):
        loss_named("cross_entropy")


TWO_REPLICAS = """
import numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from hrnet_keras.tasks.keypoints.losses import LOSSES, loss_named, pack
from hrnet_keras.optimizers import StepSchedule, TorchAdam

rng = np.random.default_rng(0)
x = rng.random((8, 8, 8, 3), "float32")
y = pack(rng.random((8, 8, 8, 10), "float32"), rng.integers(0, 2, (8, 10)))

def fit(name, strategy):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(10, 3, padding="same")])
        model.compile(TorchAdam(StepSchedule(0.01, [3])), loss_named(name))
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4, drop_remainder=True)
        return model.fit(data, epochs=3, verbose=0).history["loss"], model.get_weights()

two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())
for name in LOSSES:
    (losses, weights), (expected, same) = fit(name, two), fit(name, tf.distribute.get_strategy())
    np.testing.assert_allclose(losses, expected, rtol=1e-5, err_msg=name)
    for found, one in zip(weights, same):
        np.testing.assert_allclose(found, one, atol=1e-5, err_msg=name)
    assert losses[-1] < losses[0], name
"""


@pytest.mark.slow
def test_two_replicas_learn_what_one_does():
    """Sums in another order differ by rounding, which Adam's division lets through: 1e-5 of weights that move 0.06."""
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


ANOTHER_BACKEND = """
import sys
import numpy as np
import keras
from hrnet_keras.tasks.keypoints.losses import LOSSES, loss_named
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
rng = np.random.default_rng(3)
packed, found = rng.random((4, 9, 8, 10)), rng.random((4, 8, 8, 10))
print(*(float(loss_named(name)(packed, found)) for name in LOSSES))
"""


def test_jax_gives_the_same():
    pytest.importorskip("jax")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", ANOTHER_BACKEND]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    rng = np.random.default_rng(3)
    packed, found = rng.random((4, 9, 8, 10)), rng.random((4, 8, 8, 10))
    expected = [float(loss_named(name)(packed, found)) for name in LOSSES]
    assert [float(word) for word in done.stdout.split()] == pytest.approx(expected, rel=1e-5)

"""Batch norm against PyTorch's formulas in NumPy, against Keras's own layer, and over two replicas."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.builders import hrnet
from hrnet_keras.folding import fold_batch_norm
from hrnet_keras.layers import BatchNormalization
from hrnet_keras.layers.normalization import GroupNormalization, convert_to_group_norm


def layer_with_statistics(channels=5, **options):
    layer = BatchNormalization(**options)
    layer.build((None, None, None, channels))
    rng = np.random.default_rng(0)
    values = (
        rng.uniform(0.5, 1.5, channels),
        rng.normal(size=channels),
        rng.normal(size=channels),
        rng.uniform(1, 2, channels),
    )
    layer.set_weights([value.astype(np.float32) for value in values])
    return layer


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(2, 3, (3, 4, 6, 5)).astype(np.float32)


def test_training_uses_the_batch_and_the_unbiased_variance(x):
    """`torch.nn.BatchNorm2d`: normalises by the biased variance, remembers the unbiased one."""
    layer = layer_with_statistics(momentum=0.9)
    gamma, beta, mean, variance = layer.get_weights()
    found = np.asarray(layer(x, training=True))
    flat = x.reshape(-1, 5).astype(np.float64)
    expected = (x - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5) * gamma + beta
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.9 * mean + 0.1 * flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 * variance + 0.1 * flat.var(0, ddof=1), rtol=1e-5)


def test_inference_equals_keras(x):
    layer = layer_with_statistics()
    other = keras.layers.BatchNormalization(epsilon=1e-5)
    other.build((None, None, None, 5))
    other.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(x), other(x), rtol=1e-5, atol=1e-5)
    layer.trainable = False
    before = layer.get_weights()
    np.testing.assert_allclose(layer(x, training=True), other(x), rtol=1e-5, atol=1e-5)
    for one, two in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_gradients_equal_keras(x):
    layer = layer_with_statistics()
    other = keras.layers.BatchNormalization(epsilon=1e-5)
    other.build((None, None, None, 5))
    other.set_weights(layer.get_weights())
    upstream = np.random.default_rng(2).normal(size=x.shape).astype(np.float32)
    gradients = []
    for each in (layer, other):
        images = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(images)
            value = tf.reduce_sum(each(images, training=True) * upstream)
        gradients.append(tape.gradient(value, [images, each.gamma.value, each.beta.value]))
    for found, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_the_general_form_equals_the_fused_one(x, monkeypatch):
    """What the other backends compute, computed on this one."""
    fused, general = layer_with_statistics(), layer_with_statistics()
    expected = np.asarray(fused(x, training=True))
    monkeypatch.setattr(keras.backend, "backend", lambda: "another")
    found = np.asarray(general(x, training=True))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for one, two in zip(general.get_weights(), fused.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_keeps_float32_statistics(x, policy):
    layer = BatchNormalization(dtype=policy)
    found = layer(tf.cast(x, layer.compute_dtype), training=True)
    assert found.dtype == layer.compute_dtype and layer.moving_mean.dtype == "float32"
    flat = x.reshape(-1, 5)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * flat.mean(0), rtol=2e-2)


TWO_REPLICAS = """
import numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from hrnet_keras.builders import hrnet
from hrnet_keras.folding import fold_batch_norm
from hrnet_keras.layers import BatchNormalization
from hrnet_keras.layers.normalization import GroupNormalization, convert_to_group_norm
import keras

x = np.random.default_rng(0).normal(2, 3, (8, 6, 6, 4)).astype("float32")
x[:4] += 2  # the halves have statistics of their own
y = np.random.default_rng(1).normal(size=(8, 6, 6, 4)).astype("float32")

def train(strategy):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        inputs = keras.Input((6, 6, 4))
        model = keras.Model(inputs, BatchNormalization()(inputs))
        model.compile(keras.optimizers.SGD(0.1), keras.losses.MeanSquaredError())
    model.fit(tf.data.Dataset.from_tensors((x, y)).unbatch().batch(8), epochs=3, verbose=0)
    return model.get_weights()

one = train(tf.distribute.get_strategy())
reduce = tf.distribute.ReductionToOneDevice()
two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce))
for a, b in zip(one, two, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
"""


def test_two_replicas_share_their_statistics():
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(("channels", "groups"), [(16, 1), (18, 1), (36, 2), (64, 4), (30, 2), (256, 16), (7, 1)])
def test_groups_of_about_sixteen_channels(channels, groups):
    layer = GroupNormalization()
    x = np.random.default_rng(0).normal(3, 2, (2, 4, 5, channels)).astype(np.float32)
    found = np.asarray(layer(x))
    assert layer.groups == groups
    parts = x.reshape(2, 20, groups, -1).astype(np.float64)
    mean, variance = parts.mean((1, 3), keepdims=True), parts.var((1, 3), keepdims=True)
    np.testing.assert_allclose(found.reshape(parts.shape), (parts - mean) / np.sqrt(variance + 1e-5), atol=1e-4)


def test_a_model_by_groups_answers_a_picture_alone_as_in_a_batch(tmp_path):
    model = hrnet("V2", "W18SmallV1", "seg", num_classes=3)
    renewed = convert_to_group_norm(model)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in renewed.layers)
    np.testing.assert_array_equal(renewed.get_layer("conv2").kernel, model.get_layer("conv2").kernel)
    x = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3)).astype(np.float32)
    whole, alone = np.asarray(renewed(x, training=True)), np.asarray(renewed(x[:1], training=True))
    np.testing.assert_allclose(whole[:1], alone, atol=1e-4 * whole.std())
    renewed.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(again(x)), np.asarray(renewed(x)), atol=1e-5 * whole.std())
    folded = fold_batch_norm(renewed)  # nothing to fold: an export keeps the groups
    np.testing.assert_allclose(np.asarray(folded(x)), np.asarray(renewed(x)), atol=1e-5 * whole.std())

"""Running statistics measured anew: against means and variances taken by hand, and what it saves a short training."""

import keras
import numpy as np
import pytest

from hrnet_keras import training
from hrnet_keras.builders import hrnet
from hrnet_keras.datasets.reading import read_image
from hrnet_keras.training.statistics import is_short, recompute_statistics
from tests import streets
from tests.training.test_training import recipe


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return hrnet("V2", "W18SmallV1", "seg", num_classes=3)


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (4, 64, 64, 3)).astype(np.float32) * shade for shade in (1.0, 0.6, 0.3)]


@pytest.mark.parametrize("name", ["bn1", "layer1.0.bn3", "stage2.0.fuse_layers.0.1.1", "last_layer.1"])
def test_statistics_are_those_of_all_values_of_the_batches(model, batches, name):
    """Mean and variance over the values that reach the layer, each batch normalised by its own statistics before."""
    layer = model.get_layer(name)
    into = keras.Model(model.input, layer.input)
    momentum = layer.momentum
    channels = layer.input.shape[-1]
    values = np.stack([into(batch, training=True) for batch in batches]).reshape(len(batches), -1, channels)
    assert recompute_statistics(model, batches) == 3
    assert layer.momentum == momentum
    np.testing.assert_allclose(layer.moving_mean, values.mean((0, 1)), rtol=1e-3, atol=1e-4)
    # Every batch's own variance is the unbiased one.
    np.testing.assert_allclose(layer.moving_variance, values.var((0, 1)), rtol=5e-3)


def test_weights_and_frozen_layers_stay_as_they_are(model, batches):
    frozen = model.get_layer("stage3.0.branches.1.0.bn1")
    before = [np.array(v) for v in frozen.variables]
    weights = [np.array(v) for v in model.trainable_variables]
    frozen.trainable = False
    try:
        recompute_statistics(model, batches[:1])
    finally:
        frozen.trainable = True
    for old, new in zip(before, frozen.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(weights, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_no_batches_are_an_error(model):
    with pytest.raises(ValueError, match="no batch"):
        recompute_statistics(model, [])


def test_a_training_is_short_until_ten_time_constants_of_the_averages_are_over(model):
    assert is_short(model, 999) and not is_short(model, 1001)  # momentum 0.99
    assert not is_short(hrnet("V2", "W18SmallV1", "cls", num_classes=2), 101)  # momentum 0.9


def off(model, images):
    """How far logits by running statistics lie from those by the batch's own, in standard deviations of the latter."""
    by_running = np.array(model(images, training=False))
    by_batch = np.array(model(images, training=True))
    return np.abs(by_running - by_batch).mean() / by_batch.std()


@pytest.mark.slow
def test_a_short_training_answers_as_its_batches_do(tmp_path, caplog):
    caplog.set_level("INFO", "hrnet_keras")
    root = streets.draw(tmp_path / "data", count=6)
    training.train(recipe(tmp_path, root, epochs=3, evaluate_every=3), verbose=0)
    assert "9 steps are few, so its statistics are measured over 10 batches" in caplog.text
    model = keras.saving.load_model(tmp_path / "run" / "last.keras", compile=False)
    images = np.stack([read_image(file) for file in sorted((root / "images").iterdir())]).astype(np.float32)
    assert off(model, images) < 0.5
    for layer in model.layers:  # where moving averages of momentum 0.99 stand after nine steps
        if isinstance(layer, keras.layers.BatchNormalization):
            kept = layer.momentum**9
            layer.moving_mean.assign(layer.moving_mean * (1 - kept))
            layer.moving_variance.assign(layer.moving_variance * (1 - kept) + kept)
    assert off(model, images) > 1

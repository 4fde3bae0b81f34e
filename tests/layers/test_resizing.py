"""Resizing against the official code's own resized maps (goldens) and NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.layers import Resize, UpSampling
from hrnet_keras.layers.resizing import resize_bilinear


@pytest.fixture
def maps(golden):
    _, arrays = golden("segmentation", "seg_losses")
    return {name: value.transpose(0, 2, 3, 1) for name, value in arrays.items() if value.ndim == 4}


@pytest.mark.parametrize("form", ["tensorflow", "another"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_bilinear_equals_pytorch(maps, align_corners, form, monkeypatch):
    expected = maps[f"out_upsampled_{'align' if align_corners else 'noalign'}"]
    monkeypatch.setattr(keras.backend, "backend", lambda: form)
    found = resize_bilinear(tf.constant(maps["in_logits"]), expected.shape[1:3], align_corners=align_corners)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_sizes_may_be_symbolic():
    resize = tf.function(lambda x, like: Resize()(x, like), input_signature=[tf.TensorSpec((None, None, None, 3))] * 2)
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32)
    like = np.zeros((2, 9, 13, 3), np.float32)
    np.testing.assert_array_equal(resize(x, like), resize_bilinear(tf.constant(x), (9, 13)))


def test_two_steps_differ_only_where_sizes_are_no_multiples():
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 3)).astype(np.float32)
    even, odd = np.zeros((1, 10, 12, 1), np.float32), np.zeros((1, 9, 11, 1), np.float32)
    one, two = Resize(), Resize(first_factor=2)
    np.testing.assert_allclose(one(x, even), two(x, even), atol=1e-6)
    assert np.abs(np.asarray(one(x, odd)) - np.asarray(two(x, odd))).max() > 0.01
    stepwise = resize_bilinear(resize_bilinear(tf.constant(x), (10, 12)), (9, 11))
    np.testing.assert_allclose(two(x, odd), stepwise, atol=1e-6)


@pytest.mark.parametrize("form", ["tensorflow", "another"])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_nearest_repeats_pixels(factor, form, monkeypatch):
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    monkeypatch.setattr(keras.backend, "backend", lambda: form)
    found = UpSampling(factor).call(tf.constant(x))
    np.testing.assert_array_equal(found, x.repeat(factor, 1).repeat(factor, 2))


@pytest.mark.parametrize("layer", [Resize(align_corners=True, first_factor=4), UpSampling(8)])
def test_layers_survive_their_configs(layer):
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()

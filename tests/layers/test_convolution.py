"""Padding on both sides, its gradient, and the mixing convolution."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.layers import AggregationConv2D, BatchNormalization, Conv2D, Resize


def direct(x, kernel, stride):
    """A convolution padded by one on every side, written out in float64."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = (-(-n // stride) for n in x.shape[1:3])
    out = np.zeros((x.shape[0], height, width, kernel.shape[-1]))
    for row in range(3):
        for column in range(3):
            part = padded[:, row : row + stride * height : stride, column : column + stride * width : stride]
            out += part[:, :height, :width] @ kernel[row, column].astype(np.float64)
    return out


@pytest.mark.parametrize("size", [(8, 10), (7, 9), (8, 7), (1, 1)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("for_inference", [False, True])
def test_pads_on_both_sides(size, stride, for_inference):
    rng = np.random.default_rng(0)
    layer = Conv2D(6, 3, strides=stride, use_bias=False)
    layer.for_inference = for_inference
    x = rng.normal(size=(2, *size, 4)).astype(np.float32)
    found = layer(x)
    assert tuple(found.shape) == layer.compute_output_shape(x.shape)
    np.testing.assert_allclose(found, direct(x, np.asarray(layer.kernel), stride), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 10), (7, 9), (8, 7)])
def test_the_strided_gradient_is_that_of_padding_first(size):
    rng = np.random.default_rng(0)
    layer = Conv2D(6, 3, strides=2, use_bias=False)
    x = tf.constant(rng.normal(size=(2, *size, 4)).astype(np.float32))
    upstream = rng.normal(size=layer(x).shape).astype(np.float32)

    def gradients(conv):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(conv(x) * upstream)
        return tape.gradient(value, [x, layer.kernel.value])

    def padded_first(images):
        margins = [[0, 0], [1, 1], [1, 1], [0, 0]]
        return tf.nn.conv2d(tf.pad(images, margins), layer.kernel.value, strides=2, padding="VALID")

    for found, expected in zip(gradients(layer), gradients(padded_first), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    graph = tf.function(lambda: gradients(layer))()
    for found, expected in zip(graph, gradients(padded_first), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
def test_mixing_is_the_convolution_of_the_concatenation(align_corners, use_bias):
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(2, *size, c)).astype(np.float32) for size, c in (((9, 11), 2), ((5, 6), 3), ((3, 3), 4))]
    mixing = AggregationConv2D(7, use_bias=use_bias, align_corners=align_corners)
    found = mixing(maps)
    if use_bias:
        mixing.bias.assign(rng.normal(size=7))
        found = mixing(maps)
    stack = np.concatenate([Resize(align_corners=align_corners)(x, maps[0]) for x in maps], -1)
    expected = stack @ np.asarray(mixing.kernel)[0, 0] + (np.asarray(mixing.bias) if use_bias else 0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert mixing.compute_output_shape([x.shape for x in maps]) == (2, 9, 11, 7)


def test_layers_survive_their_configs():
    layer = AggregationConv2D(7, use_bias=False, align_corners=True, name="last_layer.0")
    again = AggregationConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    conv = Conv2D(3, 3, strides=2, name="conv1")
    assert keras.layers.deserialize(keras.layers.serialize(conv)).get_config() == conv.get_config()


def test_weights_of_dotted_layers_have_names_that_pytorch_takes(monkeypatch):
    layers = [
        Conv2D(2, 3, name="stage2.0.conv1"),
        AggregationConv2D(2, name="last_layer.0"),
        BatchNormalization(name="a.1"),
    ]
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    layers[0].build((None, 8, 8, 3))
    layers[1].build([(None, 8, 8, 3), (None, 4, 4, 6)])
    layers[2].build((None, 8, 8, 3))
    for layer in layers:
        assert layer.weights and not [variable.path for variable in layer.weights if "." in variable.path]

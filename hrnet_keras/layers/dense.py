"""Fully connected layers under names with dots, one of them over a grid of features."""

from typing import Any

import keras
import numpy as np
from keras import ops

from hrnet_keras.layers.dotted import DottedName


@keras.saving.register_keras_serializable("hrnet_keras")
class Dense(DottedName, keras.layers.Dense):
    """Keras's fully connected layer under a name with dots."""


@keras.saving.register_keras_serializable("hrnet_keras")
class GridDense(DottedName, keras.layers.Layer):
    """A fully connected layer over all features of a small map.

    The kernel keeps the map's axes, `(height, width, channels, units)`, as a convolution's does. PyTorch's matrix
    `(units, channels * height * width)` becomes it like any convolution, once reshaped to
    `(units, channels, height, width)`, so no layout hides in an order of rows.

    Args:
        units: size of the output.
        activation: as in Keras's `Dense`.
        kernel_initializer: drawn for the kernel seen as a matrix `(height * width * channels, units)`.

    Input: `(batch, height, width, channels)`, all but the first known. Output: `(batch, units)`.

    Attributes:
        MATRIX: what the kernel is marked with: PyTorch's tensor for it has two axes.
    """

    MATRIX = "is_matrix_in_pytorch"

    def __init__(self, units, *, activation=None, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        _, height, width, channels = input_shape
        shape = (height, width, channels, self.units)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self._drawn)
        setattr(self.kernel, self.MATRIX, True)
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def _drawn(self, shape, dtype=None):
        height, width, channels, units = shape
        matrix = self.kernel_initializer((height * width * channels, units), dtype=dtype)
        return ops.reshape(matrix, shape)

    def call(self, inputs: Any) -> Any:
        matrix = ops.reshape(self.kernel, (-1, self.units))
        features = ops.reshape(inputs, (-1, matrix.shape[0]))
        return self.activation(ops.matmul(features, matrix) + self.bias)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable("hrnet_keras")
class LowRankGridDense(DottedName, keras.layers.Layer):
    """A `GridDense` whose matrix is the product of two thin ones: fewer weights, fewer multiplications.

    Args:
        units: size of the output.
        rank: columns of the first matrix, rows of the second.
        activation: as in Keras's `Dense`.

    Input: `(batch, height, width, channels)`, all but the first known. Output: `(batch, units)`.

    Source: Fast R-CNN (arXiv:1504.08083), section 3.1: a fully connected layer by its truncated singular values.
    """

    def __init__(self, units, rank, *, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.rank = rank
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        size = int(np.prod(input_shape[1:]))
        self.first = self.add_weight(name="first", shape=(size, self.rank))
        self.second = self.add_weight(name="second", shape=(self.rank, self.units))
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        features = ops.reshape(inputs, (-1, self.first.shape[0]))
        return self.activation(ops.matmul(ops.matmul(features, self.first), self.second) + self.bias)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)

    def get_config(self):
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "rank": self.rank, "activation": activation}

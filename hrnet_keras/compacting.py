"""Large fully connected layers as two thin ones: a detector of a third of the weights."""

import keras
import numpy as np

from hrnet_keras.layers import Conv2D
from hrnet_keras.layers.dense import GridDense, LowRankGridDense
from hrnet_keras.layers.rebuilding import rebuilt

RANK = 128


def thin_out(model: keras.Model, rank: int = RANK) -> keras.Model:
    """Builds a copy of a model whose large fully connected layers are products of two thin matrices.

    The matrix of a `GridDense` is replaced by the nearest one of a rank (by its largest singular values), where that
    has fewer weights. Detections change a little: score the result.

    Args:
        model: a functional model of this package.
        rank: singular values that stay.

    Returns:
        A functional `keras.Model` with the same layer names, inputs and outputs.

    Source: Fast R-CNN (arXiv:1504.08083), section 3.1.
    """
    large = [layer.name for layer in model.layers if isinstance(layer, GridDense) and _pays(layer, rank)]

    def renew(layer):
        if layer.name not in large:
            twin = layer.__class__.from_config(layer.get_config())
            if isinstance(layer, Conv2D):
                twin.for_inference = layer.for_inference
            return twin
        return LowRankGridDense(
            layer.units, rank, activation=layer.activation, name=layer.name, dtype=layer.dtype_policy
        )

    def weights_of(layer):
        return _thin_weights(layer, rank) if layer.name in large else layer.get_weights()

    return rebuilt(model, renew, weights_of)


def _pays(layer, rank):
    rows, columns = _matrix(layer).shape
    return rank * (rows + columns) < rows * columns


def _matrix(layer):
    return np.asarray(layer.kernel, np.float64).reshape(-1, layer.units)


def _thin_weights(layer, rank):
    """The two matrices, to which the singular values go half and half, and the bias."""
    left, values, right = np.linalg.svd(_matrix(layer), full_matrices=False)
    roots = np.sqrt(values[:rank])
    return [left[:, :rank] * roots, roots[:, None] * right[:rank], np.asarray(layer.bias)]

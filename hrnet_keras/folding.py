"""Batch norm folded into the convolution before it: the same function with a third of the layers."""

import keras
import numpy as np

from hrnet_keras.layers import AggregationConv2D, BatchNormalization, Conv2D
from hrnet_keras.layers.rebuilding import rebuilt


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Builds a float32 copy of a model for inference, without batch norms.

    Every batch norm that follows a convolution directly becomes part of it: kernel * gamma / sqrt(variance + epsilon),
    and a bias. Computed in float64, so exact to the rounding of the new weights. A batch norm that follows
    anything else stays.

    Args:
        model: a functional model of this package.

    Returns:
        A functional `keras.Model` with the same layer names, inputs and outputs; an identity stands where a batch norm
        was.
    """
    folds = _folds(model)
    norms = {norm.name for norm in folds.values()}

    def renew(layer):
        config = layer.get_config()
        if "dtype" in config:  # a net trained in mixed precision is served in float32
            config["dtype"] = "float32"
        if layer.name in norms:
            return keras.layers.Identity(name=layer.name, dtype="float32")
        if layer.name in folds:
            config["use_bias"] = True
        twin = layer.__class__.from_config(config)
        if isinstance(twin, Conv2D):
            twin.for_inference = True
        return twin

    def weights_of(layer):
        return _folded(layer, folds[layer.name]) if layer.name in folds else layer.get_weights()

    return rebuilt(model, renew, weights_of)


def _folds(model):
    """`{name of convolution: batch norm}` for every convolution whose only reader is a batch norm."""
    norms = {}
    for layer in model.layers:
        if not isinstance(layer, (keras.layers.Conv2D, AggregationConv2D)):
            continue
        readers = [node.operation for node in layer._outbound_nodes if node.operation in model.operations]
        if len(readers) == 1 and isinstance(readers[0], BatchNormalization):
            norms[layer.name] = readers[0]
    return norms


def _folded(conv, norm):
    """Kernel and bias of a convolution with its batch norm in it."""
    kernel = np.asarray(conv.kernel, np.float64)
    bias = 0.0
    if conv.bias is not None:
        bias = np.asarray(conv.bias, np.float64)
    # In float64: the folded kernel is rounded once.
    gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [(kernel * scale).astype(np.float32), (beta + (bias - mean) * scale).astype(np.float32)]

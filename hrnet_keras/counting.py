"""How large a model is and how much work it does."""

import math

import keras

from hrnet_keras.layers import AggregationConv2D


def count_parameters(model: keras.Model) -> int:
    """Counts trainable weights: the statistics of batch norms are not among them."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def count_macs(model: keras.Model, size: tuple[int, int]) -> int:
    """Counts the multiply-accumulates of a model's convolutions and dense layers for one picture; runs nothing.

    As in the literature, resizing, batch norm, activations and the products inside attention are left out. A
    `AggregationConv2D` counts for the work it does, every slice at its own resolution; a model built with
    `reference_form=True` has the count of the reference program.

    Args:
        model: a functional model of this package.
        size: `(height, width)` in pixels.

    Returns:
        A whole number; divided by 2^30 it is what the official tables call GFLOPs.
    """
    layers = [x for x in model.layers if isinstance(x, (keras.layers.Conv2D, keras.layers.Dense, AggregationConv2D))]
    places = [x.input if isinstance(x, AggregationConv2D) else [x.output] for x in layers]
    asked = [tensor for tensors in places for tensor in tensors]
    shapes = iter(keras.Model(model.inputs, asked).compute_output_shape((1, *size, 3)))
    total = 0
    for layer, tensors in zip(layers, places, strict=True):
        for shape in [next(shapes) for _ in tensors]:
            total += math.prod(shape[1:-1]) * _per_position(layer, shape[-1])
    return total


def _per_position(layer, channels):
    """Multiplications of a layer at one position; `channels` are those of the map it was asked with."""
    if isinstance(layer, AggregationConv2D):
        return channels * layer.filters
    return math.prod(layer.kernel.shape)

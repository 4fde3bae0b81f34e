"""How large a model is and how much work it does."""

import math

import keras

from hrnet_keras.layers import AggregationConv2D, GridDense

_COUNTED = (
    keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.Dense, AggregationConv2D, GridDense,
)  # fmt: skip


def count_parameters(model: keras.Model) -> int:
    """Counts trainable weights: the statistics of batch norms are not among them."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def count_macs(model: keras.Model, size: tuple[int, int]) -> int:
    """Counts the multiply-accumulates of a model's convolutions and dense layers for one picture; runs nothing.

    As in the literature, resizing, batch norm, activations, the products inside attention and what detectors do with
    boxes are left out. A layer counts for every map that it is applied to, those of boxes for every box that the model
    looks at (1000 proposals, 100 detections). A `AggregationConv2D` counts for the work it does, every slice at its own
    resolution; a model built with `reference_form=True` has the count of the reference program.

    Args:
        model: a functional model of this package.
        size: `(height, width)` in pixels.

    Returns:
        A whole number; divided by 2^30 it is what the official tables call GFLOPs.
    """
    return sum(macs_of_layers(model, size).values())


def macs_of_layers(model: keras.Model, size: tuple[int, int]) -> dict[str, int]:
    """As `count_macs`, by the names of the layers."""
    layers = [layer for layer in model.layers if isinstance(layer, _COUNTED)]
    maps = {layer.name: _maps_of(layer) for layer in layers}
    asked = [tensor for tensors in maps.values() for tensor in tensors]
    shapes = iter(keras.Model(model.inputs, asked).compute_output_shape((1, *size, 3)))
    counts = {}
    for layer in layers:
        of_layer = [next(shapes) for _ in maps[layer.name]]
        counts[layer.name] = sum(math.prod(shape[:-1]) * _per_position(layer, shape[-1]) for shape in of_layer)
    return counts


def _maps_of(layer: keras.Layer) -> list[keras.KerasTensor]:
    """What a layer does its work on: its outputs, or inputs where these are smaller, of every place it is used at."""
    tensors: list[keras.KerasTensor] = []
    for node in layer._inbound_nodes:
        is_by_input = isinstance(layer, (AggregationConv2D, keras.layers.Conv2DTranspose))
        tensors += node.input_tensors if is_by_input else node.output_tensors
    return tensors


def _per_position(layer: keras.Layer, channels: int) -> int:
    """Multiplications of a layer at one position; `channels` are those of the map it was asked with."""
    if isinstance(layer, AggregationConv2D):
        return channels * layer.filters
    return math.prod(layer.kernel.shape)

"""A functional model with some of its layers replaced, and the weights of all of them."""

from collections.abc import Callable, Sequence
from typing import Any

import keras


def rebuilt(
    model: keras.Model, renew: Callable[[keras.layers.Layer], keras.layers.Layer],
    weights_of: Callable[[keras.layers.Layer], Sequence[Any]],
) -> keras.Model:  # fmt: skip
    """A copy of a model, layer by layer.

    Args:
        model: a functional model.
        renew: gives the new layer for an old one, of the same name.
        weights_of: gives the new layer's weights for an old one that has some; a new layer without any gets none.

    Returns:
        A functional `keras.Model` of the same layer names, inputs and outputs.
    """
    copy = keras.models.clone_model(model, clone_function=renew)
    for layer in model.layers:
        if layer.weights and copy.get_layer(layer.name).weights:
            copy.get_layer(layer.name).set_weights(weights_of(layer))
    return copy

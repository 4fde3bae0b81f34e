"""A functional model of Keras 3 -> the same model of tf_keras, layer by layer."""

from collections.abc import Callable
from typing import Any

import keras
import tf_keras

from hrnet_keras import layers as ours
from hrnet_keras.layers.normalization import GroupNormalization
from hrnet_keras.model_garden import layers as twins

_CONVOLUTION = ("filters", "kernel_size", "strides", "dilation_rate", "groups", "use_bias", "activation")
# A class of layers -> that of its twins, and what of its config they take.
TWINS: dict[type, tuple[Callable[..., tf_keras.layers.Layer], tuple[str, ...]]] = {
    ours.Normalize: (twins.Normalize, ("unit", "normalized")),
    ours.Conv2D: (twins.Conv2D, _CONVOLUTION),
    ours.AggregationConv2D: (twins.AggregationConv2D, twins.AggregationConv2D.OPTIONS),
    ours.BatchNormalization: (twins.BatchNormalization, ("momentum", "epsilon")),
    GroupNormalization: (tf_keras.layers.GroupNormalization, ("groups", "epsilon")),
    ours.Resize: (twins.Resize, twins.Resize.OPTIONS),
    ours.UpSampling: (twins.UpSampling, twins.UpSampling.OPTIONS),
    keras.layers.ReLU: (tf_keras.layers.ReLU, ("max_value", "negative_slope", "threshold")),
    keras.layers.Add: (tf_keras.layers.Add, ()),
    keras.layers.Concatenate: (tf_keras.layers.Concatenate, ("axis",)),
    keras.layers.AveragePooling2D: (tf_keras.layers.AveragePooling2D, ("pool_size", "strides", "padding")),
}
_REGULARIZED = (ours.Conv2D, ours.AggregationConv2D)


def twin(model: keras.Model, *, kernel_regularizer: Any = None) -> tf_keras.Model:
    """Builds the same model of tf_keras, from the graph of one of Keras 3.

    Args:
        model: a functional model of this package without a task's head: what `task=None` builds.
        kernel_regularizer: of tf_keras, put on the kernels of all convolutions.

    Returns:
        A functional `tf_keras.Model` of the same layer names, inputs, outputs, weights and precision; what is frozen
        stays so.

    Raises:
        ValueError: the model is not functional; a layer has no twin.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:
        twin(hk.HRNetV2W18(weights="imagenet"))
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"Keras runs on {keras.backend.backend()!r}: a twin needs KERAS_BACKEND=tensorflow")
    if not isinstance(model, keras.Model) or not hasattr(model, "_run_through_graph"):
        raise ValueError(f"{type(model).__name__}: expected a functional keras.Model, as hrnet_keras's builders give")
    made: dict[str, tf_keras.layers.Layer] = {}

    def twin_of(layer: keras.layers.Layer) -> tf_keras.layers.Layer:
        if layer.name not in made:
            made[layer.name] = _twin_of(layer, kernel_regularizer)
        return made[layer.name]

    inputs = keras.tree.map_structure(_input, model.input)
    outputs = model._run_through_graph(inputs, twin_of)
    copy = tf_keras.Model(inputs, outputs, name=model.name)
    for name, layer in made.items():
        layer.set_weights(model.get_layer(name).get_weights())
        layer.trainable = model.get_layer(name).trainable
    return copy


def _input(tensor: keras.KerasTensor) -> Any:
    batch, *shape = tensor.shape
    return tf_keras.Input(shape, batch_size=batch, name=tensor.name, dtype=tensor.dtype)


def _twin_of(layer: Any, kernel_regularizer: Any) -> tf_keras.layers.Layer:
    """The twin of one layer, without its weights."""
    if type(layer) not in TWINS:
        known = ", ".join(sorted(known.__name__ for known in TWINS))
        kind = type(layer).__name__
        raise ValueError(f"{layer.name!r} is a {kind}, which has no twin in tf_keras; those have: {known}")
    make, names = TWINS[type(layer)]
    config = layer.get_config()
    options = {name: config[name] for name in names}
    if isinstance(layer, ours.Normalize):
        options.update(marks_padding=layer.marks_padding, pixels=layer.pixels)
    if isinstance(layer, ours.BatchNormalization):
        options["keeps_statistics"] = layer.keeps_statistics
    if isinstance(layer, _REGULARIZED):
        options["kernel_regularizer"] = kernel_regularizer
    return make(name=layer.name, dtype=layer.dtype_policy.name, **options)

"""Our layers as layers of tf_keras: what they compute is our own `call`, what they learn are variables of tf_keras."""

from dataclasses import asdict
from typing import Any

import tf_keras

from hrnet_keras import layers as ours
from hrnet_keras.architecture import Pixels
from hrnet_keras.layers.convolution import tensorflow_conv

_serializable = tf_keras.saving.register_keras_serializable("hrnet_keras")


class _Layer(tf_keras.layers.Layer):
    """A layer whose options are attributes of the same names, as the calls of ours expect them.

    Attributes:
        OPTIONS: the names, which the constructor takes as keywords.
    """

    OPTIONS: tuple[str, ...] = ()

    def __init__(self, **options: Any) -> None:
        own = {name: options.pop(name) for name in self.OPTIONS}
        super().__init__(**options)
        for name, value in own.items():
            setattr(self, name, value)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.OPTIONS}}


@_serializable
class Normalize(_Layer):
    """`layers.Normalize`."""

    OPTIONS = ("unit", "normalized", "marks_padding", "pixels")
    call = ours.Normalize.call

    def __init__(self, *, pixels: Pixels | dict[str, Any], **options: Any) -> None:
        super().__init__(pixels=pixels if isinstance(pixels, Pixels) else Pixels(**pixels), **options)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pixels": asdict(self.pixels)}


@_serializable
class UpSampling(_Layer):
    """`layers.UpSampling`."""

    OPTIONS = ("factor",)
    call = ours.UpSampling.call


@_serializable
class Resize(_Layer):
    """`layers.Resize`."""

    OPTIONS = ("align_corners", "first_factor")
    call = ours.Resize.call


@_serializable
class Conv2D(tf_keras.layers.Conv2D):
    """`layers.Conv2D`: pads both sides alike, whatever the stride."""

    def __init__(self, filters: int, kernel_size: Any, **options: Any) -> None:
        super().__init__(filters, kernel_size, **{**options, "padding": "same"})

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if self.strides == (1, 1) or self.kernel_size == (1, 1):
            return super().convolution_op(inputs, kernel)
        return tensorflow_conv(inputs, kernel, self.strides)


@_serializable
class AggregationConv2D(_Layer):
    """`layers.AggregationConv2D`."""

    OPTIONS = ("filters", "use_bias", "align_corners")
    call = ours.AggregationConv2D.call

    def __init__(self, *, kernel_regularizer: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.kernel_regularizer = tf_keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Any) -> None:
        shape = (1, 1, sum(shape[-1] for shape in input_shape), self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, regularizer=self.kernel_regularizer)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def get_config(self) -> dict[str, Any]:
        regularizer = tf_keras.regularizers.serialize(self.kernel_regularizer)
        return {**super().get_config(), "kernel_regularizer": regularizer}


@_serializable
class BatchNormalization(tf_keras.layers.BatchNormalization):
    """`layers.BatchNormalization`: PyTorch's statistics, synchronised between the replicas of a strategy.

    tf_keras's own takes the biased variance where it synchronises.
    """

    call = ours.BatchNormalization.call
    _fused = ours.BatchNormalization._fused
    _normalise = ours.BatchNormalization._normalise
    _update = ours.BatchNormalization._update

    def __init__(self, *, keeps_statistics: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.keeps_statistics = keeps_statistics

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keeps_statistics": self.keeps_statistics}

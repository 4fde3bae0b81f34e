"""Convolutions as PyTorch pads them, and the 1x1 convolution over all branches without their concatenation."""

from typing import Any

import keras
from keras import ops

from hrnet_keras.layers.dotted import DottedName
from hrnet_keras.layers.resizing import resize_bilinear


@keras.saving.register_keras_serializable("hrnet_keras")
class Conv2D(DottedName, keras.layers.Conv2D):
    """A 2-D convolution that pads `kernel // 2` on every side, whatever the stride (odd kernels, channels last).

    Keras's `"same"` pads a stride-2 convolution of an even size on one side only, PyTorch's `padding=1` on both.
    Where the backend takes explicit paddings, no separate padding pass is made.

    Attributes:
        for_inference: leaves out the wrapping that gradients need, which would keep TensorFlow from fusing bias and
            ReLU into the convolution. `fold_batch_norm` sets it.
    """

    for_inference = False

    def __init__(self, filters, kernel_size, *, strides=1, **kwargs):
        kwargs["padding"] = "same"  # gives the same output sizes: ceil(size / stride)
        super().__init__(filters, kernel_size, strides=strides, **kwargs)

    def convolution_op(self, inputs, kernel):
        if self.strides == (1, 1) or self.kernel_size == (1, 1):
            return super().convolution_op(inputs, kernel)
        if keras.backend.backend() == "tensorflow":
            return tensorflow_conv(inputs, kernel, self.strides, for_inference=self.for_inference)
        return ops.conv(ops.pad(inputs, _margins(kernel)), kernel, strides=self.strides, padding="valid")


def _margins(kernel):
    """What is padded before and after every axis of `(batch, height, width, channels)`.

    Keras's "same" pads a stride-2 convolution at the right and bottom alone where a side is even.
    """
    return [[0, 0], *([size // 2, size // 2] for size in kernel.shape[:2]), [0, 0]]


def tensorflow_conv(inputs: Any, kernel: Any, strides: tuple[int, int], *, for_inference: bool = False) -> Any:
    """A convolution padded by `kernel // 2` on every side, as one operation of TensorFlow.

    Its gradient pads first, as oneDNN has no kernel for that of explicit paddings.

    Args:
        inputs: `(batch, height, width, channels)`.
        kernel: `(kernel, kernel, channels, filters)`, of odd sides.
        strides: of height and width.
        for_inference: leaves out what gradients need.

    Returns:
        `(batch, ceil(height / stride), ceil(width / stride), filters)`.
    """
    import tensorflow as tf

    margins = _margins(kernel)
    if for_inference:
        return tf.nn.conv2d(inputs, kernel, strides=strides, padding=margins)

    @tf.custom_gradient
    def conv(x, weights):
        def gradient(upstream):
            padded = tf.pad(x, margins)
            options = {"out_backprop": upstream, "strides": [1, *strides, 1], "padding": "VALID"}
            to_padded = tf.raw_ops.Conv2DBackpropInput(input_sizes=tf.shape(padded), filter=weights, **options)
            to_weights = tf.raw_ops.Conv2DBackpropFilter(input=padded, filter_sizes=tf.shape(weights), **options)
            (_, _), (top, _), (left, _), _ = margins
            size = tf.shape(x)
            return to_padded[:, top : top + size[1], left : left + size[2]], to_weights

        return tf.nn.conv2d(x, weights, strides=strides, padding=margins), gradient

    return conv(inputs, tf.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable("hrnet_keras")
class Conv2DTranspose(DottedName, keras.layers.Conv2DTranspose):
    """Keras's transposed convolution under a name with dots."""


@keras.saving.register_keras_serializable("hrnet_keras")
class AggregationConv2D(DottedName, keras.layers.Layer):
    """The 1x1 convolution over the concatenation of all maps, resized to the first, without building it.

    A 1x1 convolution and a bilinear resize commute, so every map meets its slice of the kernel at its own size and
    only the results are resized and added: for HRNetV2's head an eighth of the multiplications, and no tensor of
    `15 * width` channels in between. The kernel is that of the concatenation, so checkpoints fit unchanged.

    Args:
        filters: number of output channels.
        use_bias: whether a bias is added.
        align_corners: as in the resize.

    Input: list of maps `(batch, height_i, width_i, channels_i)`, the first one with the output's height and width.
    Output: `(batch, height_0, width_0, filters)`.

    Source: HRNetV2's and HRNetV2p's aggregation, section 3.2 and figure 3 of arXiv:1904.04514.
    """

    def __init__(self, filters, *, use_bias=True, align_corners=False, kernel_initializer="he_normal", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.use_bias = use_bias
        self.align_corners = align_corners
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        channels = sum(shape[-1] for shape in input_shape)
        self.kernel = self.add_weight(
            shape=(1, 1, channels, self.filters), initializer=self.kernel_initializer, name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias") if self.use_bias else None

    def call(self, inputs):
        finest, *others = inputs
        size = ops.shape(finest)[1:3]
        stop = finest.shape[-1]
        total = ops.conv(finest, self.kernel[:, :, :stop], padding="valid")
        if self.bias is not None:
            total = total + ops.cast(self.bias, total.dtype)
        for x in others:
            start, stop = stop, stop + x.shape[-1]
            part = ops.conv(x, self.kernel[:, :, start:stop], padding="valid")
            total = total + resize_bilinear(part, size, align_corners=self.align_corners)
        return total

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:3], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "use_bias": self.use_bias,
            "align_corners": self.align_corners,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


# Keras names a layer's weights in a file after its class: this is what files of all versions call it.
AggregationConv2D.__name__ = "MixingConv2D"
keras.saving.get_custom_objects()["hrnet_keras>MixingConv2D"] = AggregationConv2D

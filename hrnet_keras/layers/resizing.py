"""Resizing of maps: nearest by a factor, bilinear to the size of another map, with PyTorch's pixel conventions."""

from typing import Any

import keras
import numpy as np
from keras import ops


def _interpolation_matrix(source, target, align_corners):
    """Weights `(target, source)` of linear interpolation along one axis."""
    position = np.arange(target, dtype=np.float64)
    if align_corners:
        position = position * ((source - 1) / max(target - 1, 1))
    else:  # pixels are squares: the centre of pixel i lies at i + 0.5
        position = (position + 0.5) * (source / target) - 0.5
    # PyTorch bounds positions below 0; above, the last pixel is its own neighbour.
    position = np.clip(position, 0, source - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, source - 1)
    matrix = np.zeros((target, source))
    rows = np.arange(target)
    matrix[rows, low] += 1 - (position - low)
    matrix[rows, high] += position - low
    return matrix


def resize_bilinear(x: Any, size: Any, *, align_corners: bool = False) -> Any:
    """Resizes maps bilinearly, without antialiasing.

    Args:
        x: `(batch, height, width, channels)`, any float type.
        size: `(height, width)` of the result; on TensorFlow it may be symbolic.
        align_corners: `True` keeps the centres of the corner pixels in place; `False` keeps the outer edges in place
            (half-pixel centres).

    Returns:
        `(batch, *size, channels)` in the type of `x`.

    Source: `torch.nn.functional.interpolate(mode="bilinear")`, which every official HRNet calls.
    """
    if all(isinstance(n, int) for n in size) and tuple(x.shape[1:3]) == tuple(size):
        return x
    if keras.backend.backend() == "tensorflow":
        # keras.ops.image.resize compares sizes in Python, which fails on symbolic ones (Keras 3.15).
        import tensorflow as tf

        resized = tf.raw_ops.ResizeBilinear(
            images=x, size=size, align_corners=align_corners, half_pixel_centers=not align_corners
        )
        return tf.cast(resized, x.dtype)  # the op answers in float32 whatever it is given
    rows = _interpolation_matrix(x.shape[1], int(size[0]), align_corners)
    columns = _interpolation_matrix(x.shape[2], int(size[1]), align_corners)
    x = ops.einsum("oh,bhwc->bowc", ops.cast(ops.convert_to_tensor(rows), x.dtype), x)
    return ops.einsum("ow,bhwc->bhoc", ops.cast(ops.convert_to_tensor(columns), x.dtype), x)


def repeat_nearest(x: Any, factor: int) -> Any:
    """Repeats every pixel `factor` times along height and width of `(batch, height, width, channels)`."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        size = tf.shape(x)[1:3] * factor
        # For whole factors PyTorch's "nearest" and this one take the same pixels.
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size, align_corners=False, half_pixel_centers=False)
    return ops.repeat(ops.repeat(x, factor, axis=1), factor, axis=2)


@keras.saving.register_keras_serializable("hrnet_keras")
class UpSampling(keras.layers.Layer):
    """Repeats every pixel `factor` times along height and width (nearest neighbour).

    Input: `(batch, height, width, channels)`. Output: `(batch, height * factor, width * factor, channels)`.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return repeat_nearest(inputs, self.factor)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, height and height * self.factor, width and width * self.factor, channels)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable("hrnet_keras")
class Resize(keras.layers.Layer):
    """Resizes its first input bilinearly to the height and width of its second.

    Args:
        align_corners: see `resize_bilinear`.
        first_factor: when given, a first step resizes by this factor before the second step to the exact size; the
            two differ from one step only where the sizes are no multiples of each other (mmsegmentation's exchanges).

    Input: `inputs` `(batch, height, width, channels)`, `like` `(batch, height_2, width_2, any)`.
    Output: `(batch, height_2, width_2, channels)`.
    """

    def __init__(self, *, align_corners=False, first_factor=None, **kwargs):
        super().__init__(**kwargs)
        self.align_corners = align_corners
        self.first_factor = first_factor

    def call(self, inputs, like):
        if self.first_factor:
            height, width = ops.shape(inputs)[1:3]
            size = (height * self.first_factor, width * self.first_factor)
            inputs = resize_bilinear(inputs, size, align_corners=self.align_corners)
        return resize_bilinear(inputs, ops.shape(like)[1:3], align_corners=self.align_corners)

    def compute_output_shape(self, inputs_shape, like_shape):
        return (inputs_shape[0], *like_shape[1:3], inputs_shape[3])

    def get_config(self):
        return {**super().get_config(), "align_corners": self.align_corners, "first_factor": self.first_factor}

"""The first layer of a model: pictures in, normalised pictures out, of a size that the network can take."""

from dataclasses import asdict

import keras
from keras import ops

from hrnet_keras.architecture import IMAGENET, Pixels


@keras.saving.register_keras_serializable("hrnet_keras")
class Normalize(keras.layers.Layer):
    """Normalises RGB 0..255 as the net's own loaders do, and refuses sizes that the network cannot take.

    Args:
        unit: height and width must be multiples of it.
        normalized: the pictures are already normalised; only their size is looked at.
        marks_padding: pixels below 0 are padding, and become what the mean colour becomes: 0.
        pixels: a `Pixels`, or the dict of one: mean and deviation, and which colour comes first.

    Input and output: `(batch, height, width, 3)`; the output is float32 whatever the precision of the rest.

    Raises:
        ValueError: at call, for a height or width that is no multiple of `unit`.
    """

    def __init__(self, *, unit=1, normalized=False, marks_padding=False, pixels=IMAGENET, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.unit = unit
        self.normalized = normalized
        self.marks_padding = marks_padding
        self.pixels = pixels if isinstance(pixels, Pixels) else Pixels(**pixels)

    def call(self, inputs):
        for side, size in zip(("height", "width"), inputs.shape[1:3], strict=True):
            if size is not None and size % self.unit:
                raise ValueError(f"picture of {side} {size}: this network takes multiples of {self.unit} alone")
        if self.normalized:
            return inputs
        scale = [1 / std for std in self.pixels.std]
        offset = [-mean / std for mean, std in zip(self.pixels.mean, self.pixels.std, strict=True)]
        pixels = _affine_of_channels(inputs, scale, offset)
        if self.marks_padding:
            pixels = pixels * ops.cast(inputs >= 0, pixels.dtype)
        if self.pixels.bgr:
            return ops.flip(pixels, axis=-1)
        return pixels

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {**super().get_config(), "unit": self.unit, "normalized": self.normalized}
        if self.marks_padding:
            config["marks_padding"] = True
        if self.pixels != IMAGENET:
            config["pixels"] = asdict(self.pixels)
        return config


def _affine_of_channels(pixels, scale, offset):
    """`pixels * scale + offset`, `(batch, height, width, 3)`, over whole rows: broadcasting three numbers is slow."""
    batch, height, width, channels = ops.shape(pixels)
    rows = ops.reshape(pixels, (batch, height, width * channels))
    scale, offset = (ops.tile(ops.convert_to_tensor(x, pixels.dtype), [width]) for x in (scale, offset))
    return ops.reshape(rows * scale + offset, (batch, height, width, channels))

"""The first layer of a model: pictures in, normalised pictures out, of a size that the network can take."""

import keras
from keras import ops

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, on 0..1 RGB; every official net uses them


@keras.saving.register_keras_serializable("hrnet_keras")
class Normalize(keras.layers.Layer):
    """Normalises RGB 0..255 as the official loaders do, and refuses sizes that the network cannot take.

    Args:
        unit: height and width must be multiples of it.
        normalized: the pictures are already normalised; only their size is looked at.
        marks_padding: pixels below 0 are padding, and become what the mean colour becomes: 0.

    Input and output: `(batch, height, width, 3)`; the output is float32 whatever the precision of the rest.

    Raises:
        ValueError: at call, for a height or width that is no multiple of `unit`.
    """

    def __init__(self, *, unit=1, normalized=False, marks_padding=False, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.unit = unit
        self.normalized = normalized
        self.marks_padding = marks_padding

    def call(self, inputs):
        for side, size in zip(("height", "width"), inputs.shape[1:3], strict=True):
            if size is not None and size % self.unit:
                raise ValueError(f"picture of {side} {size}: this network takes multiples of {self.unit} alone")
        if self.normalized:
            return inputs
        scale = [1 / (255 * std) for std in STD]
        offset = [-mean / std for mean, std in zip(MEAN, STD, strict=True)]
        pixels = _affine_of_channels(inputs, scale, offset)
        if self.marks_padding:
            return pixels * ops.cast(inputs >= 0, pixels.dtype)
        return pixels

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {**super().get_config(), "unit": self.unit, "normalized": self.normalized}
        if self.marks_padding:
            config["marks_padding"] = True
        return config


def _affine_of_channels(pixels, scale, offset):
    """`pixels * scale + offset`, `(batch, height, width, 3)`, over whole rows: broadcasting three numbers is slow."""
    batch, height, width, channels = ops.shape(pixels)
    rows = ops.reshape(pixels, (batch, height, width * channels))
    scale, offset = (ops.tile(ops.convert_to_tensor(x, pixels.dtype), [width]) for x in (scale, offset))
    return ops.reshape(rows * scale + offset, (batch, height, width, channels))

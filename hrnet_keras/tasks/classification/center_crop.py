"""The middle of a picture as published scores see it, in NumPy and as part of a TensorFlow graph: the same pixels."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from PIL import Image

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.transforms import resizing

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class CropParams:
    """How a model looks at pictures: short side to `size / crop_ratio`, then the middle of `size`.

    Attributes:
        size: (height, width) of the model's input. Where it is no square, the picture is brought to the least size that
            covers `size / crop_ratio`.
        crop_ratio: share of the resized picture's short side that the crop has.
        interpolation: `"bilinear"` or `"bicubic"`.

    Raises:
        ValueError: an interpolation that this package does not know.

    Source: the test transform of the official classification repository (torchvision on Pillow).
    """

    size: tuple[int, int] = (224, 224)
    crop_ratio: float = 0.875
    interpolation: str = "bilinear"

    def __post_init__(self):
        if self.interpolation not in FILTERS:
            expected = ", ".join(map(repr, FILTERS))
            raise ValueError(f"interpolation={self.interpolation!r}: expected one of {expected}")

    @classmethod
    def of(cls, info: ModelInfo, input_size: tuple[int | None, int | None]) -> "CropParams":
        """Those of a model.

        Args:
            info: of the model: `input_size`, `crop_ratio` and `interpolation`, where its training or publisher says so.
            input_size: (height, width) of the model's input, `None` where it takes any.
        """
        height, width = info.input_size or cls.size
        size = (input_size[0] or height, input_size[1] or width)
        return cls(size, info.crop_ratio or cls.crop_ratio, info.interpolation or cls.interpolation)

    @property
    def covered(self) -> tuple[int, int]:
        """Height and width that the resized picture has at least."""
        height, width = self.size
        return int(height / self.crop_ratio), int(width / self.crop_ratio)


def center_crop(image: np.ndarray, params: CropParams = CropParams()) -> np.ndarray:  # noqa: B008 (frozen)
    """The middle of a picture, uint8 RGB `(height, width, 3)`, as uint8 `(*params.size, 3)`."""
    height, width = image.shape[:2]
    high, wide = params.covered
    if height * wide < width * high:
        scaled = high, int(high * width / height)
    else:
        scaled = int(wide * height / width), wide
    resized = cut_and_resize(image, (0, 0, height, width), scaled, params.interpolation)
    # `CenterCrop` of torchvision: halves to even.
    top = round((scaled[0] - params.size[0]) / 2)
    left = round((scaled[1] - params.size[1]) / 2)
    return resized[top : top + params.size[0], left : left + params.size[1]]


def center_crop_in_graph(picture: tf.Tensor, params: CropParams) -> tf.Tensor:
    """As `center_crop`, to the last bit, of a uint8 tensor `(height, width, 3)`."""
    height, width = tf.unstack(tf.cast(tf.shape(picture)[:2], tf.int64))
    high, wide = params.covered
    as_high = tf.stack([high, tf.cast(high * width / height, tf.int64)])  # divided in float64, as in Python
    as_wide = tf.stack([tf.cast(wide * height / width, tf.int64), wide])
    scaled = tf.where(height * wide < width * high, as_high, as_wide)
    begin = tf.cast(tf.round(tf.cast(scaled - params.size, tf.float64) / 2), tf.int32)  # halves to even, as in Python
    crop = resizing.resize(picture, scaled, params.interpolation, (begin, params.size))
    return tf.ensure_shape(crop, (*params.size, 3))


def cut_and_resize(
    image: np.ndarray, window: tuple[int, int, int, int], size: tuple[int, int], interpolation: str = "bilinear"
) -> np.ndarray:
    """A part `(top, left, height, width)` of a picture at another `(height, width)`, by Pillow, antialiased."""
    top, left, height, width = window
    part = Image.fromarray(image[top : top + height, left : left + width])
    return np.asarray(part.resize(size[::-1], FILTERS[interpolation]))

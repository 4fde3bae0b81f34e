"""Colour changes against Pillow's `ImageEnhance`."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from hrnet_keras.transforms import color

PIXELS = np.random.default_rng(0).integers(0, 256, (19, 23, 3), np.uint8)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.4])
@pytest.mark.parametrize(
    ("ours", "pillows"),
    # What SSD calls contrast Pillow calls brightness: a multiplication.
    [(color.scale_contrast, ImageEnhance.Brightness), (color.scale_saturation, ImageEnhance.Color)],
)
def test_like_pillow(ours, pillows, factor):
    expected = np.asarray(pillows(Image.fromarray(PIXELS)).enhance(factor), np.float32)
    changed = ours(tf.constant(PIXELS, tf.float32), factor).numpy()
    # Pillow cuts the fraction off and rounds the grey value before it scales the distance to it.
    assert np.abs(changed - expected).max() <= 1.0


def test_brightness_stays_in_range():
    changed = color.add_brightness(tf.constant(PIXELS, tf.float32), -7)
    np.testing.assert_array_equal(changed, np.clip(PIXELS.astype(int) - 7, 0, 255))

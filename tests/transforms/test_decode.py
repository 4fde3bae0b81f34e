"""Decoded pixels against Pillow, which has a decoder of its own."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.transforms import decode
from tests.pictures import FILES, SMOOTH, encode, pillows


@pytest.mark.parametrize("kind", [*FILES, "bmp", "gif"])
def test_bytes_of_a_whole_picture(kind):
    contents = FILES.get(kind) or encode(SMOOTH, kind.upper())
    pixels = tf.function(decode.decode_bytes)(tf.constant(contents))
    np.testing.assert_array_equal(pixels, pillows(contents))


def test_first_frame_of_a_moving_gif():
    frames = [SMOOTH, SMOOTH.rotate(180)]
    contents = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode.decode_bytes(tf.constant(contents)), pillows(contents))

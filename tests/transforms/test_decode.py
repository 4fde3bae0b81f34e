"""Decoded pixels against Pillow, which has a decoder of its own."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_keras.transforms import decode

SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)).resize((171, 147))


def encode(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


FILES = {
    "jpeg": encode(SMOOTH, "JPEG"),
    "jpeg, progressive": encode(SMOOTH, "JPEG", progressive=True),
    "jpeg, grey": encode(SMOOTH.convert("L"), "JPEG"),
    "jpeg, no subsampling": encode(SMOOTH, "JPEG", subsampling=0),
    "png": encode(SMOOTH, "PNG"),
    "png, palette": encode(SMOOTH.convert("P"), "PNG"),
    "png, grey": encode(SMOOTH.convert("L"), "PNG"),
    "png, transparent": encode(SMOOTH.convert("RGBA"), "PNG"),
}


def pillows(contents):
    return np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))


@pytest.mark.parametrize("kind", [*FILES, "bmp", "gif"])
def test_bytes_of_a_whole_picture(kind):
    contents = FILES.get(kind) or encode(SMOOTH, kind.upper())
    pixels = tf.function(decode.decode_bytes)(tf.constant(contents))
    np.testing.assert_array_equal(pixels, pillows(contents))


def test_first_frame_of_a_moving_gif():
    frames = [SMOOTH, SMOOTH.rotate(180)]
    contents = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode.decode_bytes(tf.constant(contents)), pillows(contents))

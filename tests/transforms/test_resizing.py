"""Resizing in the graph beside the Pillow that is installed: not a grey level of difference."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_keras.transforms import resizing

FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
RNG = np.random.default_rng(0)
# Up and down, one axis each way, a pixel, lines; heights that shrink by more than twice as many pixels as widths.
SIZES = [
    ((1, 1), (7, 5)), ((1, 300), (64, 96)), ((300, 1), (224, 9)), ((3, 2), (256, 301)), ((37, 53), (37, 80)),
    ((101, 300), (64, 96)), ((300, 360), (256, 301)), ((100, 100), (50, 90)), ((212, 208), (113, 144)),
    ((277, 75), (47, 10)), ((66, 8), (67, 218)), ((90, 70), (90, 70)),
]  # fmt: skip


def in_graph(how, window=False):
    pixels, pair = tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([2], tf.int32)

    def cut(picture, size, begin, extent):
        return resizing.resize(picture, size, how, window=(begin, extent))

    if window:
        return tf.function(cut, input_signature=[pixels, pair, pair, pair])
    return tf.function(lambda picture, size: resizing.resize(picture, size, how), input_signature=[pixels, pair])


@pytest.mark.parametrize("how", FILTERS)
def test_it_is_pillows_resize_to_the_last_bit(how):
    resize = in_graph(how)
    for size, target in SIZES:
        image = RNG.choice(np.array([0, 255, 90], np.uint8), (*size, 3)) if how == "bicubic" else noise(size)
        expected = np.asarray(Image.fromarray(image).resize(target[::-1], FILTERS[how]))
        np.testing.assert_array_equal(resize(image, target), expected, err_msg=f"{size} {target}")


def noise(size):
    return RNG.integers(0, 256, (*size, 3), dtype=np.uint8)


def test_a_window_is_that_part_and_black_beyond():
    resize, image = in_graph("bilinear", window=True), noise((120, 90))
    whole = np.asarray(Image.fromarray(image).resize((70, 55), Image.BILINEAR))
    beyond = np.pad(whole, ((30, 30), (30, 30), (0, 0)))
    for top, left, height, width in ((5, 7, 20, 30), (-8, -3, 30, 20), (40, 60, 25, 25), (-20, -20, 100, 110)):
        found = resize(image, (55, 70), (top, left), (height, width))
        np.testing.assert_array_equal(found, beyond[top + 30 :, left + 30 :][:height, :width])
    assert not resize(image, (55, 70), (60, 200), (9, 9)).numpy().any()


def test_nearest_is_pillows():
    pair = tf.TensorSpec([2], tf.int32)
    resize = tf.function(resizing.resize_nearest, input_signature=[tf.TensorSpec([None, None, None], tf.int32), pair])
    for _ in range(60):
        size, target = RNG.integers(1, 200, 2), RNG.integers(1, 200, 2)
        maps = RNG.integers(0, 1000, (2, *size), dtype=np.int32)
        expected = [Image.fromarray(one).resize([int(n) for n in target[::-1]], Image.NEAREST) for one in maps]
        np.testing.assert_array_equal(resize(maps, target.astype(np.int32)), np.stack(expected))

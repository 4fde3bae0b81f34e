"""Corners of crops: the range of the official code, every position equally likely."""

import numpy as np
import tensorflow as tf

from hrnet_keras.transforms import crop


def test_ranges_of_the_official_code(golden):
    meta, _ = golden("segmentation", "seg_pipeline")
    for draws in meta["samples"]:
        long_side = int(90 * draws["scale"] + 0.5)
        scaled = tf.constant((int(60 * long_side / 90 + 0.5), long_side))
        lowest = crop.random_origin(scaled, (48, 64), tf.constant([0.0, 0.0]))
        highest = crop.random_origin(scaled, (48, 64), tf.constant([1.0, 1.0]) - 2**-24)
        assert lowest.tolist() == [draws["y_range"][0], draws["x_range"][0]]
        assert highest.tolist() == [draws["y_range"][1], draws["x_range"][1]]


def test_integers_are_equally_likely():
    numbers = tf.random.stateless_uniform([60_000], (1, 2))
    counts = np.bincount(crop.random_integer(-2, 3, numbers) + 2, minlength=6)
    # Binomial: 10,000 expected, standard deviation 91.
    assert counts.size == 6 and np.abs(counts - 10_000).max() < 5 * 91

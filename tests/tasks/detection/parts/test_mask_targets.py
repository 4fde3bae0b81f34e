"""Mask targets beside mmdet's numbers, new and old."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.detection.parts.mask_targets import mask_targets
from tests.tasks.detection.parts.reference import roi_matrix


@pytest.mark.parametrize(("prefix", "plus_one"), [("", False), ("v1_", True)])
def test_goldens(golden, prefix, plus_one):
    arrays = golden("detection", "det_masks")[1]
    boxes = arrays[f"{prefix}proposals"]
    targets = mask_targets(arrays["masks"][None], boxes[None], arrays["gt_inds"][None], plus_one=plus_one)
    np.testing.assert_array_equal(targets[0], arrays[f"{prefix}targets28"])


def test_samples_one_by_one():
    rng = np.random.default_rng(0)
    masks = (rng.uniform(size=(2, 3, 40, 50)) > 0.4).astype(bool)
    corner = rng.uniform(-5, 35, (2, 6, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 25, (2, 6, 2))], -1).astype(np.float32)
    matches = rng.integers(0, 3, (2, 6))
    targets = mask_targets(masks, boxes, matches, size=7).numpy()
    clipped = np.clip(boxes.astype(float), 0, [50, 40, 50, 40])
    for picture in range(2):
        for i, match in enumerate(matches[picture]):
            share = np.einsum("pqyx,yx->pq", roi_matrix(clipped[picture, i], 1, (40, 50), 7), masks[picture, match])
            sure = np.abs(share - 0.5) > 1e-4
            np.testing.assert_array_equal(targets[picture, i][sure], (share >= 0.5)[sure])


def test_what_is_not_matched_or_has_no_area_is_empty():
    masks = np.ones((1, 1, 9, 9), np.uint8)
    boxes = np.float32([[[1, 1, 8, 8], [1, 1, 8, 8], [4, 4, 4, 4], [20, 20, 30, 30]]])
    targets = mask_targets(masks, boxes, np.int32([[0, -1, 0, 0]]), size=4).numpy()
    assert targets[0, 0].all() and not targets[0, 1:].any()


def test_v1_is_the_resize_of_opencv():
    rng = np.random.default_rng(2)
    masks = (rng.uniform(size=(1, 1, 70, 60)) > 0.5).astype(np.uint8)
    corner = rng.uniform(0, 40, (40, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 60, (40, 2))], -1).astype(np.float32)
    boxes = np.minimum(boxes, np.float32([59, 69, 59, 69]))
    targets = mask_targets(masks, boxes[None], np.zeros((1, 40), int), plus_one=True).numpy()[0]
    for (left, top, right, bottom), target in zip(boxes.astype(int), targets, strict=True):
        expected = cv2.resize(masks[0, 0, top : bottom + 1, left : right + 1], (28, 28))
        np.testing.assert_array_equal(target, expected)


def test_compiled():
    """Blobs, and boxes without round numbers: of noise many shares are a half but for rounding."""
    rows, columns = np.mgrid[:60, :70]
    masks = np.stack([np.hypot(rows - 30, columns - 40) < 17, np.abs(rows - 20) + np.abs(columns - 20) < 15])[None]
    boxes = np.float32([[[12.3, 13.7, 60.1, 49.9], [5.21, 5.77, 39.3, 29.9], [0, 0, 0, 0]]])
    for plus_one in (False, True):
        function = tf.function(
            lambda boxes, plus_one=plus_one: mask_targets(masks, boxes, np.int32([[0, 1, -1]]), plus_one=plus_one),
            jit_compile=True,
        )
        expected = mask_targets(masks, boxes, np.int32([[0, 1, -1]]), plus_one=plus_one)
        np.testing.assert_array_equal(function(tf.constant(boxes)), expected)


def test_no_boxes():
    assert mask_targets(np.ones((1, 1, 9, 9)), np.zeros((1, 0, 4)), np.zeros((1, 0), int)).shape == (1, 0, 28, 28)


@pytest.mark.parametrize("plus_one", [False, True])
def test_sizes_that_only_the_stream_knows(plus_one):
    """Traced for masks of any size, as a data set's stream has them: the same targets."""
    masks = np.zeros((1, 2, 40, 56), np.uint8)
    masks[0, 0, 5:30, 8:40] = 1
    masks[0, 1, 10:, 20:] = 1
    boxes = np.array([[[4.0, 2, 44, 33], [18, 8, 60, 44]]], np.float32)
    matches = np.array([[0, 1]], np.int32)
    kinds = [
        tf.TensorSpec((None,) * 4, tf.uint8),
        tf.TensorSpec((None, None, 4)),
        tf.TensorSpec((None, None), tf.int32),
    ]
    traced = tf.function(lambda *inputs: mask_targets(*inputs, plus_one=plus_one), input_signature=kinds)
    expected = mask_targets(masks, boxes, matches, plus_one=plus_one)
    np.testing.assert_array_equal(traced(masks, boxes, matches), expected)
    assert 0.2 < np.mean(expected) < 0.8

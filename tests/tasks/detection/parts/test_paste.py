"""Pasting of masks beside mmdet's numbers, in a graph and in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.detection.parts.paste import paste_each, paste_masks


def both(masks, boxes, size, **options):
    yield paste_masks(masks, boxes, size, **options).numpy()
    yield np.stack(list(paste_each(masks, boxes, size, **options)))


def test_golden(golden):
    meta, arrays = golden("detection", "det_masks")
    size = meta["image_hw"]
    expected = np.unpackbits(arrays["pasted"], axis=1)[:, : size[0] * size[1]].reshape(-1, *size)
    near = np.abs(arrays["pasted_raw"] - 0.5) < 1e-6  # where rounding decides
    for pasted in both(arrays["mask_probs"], arrays["paste_boxes"], size):
        np.testing.assert_array_equal(pasted[~near], expected[~near])
    assert near.mean() < 1e-3


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 0.9])
def test_golden_values_at_other_thresholds(golden, threshold):
    meta, arrays = golden("detection", "det_masks")
    sure = np.abs(arrays["pasted_raw"] - threshold) > 1e-5
    for pasted in both(arrays["mask_probs"], arrays["paste_boxes"], meta["image_hw"], threshold=threshold):
        np.testing.assert_array_equal(pasted[sure], (arrays["pasted_raw"] >= threshold)[sure])


def test_boxes_at_the_edges():
    boxes = np.float32([[2, 1, 6, 4], [-4, -4, 3, 3], [3, 3, 3, 3], [5, 2, 5, 6], [90, 90, 99, 99], [7, 7, 3, 3]])
    expected = np.zeros((6, 8, 9), bool)
    expected[0, 1:4, 2:6] = True
    expected[1, :3, :3] = True
    for pasted in both(np.ones((6, 4, 4), np.float32), boxes, (8, 9)):
        np.testing.assert_array_equal(pasted, expected)


def test_v1_resizes_to_whole_pixels():
    mask = np.float32([[[1, 0], [0, 0]]])
    pasted = next(paste_each(mask, np.float32([[2.9, 1.2, 5.9, 4.9]]), (8, 9), plus_one=True))
    expected = np.zeros((8, 9), bool)
    expected[1:3, 2:4] = True
    expected[2, 3] = False  # 0.75 * 0.75 of the corner's one is more than a half, the rest is less
    weights = np.clip((np.arange(4) + 0.5) / 2 - 0.5, 0, 1)
    expected[1:5, 2:6] = np.outer(1 - weights, 1 - weights) > 0.5
    np.testing.assert_array_equal(pasted, expected)
    beyond = list(paste_each(np.ones((2, 2, 2)), np.float32([[-3, -3, 1, 1], [7, 6, 30, 30]]), (8, 9), plus_one=True))
    assert beyond[0].sum() == 4 and beyond[1].sum() == 4


def test_in_graphs():
    rng = np.random.default_rng(0)
    masks = rng.uniform(size=(3, 28, 28)).astype(np.float32)
    boxes = np.float32([[3, 4, 30, 40], [0, 0, 50, 50], [10, 10, 12, 60]])
    expected = paste_masks(masks, boxes, (45, 55)).numpy()
    compiled = tf.function(lambda masks, boxes: paste_masks(masks, boxes, (45, 55)), jit_compile=True)
    assert (compiled(masks, boxes).numpy() == expected).mean() > 0.999  # the cut at 0.5 may round
    symbolic = tf.function(lambda masks, boxes, size: paste_masks(masks, boxes, (size[0], size[1])))
    np.testing.assert_array_equal(symbolic(masks, boxes, tf.constant([45, 55])), expected)


def test_no_boxes():
    assert paste_masks(np.zeros((0, 28, 28)), np.zeros((0, 4)), (8, 9)).shape == (0, 8, 9)
    assert list(paste_each(np.zeros((0, 28, 28)), np.zeros((0, 4)), (8, 9))) == []

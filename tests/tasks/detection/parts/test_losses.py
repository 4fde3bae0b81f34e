"""Losses of padded batches: padding counts for nothing, gradients are finite, v1 is a matter of columns."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.detection.parts import losses

POSITIVE = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], "bool")
NEGATIVE = np.array([[0, 0, 1, 1, 0], [1, 1, 0, 0, 0]], "bool")


def batch(columns=3, classes=3):
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 40, (2, 5, 2))
    boxes = np.concatenate([start, start + rng.uniform(5, 40, (2, 5, 2))], axis=-1).astype("float32")
    boxes[:, 4] = 0  # padding
    truths = boxes + 2
    logits = rng.standard_normal((2, 5, classes + 1)).astype("float32")
    deltas = rng.standard_normal((2, 5, columns * 4)).astype("float32")
    return logits, deltas, boxes, truths, rng.integers(0, classes, (2, 5)).astype("int32")


def test_rpn():
    logits, deltas, boxes, truths, _ = batch(columns=1)
    logits = tf.constant(logits[..., 0])
    deltas = tf.constant(deltas)
    with tf.GradientTape() as tape:
        tape.watch([logits, deltas])
        found = losses.rpn_losses(logits, deltas, boxes, truths, POSITIVE, NEGATIVE, num_samples=6.0)
        total = tf.reduce_sum(found.classes + found.boxes)
    probabilities = 1 / (1 + np.exp(-np.array(logits, "float64")))
    expected = -(np.log(probabilities) * POSITIVE + np.log(1 - probabilities) * NEGATIVE).sum(axis=1) / 6
    np.testing.assert_allclose(found.classes, expected, rtol=1e-6)
    assert np.array(found.boxes)[1] == 0
    of_logits, of_deltas = map(np.array, tape.gradient(total, [logits, deltas]))
    np.testing.assert_allclose(of_logits, (probabilities - POSITIVE) * (POSITIVE | NEGATIVE) / 6, atol=1e-6)
    assert ((of_deltas != 0).any(axis=-1) == POSITIVE).all()


@pytest.mark.parametrize("columns", [1, 3])
def test_only_positive_samples_and_their_class_move_boxes(columns):
    logits, deltas, boxes, truths, labels = batch(columns)
    deltas = tf.constant(deltas)
    with tf.GradientTape() as tape:
        tape.watch(deltas)
        found = losses.roi_losses(
            logits, deltas, boxes, truths, labels, POSITIVE, NEGATIVE, num_samples=6.0, beta=losses.ROI_BETA
        )
        total = tf.reduce_sum(found.boxes)
    moved = (np.array(tape.gradient(total, deltas)).reshape(2, 5, columns, 4) != 0).any(axis=-1)
    expected = np.eye(3, dtype="bool")[labels] if columns == 3 else np.ones((2, 5, 1), "bool")
    assert (moved == expected & POSITIVE[..., None]).all()


def test_classes_by_hand():
    logits, deltas, boxes, truths, labels = batch()
    found = losses.roi_losses(logits, deltas, boxes, truths, labels, POSITIVE, NEGATIVE, num_samples=6.0)
    logarithms = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    columns = np.where(POSITIVE, labels, 3)
    own = np.take_along_axis(logarithms, columns[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(found.classes, -(own * (POSITIVE | NEGATIVE)).sum(axis=1) / 6, rtol=1e-6)


def test_v1_has_its_background_first():
    logits, deltas, boxes, truths, labels = batch()
    given = (boxes, truths, labels, POSITIVE, NEGATIVE)
    new = losses.roi_losses(logits, deltas, *given, num_samples=6.0)
    unused = np.concatenate([np.full((2, 5, 4), 9, "float32"), deltas], axis=-1)
    v1 = losses.roi_losses(np.roll(logits, 1, axis=-1), unused, *given, num_samples=6.0, v1=True)
    np.testing.assert_allclose(v1.classes, new.classes, rtol=1e-6)
    longer = np.concatenate([boxes[..., :2], boxes[..., 2:] + 1], axis=-1)
    longer_truths = np.concatenate([truths[..., :2], truths[..., 2:] + 1], axis=-1)
    new = losses.roi_losses(logits, deltas, longer, longer_truths, *given[2:], num_samples=6.0)
    np.testing.assert_allclose(v1.boxes, new.boxes, rtol=1e-5)


def test_halves_are_computed_whole():
    logits = tf.constant([[12.0, -12.0, 0.0]], tf.bfloat16)
    assert losses.sigmoid_cross_entropy(logits, logits > 0).dtype == "float32"
    assert losses.softmax_cross_entropy(logits, np.array([0])).dtype == "float32"
    assert np.array(losses.softmax_cross_entropy(logits, np.array([0])))[0] == pytest.approx(np.exp(-12), rel=0.01)

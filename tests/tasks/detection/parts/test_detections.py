"""Detections: padding, nothing to find, v1's background, one box for all classes, XLA."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.detection.parts import detections

SIZES = np.array([[70, 100], [50, 60]])
RULE = detections.DetectionRule(max_output=20)


def outputs(classes=5, columns=5, batch=2, seed=0):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 40, (batch, 30, 2))
    boxes = np.concatenate([start, start + rng.uniform(5, 40, (batch, 30, 2))], axis=-1).astype("float32")
    logits = 2 * rng.standard_normal((batch, 30, classes + 1)).astype("float32")
    deltas = rng.standard_normal((batch, 30, columns * 4)).astype("float32")
    return logits, deltas, boxes, np.arange(30) < np.array([[30], [12]])[:batch]


def equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.array(one, "float32"), np.array(other, "float32"), atol=1e-4)


def test_padding_answers_nothing():
    logits, deltas, boxes, valid = outputs()
    found = detections.detect(logits, deltas, boxes, valid, SIZES, RULE)
    assert np.array(found.proposals[1]).max() < 12
    short = detections.detect(logits[1:, :12], deltas[1:, :12], boxes[1:, :12], valid[1:, :12], SIZES[1:], RULE)
    equal(short, [x[1:] for x in found])
    none = detections.detect(logits, deltas, boxes, np.zeros_like(valid), SIZES, RULE)
    assert not any(np.array(x).any() for x in none)


@pytest.mark.parametrize("jit", [None, True])
def test_compiled(jit):
    given = outputs()
    function = tf.function(lambda *given: detections.detect(*given, SIZES, RULE), jit_compile=jit)
    equal(function(*given), detections.detect(*given, SIZES, RULE))


def test_late_sizes():
    given = outputs()
    specs = [tf.TensorSpec((None, None, *x.shape[2:]), x.dtype) for x in given]

    @tf.function(input_signature=specs)
    def late(*given):
        return detections.detect(*given, SIZES, RULE)

    equal(late(*given), detections.detect(*given, SIZES, RULE))


def test_one_box_for_all_classes():
    logits, deltas, boxes, valid = outputs(columns=1)
    copies = np.tile(deltas, (1, 1, 5))
    equal(
        detections.detect(logits, deltas, boxes, valid, SIZES, RULE),
        detections.detect(logits, copies, boxes, valid, SIZES, RULE),
    )


def test_background_first():
    logits, deltas, boxes, _ = outputs()
    scores = detections.class_scores(logits)
    np.testing.assert_allclose(scores, detections.class_scores(np.roll(logits, 1, axis=-1), v1=True), rtol=1e-6)
    v1 = detections.DetectionRule(v1=True)
    unused = np.concatenate([np.full((2, 30, 4), 1e9, "float32"), deltas], axis=-1)
    found = detections.boxes_of_classes(unused, boxes, SIZES, v1)
    assert found.shape == (2, 30, 5, 4)
    assert np.array(found)[0, ..., 2].max() <= 99


def test_scores_must_be_larger():
    boxes = np.zeros((1, 1, 2, 4), "float32")
    scores = np.float32([[[0.05, 0.06]]])
    found = detections.best_of_classes(boxes, scores, np.array([[True]]), RULE)
    assert np.array(found.valid).sum() == 1
    assert np.array(found.labels)[0, 0] == 1

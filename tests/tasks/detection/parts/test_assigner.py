"""Assignment beside the reference's procedure written out in NumPy, with ties, padding and ignored regions."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.detection.parts import assigner
from hrnet_keras.tasks.detection.parts.boxes import covered, iou_matrix


def written_out(start, truths, rule, candidates, ignored):
    """`MaxIoUAssigner` of mmdet, step by step, for one picture without padding."""
    overlaps = np.array(iou_matrix(truths, start))
    if rule.ignore is not None and len(truths):
        inside = np.array(covered(start, ignored)).max(axis=1, initial=0) > rule.ignore
        overlaps[:, inside] = -1
    overlaps[:, ~candidates] = -1
    found = np.where(candidates, 0 if len(truths) == 0 else -1, -1)
    if len(truths) == 0:
        return found
    most = overlaps.max(axis=0)
    found[(most >= 0) & (most < rule.negative)] = 0
    found[most >= rule.positive] = overlaps.argmax(axis=0)[most >= rule.positive] + 1
    if rule.low_quality:
        for i, row in enumerate(overlaps):
            if row.max() >= rule.min_positive:
                found[row == row.max()] = i + 1
    return found


def random_boxes(rng, count):
    """Of whole numbers within 12 pixels, so that many overlaps are equal and some boxes have no area."""
    start = rng.integers(0, 8, (count, 2))
    return np.concatenate([start, start + rng.integers(0, 5, (count, 2))], axis=1).astype("float32")


RULES = [
    assigner.RPN,
    assigner.FASTER_RCNN,
    assigner.MASK_RCNN,
    assigner.AssignRule(0.5, 0.4, 0.2, low_quality=True, ignore=0.6),
]


@pytest.mark.parametrize("jit", [None, True])
@pytest.mark.parametrize("rule", RULES, ids=["rpn", "faster", "mask", "ignore"])
def test_random_pictures(rule, jit):
    rng = np.random.default_rng(0)
    function = tf.function(assigner.assign, jit_compile=jit)
    for i in range(20):
        start = np.stack([random_boxes(rng, 60) for _ in range(3)])
        if i % 2:  # no whole numbers: the best overlap must be equal to itself, however it is compiled
            start = start + rng.random(start.shape, np.float32)
        truths = np.stack([random_boxes(rng, 6) for _ in range(3)])
        ignored = np.stack([random_boxes(rng, 2) for _ in range(3)])
        counts = rng.integers(0, 7, 3)
        valid = np.arange(6) < counts[:, None]
        valid_ignored = np.arange(2) < rng.integers(0, 3, 3)[:, None]
        candidates = rng.random((3, 60)) < 0.8
        found = function(
            start, truths, valid, rule, candidates=candidates, ignored=ignored, ignored_valid=valid_ignored
        )
        for i in range(3):
            expected = written_out(start[i], truths[i, : counts[i]], rule, candidates[i], ignored[i, valid_ignored[i]])
            np.testing.assert_array_equal(found.truths[i], expected)


def test_the_later_truth_takes_a_box_that_both_want():
    start = np.float32([[[0, 0, 10, 10], [50, 50, 60, 60]]])
    truths = np.float32([[[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 1, 1]]])
    valid = np.array([[True, True, True]])
    assert np.array(assigner.assign(start, truths, valid, assigner.RPN).truths).tolist() == [[2, 0]]
    assert np.array(assigner.assign(start, truths, valid, assigner.FASTER_RCNN).truths).tolist() == [[1, 0]]


def test_shared_anchors_and_late_sizes():
    rng = np.random.default_rng(1)
    start, truths = random_boxes(rng, 40), np.stack([random_boxes(rng, 4) for _ in range(2)])
    valid = np.ones((2, 4), "bool")
    boxes = tf.TensorSpec((None, None, 4))

    @tf.function(input_signature=[boxes, boxes, tf.TensorSpec((None, None), tf.bool)])
    def late(start, truths, valid):
        return assigner.assign(start, truths, valid, assigner.RPN)

    found = late(start[None], truths, valid)
    for i in range(2):
        expected = written_out(start, truths[i], assigner.RPN, np.ones(40, "bool"), None)
        np.testing.assert_array_equal(found.truths[i], expected)


def test_truths_are_their_own():
    assigned = assigner.Assigned(np.array([[0, 2, -1]], "int32"), np.float32([[0.1, 0.8, 0.4]]))
    found = assigner.prepend_truths(assigned, np.array([[True, True, False]]))
    assert np.array(found.truths).tolist() == [[1, 2, -1, 0, 2, -1]]
    labels = assigner.of_truths(np.array([[7, 8, 0]]), found.truths)
    assert np.array(labels)[np.array(found.truths) > 0].tolist() == [7, 8, 8]


def test_ignoring_needs_regions():
    with pytest.raises(ValueError, match=r"ignore=0\.6: expected ignored regions"):
        assigner.assign(np.zeros((1, 2, 4)), np.zeros((1, 1, 4)), np.ones((1, 1), "bool"), RULES[3])

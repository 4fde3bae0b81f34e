"""Proposals: padding, pictures without any, levels, sizes that a graph learns late, XLA."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.detection.parts import anchors, proposals

RULE = proposals.ProposalRule(num_before=50, num_after=40)
SIZES = [(16, 24), (8, 12), (4, 6), (2, 3), (1, 2)]


def outputs(seed=0, batch=2):
    rng = np.random.default_rng(seed)
    logits = [rng.standard_normal((batch, h, w, 3)).astype("float32") for h, w in SIZES]
    deltas = [rng.standard_normal((batch, h, w, 12)).astype("float32") for h, w in SIZES]
    return logits, deltas, anchors.pyramid_anchors(SIZES)


def equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.array(one, "float32"), np.array(other, "float32"), atol=1e-4)


def test_each_picture_is_its_own():
    logits, deltas, grid = outputs()
    sizes = np.array([[60, 90], [40, 50]])
    both = proposals.propose(logits, deltas, grid, sizes, RULE)
    for i in range(2):
        rows = slice(i, i + 1)
        one = proposals.propose([x[rows] for x in logits], [x[rows] for x in deltas], grid, sizes[rows], RULE)
        equal(one, [x[rows] for x in both])
    assert np.array(both.boxes[1])[:, 2].max() <= 50
    assert (np.diff(both.scores) <= 0).all()
    assert np.array(both.boxes).shape == (2, 40, 4)


def test_flat_outputs_are_the_same():
    logits, deltas, grid = outputs()
    sizes = np.array([[60, 90], [40, 50]])
    flat = [x.reshape(2, -1) for x in logits], [x.reshape(2, -1, 4) for x in deltas]
    equal(proposals.propose(*flat, grid, sizes, RULE), proposals.propose(logits, deltas, grid, sizes, RULE))


@pytest.mark.parametrize("jit", [None, True])
def test_compiled(jit):
    logits, deltas, grid = outputs()
    sizes = np.array([[60, 90], [40, 50]])
    function = tf.function(lambda *given: proposals.propose(*given, RULE), jit_compile=jit)
    equal(function(logits, deltas, grid, sizes), proposals.propose(logits, deltas, grid, sizes, RULE))


def test_late_sizes_and_levels_smaller_than_asked_for():
    logits, deltas, grid = outputs()
    sizes = np.array([[60, 90], [40, 50]])
    maps = [tf.TensorSpec((None, None, None, 3))] * 5
    boxes = [tf.TensorSpec((None, None, None, 12))] * 5

    @tf.function(input_signature=[maps, boxes])
    def late(logits, deltas):
        grid = anchors.pyramid_anchors([tuple(tf.unstack(tf.shape(x)[1:3])) for x in logits])
        return proposals.propose(logits, deltas, grid, sizes, RULE)

    equal(late(logits, deltas), proposals.propose(logits, deltas, grid, sizes, RULE))


def test_a_picture_without_proposals():
    logits, deltas, grid = outputs(batch=1)
    rule = proposals.ProposalRule(50, 40, min_size=1000.0)
    found = proposals.propose(logits, deltas, grid, np.array([[60, 90]]), rule)
    assert not np.array(found.valid).any()
    assert not np.array(found.boxes).any() and not np.array(found.scores).any()


def test_truths_come_first():
    logits, deltas, grid = outputs(batch=1)
    found = proposals.propose(logits, deltas, grid, np.array([[60, 90]]), RULE)
    truths = np.float32([[[1, 2, 3, 4], [9, 9, 9, 9]]])
    whole = proposals.prepend_truths(found, truths, np.array([[True, False]]))
    assert np.array(whole.boxes)[0, :2].tolist() == [[1, 2, 3, 4], [0, 0, 0, 0]]
    assert np.array(whole.valid)[0, :2].tolist() == [True, False]
    np.testing.assert_array_equal(whole.boxes[:, 2:], found.boxes)


def test_levels_are_counted():
    logits, deltas, grid = outputs()
    with pytest.raises(ValueError, match="5 levels of logits, 5 of deltas, 4 of anchors"):
        proposals.propose(logits, deltas, grid[:4], np.array([[60, 90]] * 2), RULE)

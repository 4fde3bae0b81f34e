"""Suppression beside the same in NumPy: ties, boxes without area, the threshold itself, groups, padding."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.detection.parts.boxes import iou_matrix
from hrnet_keras.tasks.detection.parts.nms import greedy, nms


def written_out(boxes, scores, threshold, plus_one=False):
    """Indices kept, best first."""
    overlaps = np.array(iou_matrix(boxes, boxes, plus_one=plus_one))
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if np.isfinite(scores[i]) and not (overlaps[i, kept] > threshold).any():
            kept.append(i)
    return kept


def crowded(rng, count):
    """Whole-numbered boxes, some without area, with scores of one decimal: many ties of both."""
    start = rng.integers(0, 12, (count, 2))
    boxes = np.concatenate([start, start + rng.integers(0, 9, (count, 2))], axis=1).astype("float32")
    return boxes, np.round(rng.random(count), 1).astype("float32")


def indices_of(kept, i):
    return np.array(kept.indices[i])[np.array(kept.valid[i])].tolist()


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("plus_one", [False, True])
@pytest.mark.parametrize("form", [nms, greedy])
def test_random_crowds(form, plus_one, jit):
    rng = np.random.default_rng(0)

    @tf.function(jit_compile=jit)
    def run(boxes, scores, valid):
        settings = {"threshold": 0.5, "max_output": 40, "plus_one": plus_one}
        if form is greedy:
            return greedy(boxes, tf.where(valid, scores, -np.inf), **settings)
        return nms(boxes, scores, valid, **settings)

    for _ in range(15):
        boxes, scores = map(np.stack, zip(*[crowded(rng, 60) for _ in range(2)], strict=True))
        valid = rng.random((2, 60)) < 0.8
        kept = run(boxes, scores, valid)
        for i in range(2):
            expected = written_out(boxes[i], np.where(valid[i], scores[i], -np.inf), 0.5, plus_one)
            assert indices_of(kept, i) == expected[:40]
            assert not np.array(kept.indices[i])[~np.array(kept.valid[i])].any()


@pytest.mark.parametrize("form", [nms, greedy])
def test_the_threshold_itself_is_kept(form):
    boxes = np.float32([[[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 6]]])
    scores = np.float32([[0.5, 0.5, 0.5]])
    given = (boxes, scores) if form is greedy else (boxes, scores, np.ones((1, 3), "bool"))
    assert indices_of(form(*given, threshold=0.5, max_output=3), 0) == [0, 1]


def test_groups_do_not_meet():
    boxes = np.float32([[[0, 0, 9, 9]] * 4])
    scores = np.float32([[0.5, 0.9, 0.7, 0.8]])
    valid = np.array([[True, True, True, False]])
    kept = nms(boxes, scores, valid, groups=np.array([[0, 1, 0, 2]]), threshold=0.5, max_output=4)
    assert indices_of(kept, 0) == [1, 2]


def test_nothing_to_keep():
    kept = nms(np.zeros((2, 3, 4)), np.zeros((2, 3)), np.zeros((2, 3), "bool"), threshold=0.5, max_output=5)
    assert not np.array(kept.valid).any()
    groups = np.zeros((1, 3), "int32")
    kept = nms(np.full((1, 3, 4), np.nan), np.zeros((1, 3)), groups > 0, groups=groups, threshold=0.5, max_output=5)
    assert not np.array(kept.valid).any() and not np.array(kept.indices).any()


def test_late_sizes():
    rng = np.random.default_rng(2)
    boxes, scores = crowded(rng, 50)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 4)), tf.TensorSpec((None, None))])
    def late(boxes, scores):
        return nms(boxes, scores, scores > 0.2, threshold=0.4, max_output=30)

    expected = written_out(boxes, np.where(scores > 0.2, scores, -np.inf), 0.4)
    assert indices_of(late(boxes[None], scores[None]), 0) == expected[:30]

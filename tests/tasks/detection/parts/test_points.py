"""Points of FCOS beside mmdet's numbers: which truth each learns from, and its losses."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts import focal, iou_loss
from hrnet_keras.tasks.detection.parts.fcos_targets import point_targets
from hrnet_keras.tasks.detection.parts.point_detections import detect_points
from hrnet_keras.tasks.detection.parts.points import BY_LINEAGE, OFFICIAL, PointRules, centerness, level_points
from hrnet_keras.tasks.detection.parts.truths import Truths
from tests.tasks.detection.parts.reference import network_golden


@pytest.fixture(scope="module")
def targets():
    return network_golden("det_fcos_targets")


@pytest.mark.parametrize(("word", "radius"), [("plain", None), ("center", 1.5)])
def test_targets(targets, word, radius):
    """Three pictures in one batch, padded; the last one has no truth."""
    meta, arrays = targets
    boxes, labels = np.zeros((3, 14, 4), np.float32), np.full((3, 14), -1, np.int32)
    for i in range(3):
        count = len(arrays[f"gt_{i}"])
        boxes[i, :count], labels[i, :count] = arrays[f"gt_{i}"], arrays[f"gtlab_{i}"]
    rules = PointRules(radius=radius)
    points = level_points(meta["featmap_sizes"], rules.strides)
    truths = Truths.of({"boxes": boxes, "labels": labels}, np.full((3, 2), 200))
    found = keras.tree.map_structure(keras.ops.convert_to_numpy, tuple(point_targets(points, truths, rules)))
    for i in range(3):
        expected = arrays[f"{word}_labels_{i}"]
        positive = expected < 80
        np.testing.assert_array_equal(found[0][i] > 0, positive)
        np.testing.assert_array_equal(found[1][i][positive], expected[positive])
        distances = found[2][i][positive]
        np.testing.assert_allclose(distances, arrays[f"{word}_targets_{i}"][positive], atol=1e-4)
        if positive.any():
            np.testing.assert_allclose(centerness(distances), arrays[f"{word}_centerness_{i}"], atol=1e-5)


def test_ranges():
    coarse = [(64, 128), (128, 256), (256, 512), (512, 1e8)]
    assert PointRules().ranges == [(-1, 64), *coarse]
    assert PointRules(strides=(4, 8, 16, 32, 64, 128)).ranges == [(-1, 32), (32, 64), *coarse]


def test_losses():
    _, arrays = network_golden("det_losses")
    classes = np.eye(81, dtype=np.float32)[arrays["labels"]][:, :80]
    found = np.asarray(focal.focal(arrays["focal_logits"], classes))
    np.testing.assert_allclose(found, arrays["focal_none"], atol=1e-5)
    assert found.sum() / 9 == pytest.approx(float(arrays["focal"]), rel=1e-5)
    overlaps = np.asarray(iou_loss.iou_loss(arrays["box_pred"], arrays["box_target"]))
    np.testing.assert_allclose(overlaps, arrays["iou_loss_none"], atol=1e-4)
    weights = arrays["box_weight"]
    assert (overlaps * weights).sum() / weights.sum() == pytest.approx(float(arrays["iou_loss"]), rel=1e-4)


def test_overlaps_of_lineage_official():
    loss = iou_loss.iou_loss(np.float32([[0, 0, 4, 4]]), np.float32([[2, 0, 6, 4]]), smoothed=True)
    np.testing.assert_allclose(loss, [-np.log(9 / 25)], rtol=1e-6)
    apart = iou_loss.iou_loss(np.float32([[0, 0, 4, 4]]), np.float32([[8, 0, 12, 4]]), smoothed=True)
    np.testing.assert_allclose(apart, [-np.log(1 / 33)], rtol=1e-6)


def test_candidates_of_both_lineages():
    """Two places, of which one has the better class and the other is more central; a level keeps one."""
    logits = np.float32([[[2.0], [1.5], [-9.0], [-9.0]]])
    central = np.float32([[[-2.0], [2.0], [0.0], [0.0]]])
    distances = np.full((1, 4, 4), 7, np.float32)
    points = level_points([(2, 2)], (8,))

    def found(rules):
        sizes = np.float32([[14, 14]])
        detections = detect_points([logits], [distances], [central], points, sizes, rules)
        return np.asarray(detections.boxes)[0, 0], float(detections.scores[0, 0]), int(np.sum(detections.valid))

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    one = {"strides": (8,), "num_before": 1, "max_output": 3}
    box, score, count = found(PointRules(**one))
    assert count == 1 and score == pytest.approx(sigmoid(2) * sigmoid(-2), rel=1e-5)
    np.testing.assert_array_equal(box, [0, 0, 11, 11])
    box, score, count = found(PointRules(**one, v1=True, by_product=True))
    assert count == 1 and score == pytest.approx(sigmoid(1.5) * sigmoid(2), rel=1e-5)
    np.testing.assert_array_equal(box, [5, 0, 13, 11])  # the last pixel
    assert OFFICIAL.by_product and OFFICIAL.threshold == 0.6


def outputs_of(rng):
    """Logits, distances and centerness of 20 points and 3 classes; boxes so small that none meets another."""
    logits, central = rng.normal(-2, 2, (1, 20, 3)), rng.normal(0, 2, (1, 20, 1))
    return logits.astype(np.float32), np.ones((1, 20, 4), np.float32), central.astype(np.float32)


@pytest.mark.parametrize("lineage", ["mmlab", "official"])
def test_candidates_of_both_programs(lineage):
    """Those of the best class scores, or of the best products with the centerness; the threshold is the scores'."""
    logits, distances, central = outputs_of(np.random.default_rng(1))
    rules = replace(BY_LINEAGE[lineage], num_before=9)
    points = level_points([(5, 4)], [8])
    found = detect_points([logits], [distances], [central], points, np.float32([[40, 32]]), rules)
    scores, together = (1 / (1 + np.exp(-x.astype(float)[0])) for x in (logits, central))
    together = scores * together
    ranks = np.where(scores > 0.05, together if lineage == "official" else scores, -1).ravel()
    chosen = [i for i in np.argsort(-ranks)[:9] if ranks[i] > 0]
    chosen.sort(key=lambda i: -together.ravel()[i])
    count = int(np.sum(found.valid))
    assert count == len(chosen) == 9
    np.testing.assert_allclose(found.scores[0][:count], together.ravel()[chosen], rtol=1e-5)
    np.testing.assert_array_equal(found.labels[0][:count], np.array(chosen) % 3)


def test_boxes_without_area_are_no_detections():
    """As of points beyond the edge of a picture in a wider batch."""
    logits, distances, central = outputs_of(np.random.default_rng(1))
    points = level_points([(5, 4)], [8])
    found = detect_points([logits + 9], [distances], [central], points, np.float32([[40, 16]]), BY_LINEAGE["mmlab"])
    count = int(np.sum(found.valid))
    boxes = np.asarray(found.boxes[0][:count])
    assert count == 10 * 3 and (boxes[:, 2:] > boxes[:, :2]).all()

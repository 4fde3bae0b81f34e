"""Whole detectors beside mmdet 3.3.0: every map, every detection, every loss."""

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts.paste import paste_each
from tests.tasks.detection.frameworks.goldens import filled, losses_of, masks_of, matched

CASES = {
    "faster_rcnn": "det_faster_rcnn_w18_128x192",
    "mask_rcnn": "det_mask_rcnn_w18_128x160",
    "cascade_rcnn": "det_cascade_rcnn_w18_128x192",
    "htc": "det_htc_w18_128x192",
    "fcos": "det_fcos_w18_128x192",
}


# Of HTC: the mean of three heads (mmdet 1 and 2) and the last of them (mmdet 3).
MASKS = [("masks", "det_masks_mean3_bits"), ("last_masks", "det_masks_bits"), ("masks", "det_masks_bits")]


@pytest.fixture(scope="module", params=CASES)
def golden(request, weights_rule):
    return request.param, *filled(request.param, CASES[request.param], weights_rule)


@pytest.fixture(scope="module")
def answered(golden):
    _, _, watched, _, _, _, picture, size = golden
    return keras.tree.map_structure(keras.ops.convert_to_numpy, watched([picture, size]))


def test_pyramid(golden, answered):
    arrays = golden[5]
    for i, level in enumerate(answered["pyramid"]):
        expected = arrays[f"fpn_{i}"].transpose(0, 2, 3, 1)
        assert np.abs(level - expected).max() < 1e-4 * expected.std()


def test_numbers_of_weights(golden):
    name, model, _, _, meta, *_ = golden
    if "params" not in meta:
        pytest.skip("a golden without their number")
    assert sum(np.prod(v.shape) for v in model.trainable_variables) == meta["params"], name


def test_points(golden, answered):
    if "logits" not in answered:
        pytest.skip("a framework that asks no points")
    for ours, theirs in (("logits", "cls"), ("distances", "reg"), ("centerness", "ctr")):
        for i, level in enumerate(answered[ours]):
            expected = golden[5][f"{theirs}_{i}"].transpose(0, 2, 3, 1)
            assert np.abs(level.reshape(expected.shape) - expected).max() < 1e-4 * expected.std(), (ours, i)


def test_proposals(golden, answered):
    if "proposals" not in answered:
        pytest.skip("a framework without proposals")
    arrays = golden[5]
    proposals, expected = answered["proposals"][0], arrays["proposals"]
    # The golden's json says that all of them stay the same under noise of 1e-5. (Clipped ones may be equal.)
    distance = np.abs(proposals[:, None] - expected[None]).max(-1)
    assert max(distance.min(0).max(), distance.min(1).max()) < 0.02


def test_detections_one_by_one(golden, answered):
    _, _, _, _, meta, arrays, _, _ = golden
    count, distance, match = matched(meta, arrays, answered)
    assert answered["valid"][0] == count and len(set(match)) == count
    assert distance < 0.02
    scores = answered["scores"][0][:count]
    assert np.abs(scores[match] - arrays["det_scores"]).max() < 1e-3
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize(("masks", "word"), MASKS)
def test_masks_one_by_one(golden, answered, masks, word):
    _, _, _, _, meta, arrays, _, _ = golden
    of_htc = "det_masks_mean3_bits" in arrays
    if word not in arrays or masks not in answered or (of_htc and (masks, word) == MASKS[2]):
        pytest.skip("a framework without such masks")
    scale = np.array(meta["img_meta"]["scale_factor_wh"] * 2, np.float32)
    expected = masks_of(meta, arrays, word)
    drawn = np.array(list(paste_each(answered[masks][0], answered["boxes"][0] / scale, expected.shape[1:])))
    _, _, match = matched(meta, arrays, answered)
    assert (drawn[match] == expected).mean() > 0.999


def test_semantic_map(golden, answered):
    name, _, _, _, _, arrays, _, _ = golden
    if name != "htc":
        pytest.skip("a framework without semantic maps")
    expected = arrays["semantic_pred"].argmax(axis=1)
    assert answered["semantic"].shape == expected.shape and (answered["semantic"] == expected).mean() > 0.99


def test_losses_with_all_samples_kept(golden, answered):
    name, model, _, rules, _, arrays, picture, size = golden
    losses, expected = losses_of(name, model, rules, arrays, picture, size, answered["pyramid"])
    assert list(losses) == list(expected)
    for word, value in losses.items():
        assert value == pytest.approx(expected[word], rel=1e-3), word

"""Whole detectors beside mmdet 3.3.0: every map, every detection, every loss."""

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.detection.frameworks import framework
from hrnet_keras.tasks.detection.parts.paste import paste_each
from hrnet_keras.tasks.detection.parts.truths import Truths
from tests.tasks.detection.frameworks.goldens import filled, masks_of

CASES = {"faster_rcnn": "det_faster_rcnn_w18_128x192", "mask_rcnn": "det_mask_rcnn_w18_128x160"}


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


def test_proposals(golden, answered):
    arrays = golden[5]
    proposals, expected = answered["proposals"][0], arrays["proposals"]
    # The golden's json says that all of them stay the same under noise of 1e-5. (Clipped ones may be equal.)
    distance = np.abs(proposals[:, None] - expected[None]).max(-1)
    assert max(distance.min(0).max(), distance.min(1).max()) < 0.02


def test_detections_one_by_one(golden, answered):
    _, _, _, _, meta, arrays, _, _ = golden
    count = len(arrays["det_boxes"])
    assert answered["valid"][0] == count
    scale = np.array(meta["img_meta"]["scale_factor_wh"] * 2, np.float32)
    boxes, scores, labels = (answered[word][0][:count] for word in ("boxes", "scores", "labels"))
    distance = np.abs(boxes[:, None] / scale - arrays["det_boxes"][None]).max(-1)
    distance = np.where(labels[:, None] == arrays["det_labels"][None], distance, np.inf)
    match = distance.argmin(0)
    assert len(set(match)) == count
    assert distance.min(0).max() < 0.02
    assert np.abs(scores[match] - arrays["det_scores"]).max() < 1e-3
    assert (np.diff(scores) <= 0).all()


def test_masks_one_by_one(golden, answered):
    name, _, _, _, meta, arrays, _, _ = golden
    if name != "mask_rcnn":
        pytest.skip("a framework without masks")
    scale = np.array(meta["img_meta"]["scale_factor_wh"] * 2, np.float32)
    expected = masks_of(meta, arrays)
    boxes = answered["boxes"][0] / scale
    distance = np.abs(boxes[:, None] - arrays["det_boxes"][None]).max(-1)
    distance = np.where(answered["labels"][0][:, None] == arrays["det_labels"][None], distance, np.inf)
    masks = np.array(list(paste_each(answered["masks"][0], boxes, expected.shape[1:])))
    assert (masks[distance.argmin(0)] == expected).mean() > 0.999


def test_losses_with_all_samples_kept(golden, answered):
    name, model, _, rules, _, arrays, picture, size = golden
    targets = {"boxes": arrays["gt_boxes"][None], "labels": arrays["gt_labels"][None].astype(np.int32)}
    if "gt_masks_bits" in arrays:
        shape = picture.shape[1:3]
        bits = np.unpackbits(arrays["gt_masks_bits"], axis=1)[:, : shape[0] * shape[1]]
        targets["masks"] = bits.reshape(1, -1, *shape)
    training = rules.__class__(**{**vars(rules), "training": rules.inference})  # the golden's proposals
    learner = framework(name).Learner.of(model, training, None)
    losses = learner(answered["pyramid"], Truths.of(targets, size))
    expected = {
        "loss_rpn_cls": arrays["loss_rpn_cls"].sum(), "loss_rpn_bbox": arrays["loss_rpn_bbox"].sum(),
        "loss_cls": arrays["roi_loss/loss_cls"], "loss_bbox": arrays["roi_loss/loss_bbox"],
    }  # fmt: skip
    if name == "mask_rcnn":
        expected["loss_mask"] = arrays["roi_loss/loss_mask"]
    assert list(losses) == list(expected)
    for word, value in losses.items():
        assert keras.ops.convert_to_numpy(value).sum() == pytest.approx(float(expected[word]), rel=1e-3), word

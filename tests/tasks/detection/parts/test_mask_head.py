"""The mask head beside mmdet's numbers, under mmdet's names, up to the masks of a picture."""

import keras
import numpy as np
import pytest
from keras import ops

from hrnet_keras.tasks.detection.parts.mask_head import MaskHead, masks_of_classes
from hrnet_keras.tasks.detection.parts.mask_loss import mask_loss
from hrnet_keras.tasks.detection.parts.mask_targets import mask_targets
from hrnet_keras.tasks.detection.parts.paste import paste_each, paste_masks
from hrnet_keras.tasks.detection.parts.roi_align import roi_align
from tests.tasks.detection.parts.reference import fill, network_golden, pyramid, state_of

CASE = "det_mask_rcnn_w18_128x160"


def head(channels=256, **options):
    features = keras.Input((14, 14, channels))
    return keras.Model(features, MaskHead.create(channels=channels, **options)(features))


@pytest.fixture(scope="module")
def mask_rcnn(weights_rule):
    meta, arrays = network_golden(CASE)
    model = head(num_masks=80)
    fill(model, state_of(meta, arrays, weights_rule), "roi_head.mask_head.")
    return model, meta, arrays


def test_golden_logits(mask_rcnn):
    model, _, arrays = mask_rcnn
    logits = model(arrays["roi_feats14_4"].transpose(0, 2, 3, 1)).numpy().transpose(0, 3, 1, 2)
    assert np.abs(logits - arrays["mask_logits4"]).max() < 2e-4 * arrays["mask_logits4"].std()


def test_golden_masks_of_detections(mask_rcnn):
    model, meta, arrays = mask_rcnn
    scale = np.float32(meta["img_meta"]["scale_factor_wh"] * 2)
    features = roi_align(pyramid(arrays), (arrays["det_boxes"] * scale)[None], size=14)[0]
    masks = ops.sigmoid(masks_of_classes(model(features), arrays["det_labels"]))
    size = meta["img_meta"]["ori_shape"]
    expected = np.unpackbits(arrays["det_masks_bits"], axis=1)[:, : size[0] * size[1]].reshape(-1, *size)
    pasted = paste_masks(masks, arrays["det_boxes"], size).numpy()
    assert (pasted == expected).mean() > 0.9999
    assert (np.stack(list(paste_each(masks, arrays["det_boxes"], size))) == expected).mean() > 0.9999


def overlap(boxes, others):
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    inner = np.maximum(np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - low, 0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    return inner / (area[:, None] + (others[:, 2:] - others[:, :2]).prod(-1) - inner)


def test_golden_loss_of_all_positives(mask_rcnn):
    """Assignment at 0.5, the best proposal of every object included, objects first, nothing sampled."""
    model, meta, arrays = mask_rcnn
    size = meta["input"]["shape"][2:]
    objects = np.unpackbits(arrays["gt_masks_bits"], axis=1).reshape(-1, *size)
    ious = overlap(arrays["proposals"], arrays["gt_boxes"])
    matches = np.where(ious.max(1) >= 0.5, ious.argmax(1), -1)
    for i, best in enumerate(ious.max(0)):
        if best >= 0.5:
            matches[ious[:, i] == best] = i
    boxes = np.concatenate([arrays["gt_boxes"], arrays["proposals"]])
    matches = np.concatenate([np.arange(len(objects)), matches])
    boxes, matches = boxes[matches >= 0], matches[matches >= 0]
    targets = mask_targets(objects[None], boxes[None], matches[None])[0]
    logits = model(roi_align(pyramid(arrays), boxes[None], size=14)[0])
    values = mask_loss(logits, targets, arrays["gt_labels"][matches])
    assert values.numpy().mean() == pytest.approx(float(arrays["roi_loss/loss_mask"]), rel=1e-3)


def test_one_mask_for_all_classes():
    model = head(channels=4, num_masks=1)
    assert model.output.shape == (None, 28, 28, 1)


def test_masks_of_classes():
    logits = np.arange(2 * 2 * 2 * 3, dtype=np.float32).reshape(2, 2, 2, 3)
    picked = masks_of_classes(logits, np.int32([2, 0])).numpy()
    np.testing.assert_array_equal(picked, np.stack([logits[0, ..., 2], logits[1, ..., 0]]))
    assert not masks_of_classes(logits, np.int32([3, -1])).numpy().any()


def test_initial_weights():
    model = head(num_masks=80)
    for name, inputs in (("convs.0.conv", 9 * 256), ("upsample", 4 * 256), ("conv_logits", 80)):
        kernel, bias = model.get_layer(f"roi_head.mask_head.{name}").get_weights()
        assert kernel.std() == pytest.approx(np.sqrt(2 / inputs), rel=0.05) and not bias.any()


def test_answers_stay_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = head(channels=4, num_masks=3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"


def test_saving(tmp_path):
    model = head(channels=4, num_masks=3)
    model.save(tmp_path / "head.keras")
    features = np.random.default_rng(0).standard_normal((2, 14, 14, 4)).astype(np.float32)
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "head.keras")(features), model(features))

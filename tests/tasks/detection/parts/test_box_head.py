"""The box head beside mmdet's numbers, under mmdet's names."""

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts.box_head import BoxHead
from hrnet_keras.tasks.detection.parts.roi_align import roi_align
from tests.tasks.detection.parts.reference import fill, network_golden, pyramid, state_of


def head(**options):
    features = keras.Input((7, 7, 256))
    return keras.Model(features, BoxHead.create(**options)(features))


@pytest.mark.parametrize("case", ["det_faster_rcnn_w18_128x192", "det_mask_rcnn_w18_128x160"])
def test_goldens(weights_rule, case):
    meta, arrays = network_golden(case)
    model = head(num_outputs=81, num_boxes=80)
    fill(model, state_of(meta, arrays, weights_rule), "roi_head.bbox_head.")
    rois = arrays["roi_feats7"].transpose(0, 2, 3, 1)
    proposals = roi_align(pyramid(arrays), arrays["proposals"][None], size=7)[0]
    for features, start in ((rois, ""), (proposals, "prop_")):
        for found, name in zip(model(features), ("cls_score", "bbox_pred"), strict=True):
            expected = arrays[start + name]
            assert np.abs(found - expected).max() < 2e-4 * expected.std(), start + name


def test_one_box_for_all_classes():
    classes, deltas = head(num_outputs=4, num_boxes=1, units=8).output
    assert (classes.shape, deltas.shape) == ((None, 4), (None, 4))


def test_initial_weights():
    model = head(num_outputs=21, num_boxes=20)
    deviations = {layer.name.split("bbox_head.")[1]: layer.get_weights() for layer in model.layers if layer.weights}
    assert list(deviations) == ["shared_fcs.0", "shared_fcs.1", "fc_cls", "fc_reg"]
    assert not any(bias.any() for _, bias in deviations.values())
    limit = np.sqrt(6 / (7 * 7 * 256 + 1024))
    assert 0.98 * limit < np.abs(deviations["shared_fcs.0"][0]).max() < 1.00001 * limit
    assert 0.009 < deviations["fc_cls"][0].std() < 0.011
    assert 0.0009 < deviations["fc_reg"][0].std() < 0.0011


def test_answers_stay_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = head(num_outputs=4, num_boxes=3, units=8)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {x.dtype for x in model.output} == {"float32"}


def test_saving(tmp_path):
    model = head(num_outputs=4, num_boxes=3, units=8)
    model.save(tmp_path / "head.keras")
    features = np.random.default_rng(0).standard_normal((2, 7, 7, 256)).astype(np.float32)
    again = keras.saving.load_model(tmp_path / "head.keras")
    for one, other in zip(model(features), again(features), strict=True):
        np.testing.assert_array_equal(one, other)

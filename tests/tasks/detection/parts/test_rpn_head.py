"""The region proposal head beside mmdet's numbers, under mmdet's names."""

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts.rpn_head import RPNHead
from tests.tasks.detection.parts.reference import fill, network_golden, pyramid, state_of


def head(num_anchors=3, channels=256):
    features = [keras.Input((None, None, channels)) for _ in range(5)]
    return keras.Model(features, RPNHead.create(num_anchors=num_anchors, channels=channels)(features))


@pytest.mark.parametrize("case", ["det_faster_rcnn_w18_128x192", "det_mask_rcnn_w18_128x160"])
def test_goldens(weights_rule, case):
    meta, arrays = network_golden(case)
    model = head()
    fill(model, state_of(meta, arrays, weights_rule), "rpn_head.")
    logits, deltas = model([keras.ops.convert_to_tensor(x) for x in pyramid(arrays, 5)])
    for i in range(5):
        for found, name, last in ((logits, f"rpn_cls_{i}", ()), (deltas, f"rpn_reg_{i}", (4,))):
            expected = arrays[name].transpose(0, 2, 3, 1).reshape(1, -1, *last)
            assert np.abs(found[i] - expected).max() < 2e-4 * arrays[name].std()


def test_order_is_row_column_anchor():
    model = head(num_anchors=2, channels=3)
    features = [np.random.default_rng(i).standard_normal((2, 3 + i, 4, 3)).astype(np.float32) for i in range(5)]
    logits, deltas = model(features)
    kernel, bias = model.get_layer("rpn_head.rpn_reg").get_weights()
    hidden = model.get_layer("rpn_head.rpn_conv")(features[1]).numpy()
    by_place = (hidden @ kernel[0, 0] + bias).reshape(2, 4, 4, 2, 4)
    np.testing.assert_allclose(deltas[1].numpy().reshape(2, 4, 4, 2, 4), by_place, atol=1e-6)
    assert [x.shape for x in logits] == [(2, (3 + i) * 4 * 2) for i in range(5)]


def test_initial_weights():
    model = head()
    for name in ("rpn_conv", "rpn_cls", "rpn_reg"):
        kernel, bias = model.get_layer(f"rpn_head.{name}").get_weights()
        assert 0.008 < kernel.std() < 0.012 and not bias.any()


def test_answers_stay_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = head()
    finally:
        keras.config.set_dtype_policy("float32")
    assert {x.dtype for x in keras.tree.flatten(model.output)} == {"float32"}
    assert model.get_layer("rpn_head.rpn_conv").compute_dtype == "bfloat16"

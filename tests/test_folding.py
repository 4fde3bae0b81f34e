"""Folding batch norms changes no answer, for every task."""

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.folding import fold_batch_norm
from hrnet_keras.layers import BatchNormalization

CASES = {
    "cls": (hk.HRNetV2W18SmallV1, {"task": "cls", "num_classes": 7}),
    "seg": (hk.HRNetV2W18SmallV1, {"task": "seg"}),
    "ocr": (hk.HRNetV2W18SmallV1, {"task": "seg", "head": "ocr", "num_classes": 4}),
    "landmark": (hk.HRNetV2W18SmallV1, {"task": "landmark"}),
    "pose": (hk.HRNetV1W18SmallV1, {"task": "pose"}),
    "pyramid": (hk.HRNetV2pW18SmallV1, {}),
}


def with_statistics(model, seed=0):
    """Gives every batch norm statistics and parameters that matter."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            n = layer.gamma.shape[0]
            values = rng.uniform(0.3, 1.2, n), rng.normal(0, 0.2, n), rng.normal(0, 0.2, n), rng.uniform(0.5, 2, n)
            layer.set_weights([value.astype(np.float32) for value in values])
    return model


@pytest.mark.parametrize("case", CASES)
def test_same_answers_without_batch_norms(case):
    builder, options = CASES[case]
    model = with_statistics(builder(**options, input_shape=(64, 96, 3), include_preprocessing=False))
    folded = fold_batch_norm(model)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)
    x = np.random.default_rng(1).standard_normal((1, 64, 96, 3)).astype(np.float32)
    pairs = zip(keras.tree.flatten(model(x)), keras.tree.flatten(folded(x)), strict=True)
    for expected, found in pairs:
        expected, found = np.asarray(expected), np.asarray(found)
        # float32 rounding of about 60 layers: the goldens' own noise is 5e-6 of the standard deviation
        assert np.abs(found - expected).max() < 3e-5 * expected.std()


def test_a_net_of_mixed_precision_is_folded_into_float32():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = hk.HRNetV2W18SmallV1("seg", num_classes=3, input_shape=(32, 32, 3))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    folded = fold_batch_norm(model)
    assert {layer.compute_dtype for layer in folded.layers} == {"float32"}
    np.testing.assert_array_equal(model.get_layer("last_layer.3").kernel, folded.get_layer("last_layer.3").kernel)

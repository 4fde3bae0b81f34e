"""The semantic branch beside mmdet's numbers, under mmdet's names."""

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts.semantic_head import IGNORED, SemanticHead, learn_semantics
from tests.tasks.detection.parts.reference import fill, network_golden, pyramid, state_of


@pytest.fixture(scope="module")
def answered(weights_rule):
    meta, arrays = network_golden("det_htc_w18_128x192")
    levels = pyramid(arrays, 5)
    inputs = [keras.Input(level.shape[1:]) for level in levels]
    model = keras.Model(inputs, SemanticHead.create()(inputs))
    fill(model, state_of(meta, arrays, weights_rule), "roi_head.semantic_head.")
    return arrays, *(np.asarray(values) for values in model(levels))


def test_goldens(answered):
    arrays, logits, features = answered
    for found, name in ((logits, "semantic_pred"), (features, "semantic_feat")):
        expected = arrays[name].transpose(0, 2, 3, 1)
        assert np.abs(found - expected).max() < 1e-4 * expected.std(), name


def test_loss(answered):
    """The mean of all places; of those with a label alone for nets of mmdet 1."""
    arrays, logits, _ = answered
    labels = arrays["gt_semantic"][None]
    assert float(learn_semantics(logits, labels)[0]) * 0.2 == pytest.approx(
        float(arrays["roi_loss/loss_semantic_seg"]), rel=1e-4
    )
    labels = np.where(labels == IGNORED, 0, labels)
    half = labels.copy()
    half[:, :, 96:] = IGNORED
    expected = learn_semantics(logits[:, :, :12], labels[:, :, :96])
    np.testing.assert_allclose(learn_semantics(logits, half), expected / 2, rtol=1e-5)
    np.testing.assert_allclose(learn_semantics(logits, half, v1=True), expected, rtol=1e-5)

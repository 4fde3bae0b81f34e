"""The mask loss beside mmdet's numbers."""

import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts.mask_loss import mask_loss


def test_golden(golden):
    arrays = golden("detection", "det_losses")[1]
    logits = arrays["mask_logits"].transpose(0, 2, 3, 1)
    values = mask_loss(logits, arrays["mask_targets"], arrays["mask_labels"])
    assert values.numpy().mean() == pytest.approx(float(arrays["mask_loss"][0]), rel=1e-6)


def test_formula_and_what_does_not_count():
    rng = np.random.default_rng(0)
    logits = 50 * rng.standard_normal((4, 5, 5, 3)).astype(np.float32)
    targets = (rng.uniform(size=(4, 5, 5)) > 0.5).astype(np.float32)
    values = mask_loss(logits, targets, np.int32([1, 2, 3, -1])).numpy()
    chosen = np.stack([logits[0, ..., 1], logits[1, ..., 2]]).astype(float)
    expected = np.logaddexp(0, chosen) - chosen * targets[:2]
    np.testing.assert_allclose(values, [*expected.mean((1, 2)), 0, 0], rtol=1e-5)


def test_no_boxes():
    assert mask_loss(np.zeros((0, 28, 28, 3)), np.zeros((0, 28, 28)), np.zeros(0, int)).shape == (0,)

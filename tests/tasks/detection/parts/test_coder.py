"""Deltas lead from a box to its truth; padding stays finite."""

import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts import coder


def random_boxes(rng, count):
    start = rng.uniform(0, 80, (1, count, 2))
    return np.concatenate([start, start + rng.uniform(4, 60, (1, count, 2))], axis=-1).astype("float32")


@pytest.mark.parametrize("plus_one", [False, True])
def test_decoding_undoes_encoding(plus_one):
    rng = np.random.default_rng(0)
    start, truths = random_boxes(rng, 50), random_boxes(rng, 50)
    settings = {"means": (0.1, 0.0, -0.2, 0.0), "stds": coder.ROI_STDS, "plus_one": plus_one}
    deltas = coder.encode(start, truths, **settings)
    np.testing.assert_allclose(coder.decode(start, deltas, **settings), truths, atol=1e-4)  # float32 of 140 pixels


def test_growth_is_limited_after_the_deviations():
    start = np.float32([[[0, 0, 10, 10]]])
    deltas = np.float32([[[0, 0, 100, -100]]])
    found = np.array(coder.decode(start, deltas, stds=(1, 1, 0.02, 2.0)))[0, 0]
    assert found[2] - found[0] == pytest.approx(10 * np.exp(2), rel=1e-6)  # 100 * 0.02 is within
    assert found[3] - found[1] == pytest.approx(10 * 16 / 1000, rel=1e-4)


def test_boxes_without_area_are_finite():
    nothing = np.zeros((1, 2, 4), "float32")
    truths = np.float32([[[0, 0, 9, 9], [0, 0, 0, 0]]])
    assert np.isfinite(coder.encode(nothing, truths)).all()
    assert np.isfinite(coder.encode(truths, nothing)).all()
    assert np.array(coder.encode(nothing, nothing)).tolist() == nothing.tolist()

"""The objective of landmarks: what `compile` gets for every loss of a recipe."""

from types import SimpleNamespace

import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks.keypoints.losses import pack
from hrnet_keras.tasks.landmark.losses import objective


def test_official_loss_is_a_plain_mean_and_mmposes_a_weighted_one():
    targets, found = np.zeros((1, 2, 2, 2)), np.ones((1, 2, 2, 2)) * [1, 3]
    packed, values = pack(targets, [[1, 0]]), []
    for name in ("mse", "weighted_mse", "ohkm"):
        model, loss, weights = objective("model", DatasetInfo("faces"), SimpleNamespace(loss=name))
        assert model == "model" and weights is None
        values.append(float(loss(packed, found)))
    assert values == [5, 0.5, 0.25]


def test_other_losses_are_refused():
    with pytest.raises(ValueError, match=r"train\.loss='lovasz': points are trained on 'mse'"):
        objective(None, DatasetInfo("faces"), SimpleNamespace(loss="lovasz"))

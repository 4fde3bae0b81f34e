"""The objective of landmarks: what every loss of a recipe costs."""

import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.keypoints.losses import pack
from hrnet_keras.tasks.landmark.losses import objective
from hrnet_keras.tasks.landmark.recipe import Loss

MODEL, DATA = ModelInfo("landmark"), DatasetInfo("faces")


def test_official_loss_is_a_plain_mean_and_mmposes_a_weighted_one():
    targets, maps = np.zeros((1, 2, 2, 2)), np.ones((1, 2, 2, 2)) * [1, 3]
    packed, values = pack(targets, [[1, 0]]), []
    for name in ("mse", "weighted_mse", "ohkm"):
        learnt = objective(Loss(name=name), MODEL, DATA)
        assert list(learnt.weights.values()) == [1] and not learnt.layers
        (loss,) = learnt(maps, packed).values()
        assert loss.shape == (1,)
        values.append(float(loss[0]))
    assert values == [5, 0.5, 0.25]


def test_other_losses_are_refused():
    with pytest.raises(ValueError, match=r"loss\.name='lovasz': points are trained on 'mse'"):
        objective(Loss(name="lovasz"), MODEL, DATA)

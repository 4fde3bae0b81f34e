"""The objective of poses: halved as in the official code, or mmpose's, by the model's lineage."""

import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.keypoints.losses import pack
from hrnet_keras.tasks.pose.losses import objective
from hrnet_keras.tasks.pose.recipe import Loss


@pytest.mark.parametrize(("lineage", "values"), [("official", [2.5, 0.0625]), ("mmlab", [5, 0.25])])
def test_lineages_learn_from_their_own_error(lineage, values):
    targets, maps = np.zeros((1, 2, 2, 2)), np.ones((1, 2, 2, 2)) * [1, 3]
    packed, model = pack(targets, [[0.5, 0]]), ModelInfo("pose", lineage=lineage)
    for name, expected in zip(("mse", "weighted_mse"), values, strict=True):
        learnt = objective(Loss(name=name), model, DatasetInfo("people"))
        assert list(learnt.weights.values()) == [1] and not learnt.layers
        (loss,) = learnt(maps, packed).values()
        assert loss.shape == (1,) and float(loss[0]) == expected


def test_other_losses_are_refused():
    with pytest.raises(
        ValueError, match=r"loss\.name='dice': points are trained on 'mse', 'weighted_mse', 'adaptive_w"
    ):
        objective(Loss(name="dice"), ModelInfo("pose"), DatasetInfo("people"))

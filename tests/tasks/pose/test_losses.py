"""The objective of poses: halved as in the official code, or mmpose's, by the model's lineage."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.tasks.keypoints.losses import pack
from hrnet_keras.tasks.pose.losses import objective


def model_of(lineage):
    maps = keras.Input((None, None, 2))
    return keras.Model(maps, ModelInfoLayer({"task": "pose", "lineage": lineage})(maps))


@pytest.mark.parametrize(("lineage", "values"), [("official", [2.5, 0.0625]), ("mmlab", [5, 0.25])])
def test_lineages_learn_from_their_own_error(lineage, values):
    targets, found = np.zeros((1, 2, 2, 2)), np.ones((1, 2, 2, 2)) * [1, 3]
    packed, net = pack(targets, [[0.5, 0]]), model_of(lineage)
    for name, expected in zip(("mse", "weighted_mse"), values, strict=True):
        model, loss, weights = objective(net, DatasetInfo("people"), SimpleNamespace(loss=name))
        assert model is net and weights is None
        assert float(loss(packed, found)) == expected


def test_other_losses_are_refused():
    with pytest.raises(
        ValueError, match=r"train\.loss='dice': points are trained on 'mse', 'weighted_mse', 'adaptive_w"
    ):
        objective(model_of("official"), DatasetInfo("people"), SimpleNamespace(loss="dice"))

"""The objectives of detectors: those of the framework, on samples of anchors and of proposals."""

from dataclasses import replace
from typing import Any

import keras

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.detection.frameworks import framework
from hrnet_keras.tasks.detection.parts.truths import Truths
from hrnet_keras.tasks.detection.recipe import Loss
from hrnet_keras.tasks.objective import Objective

_SIZES = "picture_sizes"


def objective(loss: Loss, model: ModelInfo, data: DatasetInfo | None) -> Objective:
    """What a detector learns from.

    Args:
        loss: what the recipe says of it: which anchors and proposals the losses look at.
        model: info of the model.
        data: info of the data set; nothing here depends on it.

    Returns:
        The objective of the pyramid and of targets `boxes` `(batch, m, 4)`, `labels` `(batch, m)` (-1: padding) and,
        for frameworks that learn them, `masks` `(batch, m, height, width)` and `semantic` `(batch, height, width)`;
        it runs the model's heads itself.

    Source: mmdet 3.3.0's two-stage detectors; mmdet 0.6 for lineage official.
    """
    del data
    module = framework(model.head or "")
    rules = module.rules_of(model.lineage).drawing(loss.anchors, loss.regions)

    inputs_of = getattr(module, "inputs_of", pyramid_layers)

    def bound(net: keras.Model) -> Objective:
        seed = keras.random.SeedGenerator(loss.seed) if loss.sampling else None
        learner = module.Learner.of(net, rules, seed)
        inputs = inputs_of(net)
        layers = {name: name for name in (*inputs, _SIZES)}

        def losses(outputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
            truths = Truths.of(targets, outputs[_SIZES], v1=rules.v1)
            return learner([outputs[name] for name in inputs], truths)

        used = [*learner.layers, *([] if seed is None else [seed])]
        return replace(unbound, losses=losses, layers=layers, bind=None, used=tuple(used))

    unbound = Objective(_not_bound, dict(module.LOSSES), needs_output=False, bind=bound)
    return unbound


def pyramid_layers(model: keras.Model) -> list[str]:
    """Names of the layers that are the levels of a detector's pyramid, which its heads stand on."""
    return [layer.name for layer in model.layers if layer.name.startswith("fpn_convs.")]


def _not_bound(outputs: Any, targets: Any) -> dict[str, Any]:
    raise ValueError("this objective runs the heads of a model: call bind(model) first, as ObjectiveModel.of does")

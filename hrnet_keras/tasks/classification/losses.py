"""The objective of classification: plain cross entropy, as in every official recipe."""

import keras

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.classification.recipe import Loss
from hrnet_keras.tasks.objective import Objective, objective_of


def objective(loss: Loss, model: ModelInfo, data: DatasetInfo) -> Objective:
    """What a classification model learns from.

    Args:
        loss: what the recipe says of it.
        model, data: info of the model and of the data set; nothing here depends on them.

    Returns:
        The objective of logits and class ids `(batch,)`.

    Raises:
        ValueError: the recipe asks for another loss.
    """
    del model, data
    if loss.name != "cross_entropy":
        raise ValueError(f"loss.name={loss.name!r}: classification is trained on 'cross_entropy'")
    return objective_of(keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none"))

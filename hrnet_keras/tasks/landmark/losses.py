"""The objective of facial landmarks: the official plain squared error, or a weighted one as in mmpose."""

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.keypoints.losses import objective_named
from hrnet_keras.tasks.landmark.recipe import Loss
from hrnet_keras.tasks.objective import Objective


def objective(loss: Loss, model: ModelInfo, data: DatasetInfo) -> Objective:
    """What a landmark model learns from.

    Args:
        loss: what the recipe says of it; its name is `"mse"` (official: all maps count alike), `"weighted_mse"` or
            `"adaptive_wing"` (mmpose), or `"ohkm"`.
        model, data: info of the model and of the data set; nothing here depends on them.

    Returns:
        The objective of heat maps and targets as `tasks.keypoints.losses.pack` makes them.

    Raises:
        ValueError: another loss.
    """
    del model, data
    return objective_named(loss.name)

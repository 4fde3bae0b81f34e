"""The objective of poses: half the squared error, weighted by visibility, as the official training has it."""

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.keypoints.losses import LOSSES, Makers, SquaredError, objective_named
from hrnet_keras.tasks.objective import Objective
from hrnet_keras.tasks.pose.recipe import Loss

OFFICIAL: Makers = {
    "mse": (SquaredError, {"factor": 0.5}),
    "weighted_mse": (SquaredError, {"weighting": "maps", "factor": 0.5}),
}  # where the official repository has a loss of its own


def objective(loss: Loss, model: ModelInfo, data: DatasetInfo) -> Objective:
    """What a pose model learns from.

    Args:
        loss: what the recipe says of it; its name is `"weighted_mse"` (what both lineages train on), `"mse"` (all maps
            count alike), `"ohkm"` or `"adaptive_wing"`.
        model: info of the model. One of lineage mmlab learns from mmpose's squared error, any other from the official
            repository's, which halves it and squares the weights.
        data: info of the data set; nothing here depends on it.

    Returns:
        The objective of heat maps and targets as `tasks.keypoints.losses.pack` makes them.

    Raises:
        ValueError: another loss.

    Source: `JointsMSELoss` and `JointsOHKMMSELoss` of the official pose repository, `KeypointMSELoss` of mmpose.
    """
    del data
    if model.lineage == "mmlab":
        return objective_named(loss.name)
    return objective_named(loss.name, LOSSES | OFFICIAL)

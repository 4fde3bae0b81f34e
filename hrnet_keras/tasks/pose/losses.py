"""The objective of poses: half the squared error, weighted by visibility, as the official training has it."""

from hrnet_keras.layers.model_info import find_info
from hrnet_keras.tasks.keypoints.losses import LOSSES, SquaredError, loss_named

OFFICIAL = {"mse": lambda: SquaredError(factor=0.5), "weighted_mse": lambda: SquaredError("maps", factor=0.5)}


def objective(model, info, train, *, align_corners=False):
    """What `model.fit` is to minimise.

    Args:
        model: a pose model. One of lineage mmlab learns from mmpose's squared error, any other from the official
            repository's, which halves it and squares the weights.
        info: of the data set; nothing here depends on them.
        train: the recipe's `TrainRecipe`; its `loss` is `"weighted_mse"` (what both train on), `"mse"` (all maps count
            alike), `"ohkm"` or `"adaptive_wing"`.
        align_corners: of no meaning here.

    Returns:
        The model, the loss (targets as `tasks.keypoints.losses.pack` makes them) and its weights (None), as `compile`
        takes them.

    Raises:
        ValueError: another loss.

    Source: `JointsMSELoss` and `JointsOHKMMSELoss` of the official pose repository, `KeypointMSELoss` of mmpose.
    """
    info = find_info(model)
    losses = LOSSES if info is not None and info.lineage == "mmlab" else LOSSES | OFFICIAL
    return model, loss_named(train.loss or "weighted_mse", losses), None

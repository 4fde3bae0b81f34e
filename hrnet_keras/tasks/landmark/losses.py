"""The objective of facial landmarks: the official plain squared error, or a weighted one as in mmpose."""

from hrnet_keras.tasks.keypoints.losses import loss_named


def objective(model, info, train, *, align_corners=False):
    """What `model.fit` is to minimise.

    Args:
        model: a landmark model.
        info: of the data set; nothing here depends on them.
        train: the recipe's `TrainRecipe`; its `loss` is `"mse"` (official: all maps count alike), `"weighted_mse"` or
            `"adaptive_wing"` (mmpose), or `"ohkm"`.
        align_corners: of no meaning here.

    Returns:
        The model, the loss (targets as `tasks.keypoints.losses.pack` makes them) and its weights (None), as `compile`
        takes them.

    Raises:
        ValueError: another loss.
    """
    return model, loss_named(train.loss or "mse"), None

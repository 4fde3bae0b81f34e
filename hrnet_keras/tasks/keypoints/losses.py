"""What heat maps are trained on: squared errors as every lineage weights them, Adaptive Wing, the hardest points alone.

Maps and their weights travel as one tensor, so that `model.fit` and every strategy split them alike: `pack` puts a row
below the maps, in which every map repeats its weight. Every loss here takes targets so packed, also the one that knows
no weights, and hands Keras one value per example whose mean is the batch's loss.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from hrnet_keras.tasks.objective import Objective, objective_of

HARDEST = 8  # points that `OhkmMSE` learns from; `TOPK` of the official pose recipes


def pack(maps: Any, weights: Any) -> np.ndarray:
    """Puts maps and their weights into what the losses take as `y_true`.

    Args:
        maps: array `(..., height, width, maps)`, the targets.
        weights: array `(..., maps)`, 0 for a map that is not learnt from.

    Returns:
        Array `(..., height + 1, width, maps)` of the maps' type: the last row holds the weights.
    """
    maps = np.asarray(maps)
    row = np.broadcast_to(np.asarray(weights)[..., None, None, :], (*maps.shape[:-3], 1, *maps.shape[-2:]))
    return np.concatenate([maps, row.astype(maps.dtype)], axis=-3)


class HeatMapLoss(keras.losses.Loss):
    """What the losses here share.

    Input: `y_true` as `pack` makes it `(batch, height + 1, width, maps)`; `y_pred` heat maps
    `(batch, height, width, maps)`, not activated.
    Output: `(batch,)`.

    Raises:
        ValueError: `y_true` is not one row higher than `y_pred`, or else of another shape.
    """

    def _unpack(self, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
        """Predicted maps, target maps, and weights `(batch, 1, 1, maps)`, all float32."""
        (_, height, *rest), (_, rows, *found) = y_pred.shape, y_true.shape
        expected = (None if height is None else height + 1, *rest)
        if any(None not in pair and pair[0] != pair[1] for pair in zip(expected, (rows, *found), strict=True)):
            raise ValueError(
                f"y_true has shape {tuple(y_true.shape)}, the heat maps {tuple(y_pred.shape)}: expected one row more, "
                "as hrnet_keras.tasks.keypoints.losses.pack adds it"
            )
        y_true = ops.cast(y_true, "float32")
        return ops.cast(y_pred, "float32"), y_true[:, :-1], y_true[:, -1:, :1]


@keras.saving.register_keras_serializable("hrnet_keras")
class SquaredError(HeatMapLoss):
    """Squared differences, averaged over all elements of all maps, those of weight 0 included.

    Args:
        weighting: `"none"`: `(p - t)^2` whatever the weights are; `"errors"`: `w (p - t)^2`; `"maps"`:
            `(w p - w t)^2`.
        factor: of the whole.

    Raises:
        ValueError: another `weighting`.

    Source: `"none"`: the mean squared error of the official facial-landmark repository. `"errors"`: `KeypointMSELoss`
    of mmpose. `"maps"` with factor 0.5: `JointsMSELoss` of the official pose repository, a mean over joints of half the
    mean over batch and pixels, which is half the mean over everything.
    """

    def __init__(self, weighting="none", factor=1.0, *, name="squared_error", **kwargs):
        super().__init__(name=name, **kwargs)
        if weighting not in ("none", "errors", "maps"):
            raise ValueError(f"weighting={weighting!r}: expected 'none', 'errors' or 'maps'")
        self.weighting = weighting
        self.factor = factor

    def call(self, y_true: Any, y_pred: Any) -> Any:
        found, targets, weights = self._unpack(y_true, y_pred)
        values = ops.square(found - targets)
        if self.weighting != "none":
            values = values * (weights if self.weighting == "errors" else ops.square(weights))
        return self.factor * ops.mean(values, axis=(1, 2, 3))

    def get_config(self):
        return {**super().get_config(), "weighting": self.weighting, "factor": self.factor}


@keras.saving.register_keras_serializable("hrnet_keras")
class AdaptiveWing(HeatMapLoss):
    """Adaptive Wing loss: logarithmic for small errors, steeper the nearer the target is to 1, linear for large ones.

    Both maps are multiplied by the weight first; the mean is over all elements.

    Source: arXiv:1904.07399, equations 3 and 4, with alpha 2.1, omega 14, epsilon 1 and theta 0.5 as there and in
    `AdaptiveWingLoss` of mmpose.
    """

    ALPHA, OMEGA, EPSILON, THETA = 2.1, 14.0, 1.0, 0.5

    def __init__(self, *, name="adaptive_wing", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        found, targets, weights = self._unpack(y_true, y_pred)
        targets = weights * targets
        error = ops.abs(targets - weights * found)
        # The names of the paper: A is `slope`, C is `constant`; they join the two branches at theta.
        power = self.ALPHA - targets
        ratio = self.THETA / self.EPSILON
        at_theta = ops.power(ratio, power)
        slope = self.OMEGA / (1 + at_theta) * power * ops.power(ratio, power - 1) / self.EPSILON
        constant = self.THETA * slope - self.OMEGA * ops.log1p(at_theta)
        near = self.OMEGA * ops.log1p(ops.power(error / self.EPSILON, power))
        return ops.mean(ops.where(error < self.THETA, near, slope * error - constant), axis=(1, 2, 3))


@keras.saving.register_keras_serializable("hrnet_keras")
class OhkmMSE(HeatMapLoss):
    """Online hard keypoint mining: every example learns from its eight maps of the largest squared error.

    A map's error is half the mean of `(w p - w t)^2` over its pixels; an example with fewer maps uses all of them.

    Source: `JointsOHKMMSELoss` of the official pose repository.
    """

    def __init__(self, *, name="ohkm", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        found, targets, weights = self._unpack(y_true, y_pred)
        # The official loss weights both maps before it subtracts them, so weights count squared.
        errors = 0.5 * ops.mean(ops.square(weights * (found - targets)), axis=(1, 2))
        return ops.mean(ops.top_k(errors, min(HARDEST, errors.shape[-1]))[0], axis=-1)


keras.saving.get_custom_objects()["hrnet_keras>HardPoints"] = OhkmMSE  # its name in files of version 0.1

Makers = dict[str, tuple[type[HeatMapLoss], dict[str, Any]]]
LOSSES: Makers = {
    "mse": (SquaredError, {}),
    "weighted_mse": (SquaredError, {"weighting": "errors"}),
    "adaptive_wing": (AdaptiveWing, {}),
    "ohkm": (OhkmMSE, {}),
}  # what `loss.name` of a recipe may be: the class and its options


def loss_named(name: str, losses: Makers = LOSSES, **options: Any) -> HeatMapLoss:
    """Makes the loss of a recipe's `loss.name`, with more options of Keras; raises `ValueError` where there is none."""
    if name not in losses:
        raise ValueError(f"loss.name={name!r}: points are trained on {', '.join(map(repr, losses))}")
    make, own = losses[name]
    return make(**own, **options)


def objective_named(name: str, losses: Makers = LOSSES) -> Objective:
    """The objective of that loss of heat maps and targets as `pack` makes them; raises `ValueError`."""
    return objective_of(loss_named(name, losses, reduction="none"))

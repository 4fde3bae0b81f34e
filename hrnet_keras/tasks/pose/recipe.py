"""What a recipe may say of poses: what it may say of points, half bodies and moved crops."""

from dataclasses import dataclass, field
from typing import Literal

from hrnet_keras.ranges import probability
from hrnet_keras.tasks.keypoints.recipe import KeypointAugment, KeypointLoss


@dataclass(frozen=True)
class Augment(KeypointAugment):
    """How the training cuts persons out of pictures, and what their heat maps are.

    Args:
        half_body: how often a person is shown by halves; null: that of the convention.
        shift: mmlab: how often a crop is moved; null: that of the convention.
    """

    input_size: tuple[int, int] = field(default=(256, 192), metadata={"parts": "height, width"})
    half_body: float | None = None
    shift: float | None = None

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range."""
        super().check()
        probability(half_body=self.half_body, shift=self.shift)


@dataclass(frozen=True)
class Loss(KeypointLoss):
    """What is minimised."""

    name: Literal["mse", "weighted_mse", "adaptive_wing", "ohkm"] = "weighted_mse"

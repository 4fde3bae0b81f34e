"""Faster R-CNN (Ren et al., arXiv:1506.01497) on HRNetV2p (arXiv:1904.04514, section 4.3)."""

from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.tasks.detection.parts import rules as lineages, two_stage
from hrnet_keras.tasks.detection.parts.proposer import propose_regions
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.truths import Truths
from hrnet_keras.tasks.detection.parts.two_stage import TwoStage

LOSSES = two_stage.LOSSES


def rules_of(lineage: str) -> Rules:
    """The conventions of a lineage's nets."""
    return lineages.BY_LINEAGE[lineage]


def build(pyramid: list[Any], sizes: Any, count: int, rules: Rules) -> dict[str, Any]:
    """Builds the detections of a functional model, see `parts.stages.Detect`.

    Args:
        pyramid: five levels, strides 4 to 64.
        sizes: height and width of the pictures without padding, `(batch, 2)`.
        count: of classes.
        rules: of the lineage.
    """
    proposals = propose_regions(pyramid, sizes, rules)
    return two_stage.detect_boxes(pyramid, sizes, proposals, count, rules)


@dataclass(frozen=True)
class Learner:
    """What a Faster R-CNN minimises; called with a pyramid and a batch's truths."""

    stages: TwoStage

    @classmethod
    def of(cls, model: keras.Model, rules: Rules, seed: Any) -> "Learner":
        """For a model; arguments as of `Proposer.of`."""
        return cls(TwoStage.of(model, rules, seed))

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights behind the pyramid."""
        return self.stages.layers

    def __call__(self, pyramid: list[Any], truths: Truths) -> dict[str, Any]:
        losses, _ = self.stages.learn(pyramid, truths)
        return losses

"""Cascade R-CNN (Cai and Vasconcelos, arXiv:1712.00726) on HRNetV2p: three heads, each refines the one before."""

from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.tasks.detection.parts import cascade, proposer, rules as lineages
from hrnet_keras.tasks.detection.parts.box_head import BOX_SIZE
from hrnet_keras.tasks.detection.parts.cascade import Cascade
from hrnet_keras.tasks.detection.parts.extractor import Extractor
from hrnet_keras.tasks.detection.parts.proposer import Proposer, propose_regions
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.truths import Truths

LOSSES = {**proposer.LOSSES, **cascade.losses_of("cls", "bbox")}


def rules_of(lineage: str) -> Rules:
    """The conventions of a lineage's nets."""
    return lineages.of_cascades(lineages.BY_LINEAGE[lineage])


def build(pyramid: list[Any], sizes: Any, count: int, rules: Rules) -> dict[str, Any]:
    """Builds the detections of a functional model, see `parts.stages.Detect`.

    Args:
        pyramid: five levels, strides 4 to 64.
        sizes: height and width of the pictures without padding, `(batch, 2)`.
        count: of classes.
        rules: of the lineage.
    """
    proposals = propose_regions(pyramid, sizes, rules)
    features = Extractor(pyramid, BOX_SIZE, rules.sampling)
    return cascade.detect_boxes(features, sizes, proposals, count, rules)


@dataclass(frozen=True)
class Learner:
    """What a Cascade R-CNN minimises; called with a pyramid and a batch's truths."""

    proposer: Proposer
    cascade: Cascade

    @classmethod
    def of(cls, model: keras.Model, rules: Rules, seed: Any) -> "Learner":
        """For a model; arguments as of `Proposer.of`."""
        return cls(Proposer.of(model, rules, seed), Cascade.of(model, rules, seed))

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights behind the pyramid."""
        return [*self.proposer.layers, *self.cascade.layers]

    def __call__(self, pyramid: list[Any], truths: Truths) -> dict[str, Any]:
        losses, proposals = self.proposer.learn(pyramid, truths)
        features = Extractor(pyramid, BOX_SIZE, self.cascade.rules.sampling)
        for stage in self.cascade.learn(features, proposals, truths):
            losses |= stage.losses
        return losses

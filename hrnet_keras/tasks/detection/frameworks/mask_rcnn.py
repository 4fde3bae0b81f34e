"""Mask R-CNN (He et al., arXiv:1703.06870) on HRNetV2p: a Faster R-CNN whose boxes get masks."""

from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.tasks.detection.parts import rules as lineages, two_stage
from hrnet_keras.tasks.detection.parts.mask_head import MASK_SIZE, MaskHead
from hrnet_keras.tasks.detection.parts.proposer import propose_regions
from hrnet_keras.tasks.detection.parts.regions import learn_masks, positive_regions
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.stages import STRIDES, MaskProbabilities, RoiFeatures
from hrnet_keras.tasks.detection.parts.truths import Truths
from hrnet_keras.tasks.detection.parts.two_stage import TwoStage

LOSSES = {**two_stage.LOSSES, "loss_mask": 1.0}


def rules_of(lineage: str) -> Rules:
    """The conventions of a lineage's nets."""
    return lineages.with_masks(lineages.BY_LINEAGE[lineage])


def build(pyramid: list[Any], sizes: Any, count: int, rules: Rules) -> dict[str, Any]:
    """Builds the detections of a functional model, see `parts.stages.Detect`, and their `masks`.

    Args:
        pyramid: five levels, strides 4 to 64.
        sizes: height and width of the pictures without padding, `(batch, 2)`.
        count: of classes.
        rules: of the lineage.

    Returns:
        With the detections: `masks` `(batch, n, 28, 28)`, the probability that a place of the box is object.
    """
    proposals = propose_regions(pyramid, sizes, rules)
    found = two_stage.detect_boxes(pyramid, sizes, proposals, count, rules)
    features = RoiFeatures(MASK_SIZE, rules.sampling, name="roi_features.mask")(pyramid[: len(STRIDES)], found["boxes"])
    logits = MaskHead.create(num_masks=count + int(rules.v1))(features)
    masks = MaskProbabilities(first=int(rules.v1), name="mask_probabilities")
    return {**found, "masks": masks(logits=logits, labels=found["labels"])}


@dataclass(frozen=True)
class Learner:
    """What a Mask R-CNN minimises; called with a pyramid and a batch's truths, which have masks."""

    stages: TwoStage
    mask_head: MaskHead

    @classmethod
    def of(cls, model: keras.Model, rules: Rules, seed: Any) -> "Learner":
        """For a model; arguments as of `Proposer.of`."""
        return cls(TwoStage.of(model, rules, seed), MaskHead.of(model))

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights behind the pyramid."""
        return [*self.stages.layers, *self.mask_head.layers]

    def __call__(self, pyramid: list[Any], truths: Truths) -> dict[str, Any]:
        losses, regions = self.stages.learn(pyramid, truths)
        rules = self.stages.rules
        positive = positive_regions(regions, self.stages.sampler.most_positive)
        features = RoiFeatures(MASK_SIZE, rules.sampling)(pyramid[: len(STRIDES)], positive.boxes)
        return {**losses, "loss_mask": learn_masks(self.mask_head(features), positive, truths, v1=rules.v1)}

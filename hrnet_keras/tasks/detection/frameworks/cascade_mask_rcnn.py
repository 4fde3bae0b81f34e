"""Cascade Mask R-CNN (arXiv:1906.09756, section 5) on HRNetV2p: a Cascade R-CNN with a mask head at every stage."""

from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.tasks.detection.parts import cascade, mask_stages, proposer, rules as lineages
from hrnet_keras.tasks.detection.parts.box_head import BOX_SIZE
from hrnet_keras.tasks.detection.parts.cascade import Cascade
from hrnet_keras.tasks.detection.parts.extractor import Extractor
from hrnet_keras.tasks.detection.parts.mask_head import MASK_SIZE, MaskHead
from hrnet_keras.tasks.detection.parts.proposer import Proposer, propose_regions
from hrnet_keras.tasks.detection.parts.regions import learn_masks, positive_regions
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.truths import Truths

LOSSES = {**proposer.LOSSES, **cascade.losses_of("cls", "bbox", "mask")}


def rules_of(lineage: str) -> Rules:
    """The conventions of a lineage's nets."""
    return lineages.of_cascades(lineages.BY_LINEAGE[lineage])


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
    found = cascade.detect_boxes(Extractor(pyramid, BOX_SIZE, rules.sampling), sizes, proposals, count, rules)
    features = Extractor(pyramid, MASK_SIZE, rules.sampling)(found["boxes"], name="roi_features.mask")
    logits = [MaskHead.create(num_masks=count + int(rules.v1), name=name)(features) for name in mask_stages.NAMES]
    return {**found, "masks": mask_stages.masks_of_heads(logits, found["labels"], v1=rules.v1)}


@dataclass(frozen=True)
class Learner:
    """What a Cascade Mask R-CNN minimises; called with a pyramid and a batch's truths, which have masks."""

    proposer: Proposer
    cascade: Cascade
    mask_heads: tuple[MaskHead, ...]

    @classmethod
    def of(cls, model: keras.Model, rules: Rules, seed: Any) -> "Learner":
        """For a model; arguments as of `Proposer.of`."""
        mask_heads = tuple(MaskHead.of(model, name=name) for name in mask_stages.NAMES)
        return cls(Proposer.of(model, rules, seed), Cascade.of(model, rules, seed), mask_heads)

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights behind the pyramid."""
        of_masks = [layer for head in self.mask_heads for layer in head.layers]
        return [*self.proposer.layers, *self.cascade.layers, *of_masks]

    def __call__(self, pyramid: list[Any], truths: Truths) -> dict[str, Any]:
        losses, proposals = self.proposer.learn(pyramid, truths)
        rules = self.cascade.rules
        box_features = Extractor(pyramid, BOX_SIZE, rules.sampling)
        mask_features = Extractor(pyramid, MASK_SIZE, rules.sampling)
        stages = self.cascade.learn(box_features, proposals, truths)
        for k, (stage, head) in enumerate(zip(stages, self.mask_heads, strict=True)):
            positive = positive_regions(stage.regions, self.cascade.sampler.most_positive)
            logits = head(mask_features(positive.boxes))
            losses |= {**stage.losses, f"s{k}.loss_mask": learn_masks(logits, positive, truths, v1=rules.v1)}
        return losses

"""Hybrid Task Cascade (Chen et al., arXiv:1901.07518) on HRNetV2p: boxes and masks in turn."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from hrnet_keras.tasks.detection.parts import cascade, mask_stages, proposer, rules as lineages, semantic_head
from hrnet_keras.tasks.detection.parts.box_head import BOX_SIZE
from hrnet_keras.tasks.detection.parts.cascade import Cascade
from hrnet_keras.tasks.detection.parts.extractor import FusedExtractor
from hrnet_keras.tasks.detection.parts.mask_flow import MaskFlow
from hrnet_keras.tasks.detection.parts.mask_head import MASK_SIZE
from hrnet_keras.tasks.detection.parts.proposer import Proposer, propose_regions
from hrnet_keras.tasks.detection.parts.regions import learn_masks, positive_regions
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.semantic_head import SemanticHead, learn_semantics
from hrnet_keras.tasks.detection.parts.truths import Truths

LOSSES = {
    **proposer.LOSSES,
    "loss_semantic_seg": semantic_head.WEIGHT,
    **cascade.losses_of("cls", "bbox", "mask"),
}


def rules_of(lineage: str) -> Rules:
    """The conventions of a lineage's nets."""
    return lineages.of_hybrids(lineages.BY_LINEAGE[lineage])


def build(pyramid: list[Any], sizes: Any, count: int, rules: Rules) -> dict[str, Any]:
    """Builds the detections of a functional model, see `parts.stages.Detect`, their `masks`, and `semantic`.

    Args:
        pyramid: five levels, strides 4 to 64.
        sizes: height and width of the pictures without padding, `(batch, 2)`.
        count: of classes.
        rules: of the lineage.

    Returns:
        With the detections: `masks` `(batch, n, 28, 28)`, the probability that a place of the box is object, the mean
        of three heads (see `parts.mask_stages.take_masks_of`); `semantic` int32 `(batch, height / 8, width / 8)`, the
        likeliest of the semantic branch's classes.
    """
    channels = pyramid[0].shape[-1]  # what is added to features has as many
    proposals = propose_regions(pyramid, sizes, rules)
    semantic_logits, semantic = SemanticHead.create(channels=channels)(pyramid)
    box_features = FusedExtractor(pyramid, semantic, BOX_SIZE, rules.sampling)
    found = cascade.detect_boxes(box_features, sizes, proposals, count, rules)
    features = FusedExtractor(pyramid, semantic, MASK_SIZE, rules.sampling)(found["boxes"], name="roi_features.mask")
    logits = MaskFlow.create(num_masks=count + int(rules.v1), channels=channels)(features)
    masks = mask_stages.masks_of_heads(logits, found["labels"], v1=rules.v1)
    return {**found, "masks": masks, "semantic": ops.argmax(semantic_logits, axis=-1)}


@dataclass(frozen=True)
class Learner:
    """What an HTC minimises; called with a pyramid and a batch's truths, which have masks and semantic maps."""

    proposer: Proposer
    semantic: SemanticHead
    cascade: Cascade
    masks: MaskFlow

    @classmethod
    def of(cls, model: keras.Model, rules: Rules, seed: Any) -> "Learner":
        """For a model; arguments as of `Proposer.of`."""
        cascaded = Cascade.of(model, rules, seed)
        return cls(Proposer.of(model, rules, seed), SemanticHead.of(model), cascaded, MaskFlow.of(model))

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights behind the pyramid."""
        return [*self.proposer.layers, *self.semantic.layers, *self.cascade.layers, *self.masks.layers]

    def __call__(self, pyramid: list[Any], truths: Truths) -> dict[str, Any]:
        losses, proposals = self.proposer.learn(pyramid, truths)
        rules = self.cascade.rules
        logits, semantic = self.semantic(pyramid)
        losses["loss_semantic_seg"] = learn_semantics(logits, truths.semantic, v1=rules.v1)
        box_features = FusedExtractor(pyramid, semantic, BOX_SIZE, rules.sampling)
        mask_features = FusedExtractor(pyramid, semantic, MASK_SIZE, rules.sampling)
        for k, stage in enumerate(self.cascade.learn(box_features, proposals, truths)):
            redrawn = self.cascade.draw(k, stage.refined, truths)  # masks are learnt on the boxes that come out
            positive = positive_regions(redrawn, self.cascade.sampler.most_positive)
            mask_logits = self.masks.of_stage(k, mask_features(positive.boxes))
            losses |= {**stage.losses, f"s{k}.loss_mask": learn_masks(mask_logits, positive, truths, v1=rules.v1)}
        return losses

"""The second half of Faster and Mask R-CNN: one head that names and refines proposals (arXiv:1506.01497)."""

from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.tasks.detection.parts import proposer as proposing
from hrnet_keras.tasks.detection.parts.box_head import BOX_SIZE, BoxHead
from hrnet_keras.tasks.detection.parts.proposer import Proposer
from hrnet_keras.tasks.detection.parts.regions import Regions, draw_regions, learn_boxes, region_sampler
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.sampler import Sampler
from hrnet_keras.tasks.detection.parts.stages import STRIDES, Detect, RoiFeatures
from hrnet_keras.tasks.detection.parts.truths import Truths

LOSSES = {**proposing.LOSSES, "loss_cls": 1.0, "loss_bbox": 1.0}  # as mmdet logs them


def detect_boxes(pyramid: list[Any], sizes: Any, proposals: dict[str, Any], count: int, rules: Rules) -> dict[str, Any]:
    """The detections of a functional model, see `stages.Detect`; arguments as of `propose_regions`.

    Args:
        proposals: as it gives them.
        count: of classes, without the background.
    """
    features = RoiFeatures(BOX_SIZE, rules.sampling, name="roi_features.box")
    head = BoxHead.create(num_outputs=count + 1, num_boxes=count + int(rules.v1))
    logits, deltas = head(features(pyramid[: len(STRIDES)], proposals["boxes"]))
    return Detect(rules.detection, name="detect")(logits=logits, deltas=deltas, **proposals, sizes=sizes)


@dataclass(frozen=True)
class TwoStage:
    """The trained layers of a two-stage detector, and how they learn.

    Attributes:
        proposer: the first stage.
        box_head: the second.
        rules: of the lineage.
        sampler: chooses the regions that the losses look at.
    """

    proposer: Proposer
    box_head: BoxHead
    rules: Rules
    sampler: Sampler

    @classmethod
    def of(cls, model: keras.Model, rules: Rules, seed: Any) -> "TwoStage":
        """The parts of a model; arguments as of `Proposer.of`."""
        return cls(Proposer.of(model, rules, seed), BoxHead.of(model), rules, region_sampler(rules, seed))

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return [*self.proposer.layers, *self.box_head.layers]

    def learn(self, pyramid: list[Any], truths: Truths) -> tuple[dict[str, Any], Regions]:
        """The losses of a batch, `{name: (batch,)}`, and the regions that its heads looked at."""
        rules = self.rules
        losses, proposals = self.proposer.learn(pyramid, truths)
        regions = draw_regions(proposals, truths, rules.regions, self.sampler, v1=rules.v1)
        features = RoiFeatures(BOX_SIZE, rules.sampling)(pyramid[: len(STRIDES)], regions.boxes)
        learnt = learn_boxes(*self.box_head(features), regions, truths, beta=rules.roi_beta, v1=rules.v1)
        return {**losses, "loss_cls": learnt.classes, "loss_bbox": learnt.boxes}, regions

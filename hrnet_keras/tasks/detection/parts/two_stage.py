"""What two-stage detectors share: proposals, and a head that names and refines them (arXiv:1506.01497)."""

from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.tasks.detection.parts.anchors import pyramid_anchors
from hrnet_keras.tasks.detection.parts.box_head import BoxHead
from hrnet_keras.tasks.detection.parts.proposals import propose
from hrnet_keras.tasks.detection.parts.regions import Regions, draw_regions, learn_boxes
from hrnet_keras.tasks.detection.parts.rpn import learn_anchors
from hrnet_keras.tasks.detection.parts.rpn_head import RPNHead
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.sampler import Sampler
from hrnet_keras.tasks.detection.parts.stages import STRIDES, Detect, Propose, RoiFeatures, level_sizes
from hrnet_keras.tasks.detection.parts.truths import Truths

BOX_SIZE = 7  # bins of a box's features
LOSSES = {"loss_rpn_cls": 1.0, "loss_rpn_bbox": 1.0, "loss_cls": 1.0, "loss_bbox": 1.0}  # as mmdet logs them


def propose_regions(pyramid: list[Any], sizes: Any, rules: Rules) -> dict[str, Any]:
    """The proposals of a functional model, see `stages.Propose`.

    Args:
        pyramid: five levels.
        sizes: of the pictures without padding, `(batch, 2)`.
        rules: of the lineage.
    """
    logits, deltas = RPNHead.create()(pyramid)
    layer = Propose(rules.inference, v1=rules.v1, name="proposals")
    return layer(maps=pyramid, logits=logits, deltas=deltas, sizes=sizes)


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
        rpn, box_head: the heads.
        rules: of the lineage.
        anchors, regions: choose what the losses look at.
    """

    rpn: RPNHead
    box_head: BoxHead
    rules: Rules
    anchors: Sampler
    regions: Sampler

    @classmethod
    def of(cls, model: keras.Model, rules: Rules, seed: Any) -> "TwoStage":
        """The parts of a model.

        Args:
            model: a detector.
            rules: of its lineage.
            seed: a `keras.random.SeedGenerator` for the samples; `None` keeps all.
        """
        anchors, regions = Sampler(None), Sampler(None)
        if seed is not None:
            anchors = Sampler(rules.num_anchors, 0.5, seed)
            regions = Sampler(rules.num_regions, 0.25, seed)
        return cls(RPNHead.of(model), BoxHead.of(model), rules, anchors, regions)

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return [*self.rpn.layers, *self.box_head.layers]

    def learn(self, pyramid: list[Any], truths: Truths) -> tuple[dict[str, Any], Regions]:
        """The losses of a batch, `{name: (batch,)}`, and the regions that its heads looked at."""
        rules = self.rules
        logits, deltas = self.rpn(pyramid)
        of_anchors = learn_anchors(
            pyramid, logits, deltas, truths, self.anchors, beta=rules.rpn_beta, v1=rules.v1
        )  # fmt: skip
        anchors = pyramid_anchors(level_sizes(pyramid), v1=rules.v1)
        proposals = propose(logits, deltas, anchors, truths.sizes, rules.training)
        regions = draw_regions(proposals, truths, rules.regions, self.regions, v1=rules.v1)
        features = RoiFeatures(BOX_SIZE, rules.sampling)(pyramid[: len(STRIDES)], regions.boxes)
        of_boxes = learn_boxes(*self.box_head(features), regions, truths, beta=rules.roi_beta, v1=rules.v1)
        values = (of_anchors.classes, of_anchors.boxes, of_boxes.classes, of_boxes.boxes)
        return dict(zip(LOSSES, values, strict=True)), regions

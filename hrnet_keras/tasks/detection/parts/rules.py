"""What published detectors of a lineage do with the same tensors: anchors, widths, samples, thresholds."""

from dataclasses import dataclass, field, replace

from hrnet_keras.tasks.detection.parts import assigner, losses, proposals, roi_samples
from hrnet_keras.tasks.detection.parts.assigner import AssignRule
from hrnet_keras.tasks.detection.parts.detections import DetectionRule
from hrnet_keras.tasks.detection.parts.proposals import ProposalRule
from hrnet_keras.tasks.detection.parts.roi_samples import RoiSampling


@dataclass(frozen=True)
class Rules:
    """The conventions of a two-stage detector.

    Attributes:
        v1: mmdet 0.6 to 1.x: anchors are rounded, widths are `x2 - x1 + 1`, class 0 is the background (else the last).
        anchors_inside: whether anchors that leave the picture are not trained.
        sampling: of RoIAlign.
        inference, training: which proposals stay.
        detection: which boxes become detections.
        regions: which proposals belong to which truth in training.
        rpn_beta, roi_beta: where the smooth L1 of boxes becomes straight; 0: L1.
        num_anchors: of a picture that the RPN's losses look at; at most half of them belong to truths.
        num_regions: of a picture that the heads' losses look at; at most a quarter of them belongs to truths.
    """

    v1: bool = False
    anchors_inside: bool = False
    sampling: RoiSampling = roi_samples.ALIGNED
    inference: ProposalRule = proposals.INFERENCE
    training: ProposalRule = proposals.TRAINING
    detection: DetectionRule = field(default_factory=DetectionRule)
    regions: AssignRule = assigner.FASTER_RCNN
    rpn_beta: float = losses.L1
    roi_beta: float = losses.L1
    num_anchors: int = 256
    num_regions: int = 512

    def drawing(self, num_anchors: int, num_regions: int) -> "Rules":
        """The same with other numbers of anchors and regions that the losses look at."""
        return replace(self, num_anchors=num_anchors, num_regions=num_regions)

    @property
    def background(self) -> int:
        """Where the background stands among the class logits, as an index."""
        return 0 if self.v1 else -1


MMDET = Rules()
V1 = Rules(
    v1=True, anchors_inside=True, sampling=roi_samples.V1, inference=proposals.V1, training=proposals.V1,
    detection=DetectionRule(v1=True), regions=assigner.MASK_RCNN, rpn_beta=losses.RPN_BETA, roi_beta=losses.ROI_BETA,
)  # fmt: skip
BY_LINEAGE = {"mmlab": MMDET, "official": V1}


def with_masks(rules: Rules) -> Rules:
    """The rules of Mask R-CNN: every truth also gets the proposals that overlap it most."""
    return replace(rules, regions=assigner.MASK_RCNN)


def of_cascades(rules: Rules) -> Rules:
    """The rules of Cascade R-CNN: no anchor leaves the picture, boxes learn by smooth L1, more proposals are trained.

    Source: `cascade_rcnn_r50_fpn` of mmdet 3.3.0; v1 has the same for all detectors.
    """
    if rules.v1:
        return rules
    return replace(
        rules, anchors_inside=True, training=proposals.CASCADE_TRAINING, rpn_beta=losses.RPN_BETA,
        roi_beta=losses.ROI_BETA,
    )  # fmt: skip


def of_hybrids(rules: Rules) -> Rules:
    """The rules of HTC: a Cascade R-CNN whose truths also get the proposals that overlap them most, and rarer scores.

    Source: `htc_r50_fpn` of mmdet 3.3.0; v1's score threshold is the same.
    """
    detection = replace(rules.detection, min_score=0.001)
    return replace(with_masks(of_cascades(rules)), detection=detection)

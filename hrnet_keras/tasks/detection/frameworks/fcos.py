"""FCOS (Tian et al., arXiv:1904.01355) on HRNetV2p: every point of five levels says what it is in, without anchors."""

from typing import Any

from hrnet_keras.tasks.detection.parts import fcos_learner, points
from hrnet_keras.tasks.detection.parts.fcos_head import FCOSHead
from hrnet_keras.tasks.detection.parts.fcos_learner import FCOSLearner
from hrnet_keras.tasks.detection.parts.point_detections import DetectPoints
from hrnet_keras.tasks.detection.parts.points import PointRules

LOSSES = fcos_learner.LOSSES
Learner = FCOSLearner


def rules_of(lineage: str) -> PointRules:
    """The conventions of a lineage's nets."""
    return points.BY_LINEAGE[lineage]


def build(pyramid: list[Any], sizes: Any, count: int, rules: PointRules) -> dict[str, Any]:
    """Builds the detections of a functional model, see `parts.stages.Detect`.

    Args:
        pyramid: five levels, strides 8 to 128.
        sizes: height and width of the pictures without padding, `(batch, 2)`.
        count: of classes.
        rules: of the lineage.
    """
    head = FCOSHead.create(count=count, num_levels=len(pyramid), biases=rules.tower_biases)
    outputs = head(pyramid)
    return DetectPoints(rules, name="detect")(maps=pyramid, **outputs._asdict(), sizes=sizes)

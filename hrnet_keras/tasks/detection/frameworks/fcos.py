"""FCOS (Tian et al., arXiv:1904.01355) on HRNetV2p: every point of five levels says what it is in, without anchors.

The levels have strides 8 to 128.
"""

from hrnet_keras.tasks.detection.parts import one_stage, points
from hrnet_keras.tasks.detection.parts.points import PointRules

LOSSES = one_stage.LOSSES
Learner = one_stage.FCOSLearner
build = one_stage.build_fcos


def rules_of(lineage: str) -> PointRules:
    """The conventions of a lineage's nets."""
    return points.BY_LINEAGE[lineage]

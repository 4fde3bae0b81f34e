"""HRNet-FCOS with six levels ("6l"): as FCOS, and objects down to half the size on a level of stride 4."""

from dataclasses import replace

from hrnet_keras.tasks.detection.parts import one_stage, points
from hrnet_keras.tasks.detection.parts.points import PointRules

STRIDES = (4, 8, 16, 32, 64, 128)
LOSSES = one_stage.LOSSES
Learner = one_stage.FCOSLearner
build = one_stage.build_fcos


def rules_of(lineage: str) -> PointRules:
    """The conventions of a lineage's nets."""
    return replace(points.BY_LINEAGE[lineage], strides=STRIDES)

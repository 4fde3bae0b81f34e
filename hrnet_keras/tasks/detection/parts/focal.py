"""Focal losses: numbers that are right already count little."""

from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.losses import sigmoid_cross_entropy

SMALLEST = 1e-4  # probabilities of heat maps are held within it and 1 less it


def focal(logits: Any, targets: Any, *, alpha: float = 0.25, gamma: float = 2.0) -> Any:
    """The focal loss of every logit, float32 in the shape of both.

    Args:
        logits: of any shape.
        targets: 0 or 1.
        alpha: the weight of targets of 1; that of 0 is `1 - alpha`.
        gamma: the power of how wrong the probability is.

    Source: arXiv:1708.02002, equation 5; `py_sigmoid_focal_loss` of mmdet 3.3.0, not reduced.
    """
    targets = ops.cast(targets, "float32")
    probabilities = ops.sigmoid(ops.cast(logits, "float32"))
    wrong = (1 - probabilities) * targets + probabilities * (1 - targets)
    weights = alpha * targets + (1 - alpha) * (1 - targets)
    return sigmoid_cross_entropy(logits, targets) * weights * ops.power(wrong, gamma)


def heat_focal(logits: Any, targets: Any) -> Any:
    """The focal loss of every pixel of heat maps, float32 in the shape of both.

    Args:
        logits: of any shape.
        targets: 0..1, 1 at the points alone; the nearer another pixel is to one, the less it counts.

    Source: arXiv:1808.01244, equation 1, alpha 2 and beta 4; probabilities within 1e-4 of 0 and 1 as in its code.
    """
    probabilities = ops.clip(ops.sigmoid(ops.cast(logits, "float32")), SMALLEST, 1 - SMALLEST)
    targets = ops.cast(targets, "float32")
    at_points = ops.square(1 - probabilities) * ops.log(probabilities)
    beside = ops.power(1 - targets, 4) * ops.square(probabilities) * ops.log(1 - probabilities)
    return -ops.where(targets == 1, at_points, beside)

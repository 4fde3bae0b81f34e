"""What CenterNet minimises: heat maps, tags that are alike in a box and apart from others', offsets."""

from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.batch import global_sum, per_example
from hrnet_keras.tasks.detection.parts.focal import heat_focal
from hrnet_keras.tasks.detection.parts.losses import ROI_BETA, smooth_l1

SMALL = 1e-4  # beside counts of objects


def heat_loss(logits: Any, targets: Any) -> Any:
    """The focal loss of a kind of heat maps over the number of its points, a value per example.

    Args:
        logits, targets: `(batch, height, width, classes)`.
    """
    total = global_sum(ops.sum(ops.cast(targets == 1, "float32")))
    return per_example(ops.sum(heat_focal(logits, targets), axis=(1, 2, 3)) / ops.maximum(total, 1.0))


def tag_losses(first: Any, second: Any, valid: Any) -> tuple[Any, Any]:
    """How far the tags of a box's corners are from each other, and how near boxes' tags are, `(batch,)` each.

    Args:
        first, second: tags of both corners of every object, `(batch, m)`.
        valid: bool `(batch, m)`.

    Source: arXiv:1808.01244, equations 4 and 5, with the small numbers of its code.
    """
    valid = ops.cast(valid, "float32")
    count = ops.sum(valid, axis=1)
    mean = (first + second) / 2
    spread = ops.square(first - mean) + ops.square(second - mean)
    pull = ops.sum(spread * valid, axis=1) / (count + SMALL)
    near = ops.relu(1 - ops.abs(mean[:, :, None] - mean[:, None])) - 1 / (count + SMALL)[:, None, None]
    near = near * valid[:, :, None] * valid[:, None]
    push = ops.sum(near, axis=(1, 2)) / (count * (count - 1) + SMALL)
    return pull, push


def offset_loss(offsets: Any, targets: Any, valid: Any) -> Any:
    """The smooth L1 of a kind of points over their number, a value per example.

    Args:
        offsets, targets: `(batch, m, 2)`.
        valid: bool `(batch, m)`.
    """
    valid = ops.cast(valid, "float32")
    distances = ops.sum(smooth_l1(offsets, targets, beta=ROI_BETA), axis=-1) * valid
    return per_example(ops.sum(distances, axis=1) / (global_sum(ops.sum(valid)) + SMALL))

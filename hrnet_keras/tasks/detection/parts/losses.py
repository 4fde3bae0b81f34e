"""The objectives of the RPN and of the box head, a value per picture; and their formulas, a value per number."""

from typing import Any, NamedTuple

from keras import ops

from hrnet_keras.tasks.detection.parts.coder import NO_STDS, ROI_STDS, encode

L1 = 0.0  # Faster and Mask R-CNN
RPN_BETA = 1 / 9  # Cascade R-CNN, HTC and v1: where the RPN's smooth L1 becomes straight
ROI_BETA = 1.0  # the same of their box heads


class BoxLosses(NamedTuple):
    """What a batch's losses are made of, float32 `(batch,)` each: their sums over the batch are the reference's losses.

    Attributes:
        classes: of objectness, or of classes.
        boxes: of deltas.
    """

    classes: Any
    boxes: Any


def sigmoid_cross_entropy(logits: Any, targets: Any) -> Any:
    """Binary cross entropy of every logit, float32 in the shape of both; targets in 0..1.

    Source: `binary_cross_entropy` of mmdet 3.3.0 `losses/cross_entropy_loss.py`, not reduced.
    """
    logits = ops.cast(logits, "float32")
    targets = ops.cast(targets, "float32")
    return ops.maximum(logits, 0.0) - logits * targets + ops.log1p(ops.exp(-ops.abs(logits)))


def softmax_cross_entropy(logits: Any, labels: Any) -> Any:
    """Cross entropy `(...)` of logits `(..., classes)` with labels `(...)` in 0..classes-1, float32.

    Source: `cross_entropy` of mmdet 3.3.0 `losses/cross_entropy_loss.py`, not reduced.
    """
    logarithms = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    return -ops.sum(ops.one_hot(labels, logits.shape[-1], dtype="float32") * logarithms, axis=-1)


def smooth_l1(predictions: Any, targets: Any, *, beta: float = L1) -> Any:
    """The distance of every number, a parabola below `beta`; float32 in the shape of both.

    Args:
        predictions, targets: of the same shape.
        beta: 0 is L1.

    Source: `smooth_l1_loss` and `l1_loss` of mmdet 3.3.0 `losses/smooth_l1_loss.py`, not reduced.
    """
    distance = ops.abs(ops.cast(predictions, "float32") - ops.cast(targets, "float32"))
    if beta == L1:
        return distance
    return ops.where(distance < beta, 0.5 * distance * distance / beta, distance - 0.5 * beta)


def rpn_losses(
    logits: Any,
    deltas: Any,
    anchors: Any,
    truths: Any,
    positive: Any,
    negative: Any,
    *,
    num_samples: Any,
    beta: float = L1,
    plus_one: bool = False,
) -> BoxLosses:
    """The losses of the RPN on sampled anchors.

    Args:
        logits: `(batch, k)`, objectness of the samples.
        deltas: `(batch, k, 4)`.
        anchors: `(batch, k, 4)`, xyxy in pixels.
        truths: `(batch, k, 4)`, the truth of each; anything where not positive.
        positive, negative: bool `(batch, k)`; neither: padding.
        num_samples: what sums are divided by: all samples of the (global) batch, see `sampler.num_samples`.
        beta: of `smooth_l1`: L1, or `RPN_BETA`.
        plus_one: widths are `x2 - x1 + 1` (v1).

    Returns:
        `BoxLosses`; both weights are 1.

    Source: mmdet 3.3.0 `dense_heads/anchor_head.py`, `loss_by_feat`.
    """
    is_sample = ops.cast(ops.logical_or(positive, negative), "float32")
    objectness = sigmoid_cross_entropy(logits, ops.cast(positive, "float32")) * is_sample
    distances = _box_distances(deltas, anchors, truths, positive, NO_STDS, beta, plus_one)
    return BoxLosses(ops.sum(objectness, axis=1) / num_samples, distances / num_samples)


def roi_losses(
    logits: Any,
    deltas: Any,
    proposals: Any,
    truths: Any,
    labels: Any,
    positive: Any,
    negative: Any,
    *,
    num_samples: Any,
    stds: tuple[float, ...] = ROI_STDS,
    beta: float = L1,
    v1: bool = False,
) -> BoxLosses:
    """The losses of a box head on sampled proposals.

    Args:
        logits: `(batch, k, classes + 1)`, with the background.
        deltas: `(batch, k, classes * 4)`, class by class (v1: `(classes + 1) * 4`, the first four unused), or
            `(batch, k, 4)` for all classes together.
        proposals: `(batch, k, 4)`, xyxy in pixels.
        truths: `(batch, k, 4)`, the truth of each; anything where not positive.
        labels: int32 `(batch, k)` from 0, the truth's class; anything where not positive.
        positive, negative: bool `(batch, k)`; neither: padding.
        num_samples: what sums are divided by: all samples of the (global) batch.
        stds: of the deltas.
        beta: of `smooth_l1`: L1, or `ROI_BETA`.
        v1: class 0 of the outputs is the background (else the last), widths are `x2 - x1 + 1`.

    Returns:
        `BoxLosses`; both weights are 1.

    Source: mmdet 3.3.0 `bbox_heads/bbox_head.py`, `loss`.
    """
    background = logits.shape[-1] - 1
    if v1:
        background = 0
        labels = labels + 1
    columns = ops.where(positive, labels, background)
    is_sample = ops.cast(ops.logical_or(positive, negative), "float32")
    classes = softmax_cross_entropy(logits, columns) * is_sample
    deltas = _of_class(deltas, ops.where(positive, labels, 0))
    distances = _box_distances(deltas, proposals, truths, positive, stds, beta, v1)
    return BoxLosses(ops.sum(classes, axis=1) / num_samples, distances / num_samples)


def _of_class(deltas, columns):
    """Each sample's own four deltas `(batch, k, 4)`."""
    count = deltas.shape[-1] // 4
    if count == 1:
        return deltas
    by_class = ops.reshape(deltas, (*ops.shape(deltas)[:2], count, 4))
    own = ops.take_along_axis(by_class, columns[:, :, None, None], axis=2)
    return own[:, :, 0]


def _box_distances(deltas, boxes, truths, positive, stds, beta, plus_one):
    """Sums `(batch,)` over the positive samples."""
    is_positive = positive[..., None]
    targets = encode(boxes, ops.where(is_positive, truths, boxes), stds=stds, plus_one=plus_one)
    distances = smooth_l1(deltas, ops.stop_gradient(targets), beta=beta)
    return ops.sum(ops.where(is_positive, distances, 0.0), axis=(1, 2))

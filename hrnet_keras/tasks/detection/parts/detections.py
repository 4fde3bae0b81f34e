"""From the box head's outputs to detections: the best boxes of every class."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from keras import ops

from hrnet_keras.tasks.detection.parts.coder import ROI_STDS, decode
from hrnet_keras.tasks.detection.parts.nms import nms
from hrnet_keras.tasks.detection.parts.selecting import rows, where_valid


@dataclass(frozen=True)
class DetectionRule:
    """Which boxes become detections.

    Attributes:
        min_score: scores are larger than this (HTC: 0.001).
        threshold: intersection over union above which the worse of two boxes of a class goes.
        max_output: detections per picture.
        stds: of the deltas.
        v1: class 0 of the outputs is the background (else the last), widths are `x2 - x1 + 1`, clipping goes to the
            last pixel.
    """

    min_score: float = 0.05
    threshold: float = 0.5
    max_output: int = 100
    stds: tuple[float, ...] = ROI_STDS
    v1: bool = False


class Detections(NamedTuple):
    """Detections of every picture, best first.

    Attributes:
        boxes: float32 `(batch, n, 4)`, xyxy in pixels; zeros for padding.
        scores: float32 `(batch, n)` in 0..1; zeros for padding.
        labels: int32 `(batch, n)` from 0, without the background; 0 for padding.
        valid: bool `(batch, n)`, `False` for padding.
        proposals: int32 `(batch, n)`, the proposal that each comes from.
    """

    boxes: Any
    scores: Any
    labels: Any
    valid: Any
    proposals: Any


def detect(
    logits: Any, deltas: Any, proposals: Any, valid: Any, sizes: Any, rule: DetectionRule, *, scales: Any = None
) -> Detections:
    """Detections from the outputs of the box head.

    Every pair of a proposal and a class whose score is large enough is a candidate.

    Args:
        logits: `(batch, n, classes + 1)`, with the background.
        deltas: `(batch, n, classes * 4)`, class by class (v1: `(classes + 1) * 4`, the first four unused), or
            `(batch, n, 4)` for all classes together.
        proposals: `(batch, n, 4)`, xyxy in pixels of the model's input.
        valid: bool `(batch, n)`, `False` for padding.
        sizes: `(batch, 2)`, height and width of each picture without padding, for clipping.
        rule: thresholds and conventions.
        scales: `(batch, 2)`, height and width of the model's picture over those of the original: boxes are divided by
            them before the suppression. `None` leaves them in pixels of the model's input.

    Returns:
        `Detections`. No gradient passes.

    Source: mmdet 3.3.0 `bbox_heads/bbox_head.py` `_predict_by_feat_single`, `layers/bbox_nms.py` `multiclass_nms`.
    """
    boxes = boxes_of_classes(deltas, proposals, sizes, rule)
    if scales is not None:
        boxes = _divided(boxes, scales)
    scores = class_scores(logits, v1=rule.v1)
    return best_of_classes(boxes, scores, valid, rule)


def class_scores(logits: Any, *, v1: bool = False) -> Any:
    """Probabilities `(..., classes)` without the background of logits `(..., classes + 1)`; `v1`: it comes first."""
    probabilities = ops.softmax(ops.cast(logits, "float32"), axis=-1)
    if v1:
        return probabilities[..., 1:]
    return probabilities[..., :-1]


def boxes_of_classes(deltas: Any, proposals: Any, sizes: Any, rule: DetectionRule) -> Any:
    """Boxes `(batch, n, classes or 1, 4)` in pixels of the model's input; arguments as in `detect`."""
    deltas = ops.cast(deltas, "float32")
    batch, count = ops.shape(deltas)[:2]
    deltas = ops.reshape(deltas, (batch, count, deltas.shape[2] // 4, 4))
    if rule.v1 and deltas.shape[2] > 1:
        deltas = deltas[:, :, 1:]
    return decode(proposals[:, :, None, :], deltas, stds=rule.stds, sizes=sizes, plus_one=rule.v1)


def best_of_classes(boxes: Any, scores: Any, valid: Any, rule: DetectionRule) -> Detections:
    """The best boxes of every class.

    Args:
        boxes: `(batch, n, classes, 4)`, xyxy in pixels, or `(batch, n, 1, 4)` for all classes together.
        scores: `(batch, n, classes)` in 0..1.
        valid: bool `(batch, n)`, `False` for padding.
        rule: thresholds.

    Returns:
        `Detections`.

    Source: mmdet 3.3.0 `layers/bbox_nms.py`, `multiclass_nms`.
    """
    batch, count, num_classes = ops.shape(scores)
    boxes = ops.broadcast_to(boxes, (batch, count, num_classes, 4))
    boxes = ops.reshape(boxes, (batch, count * num_classes, 4))
    is_candidate = ops.logical_and(scores > rule.min_score, valid[:, :, None])
    classes = ops.broadcast_to(ops.cast(ops.arange(num_classes), "int32"), ops.shape(scores))
    flat = (batch, count * num_classes)
    scores = ops.reshape(scores, flat)
    kept = nms(
        boxes,
        scores,
        ops.reshape(is_candidate, flat),
        groups=ops.reshape(classes, flat),
        threshold=rule.threshold,
        max_output=rule.max_output,
        plus_one=rule.v1,
    )
    return Detections(
        boxes=where_valid(kept.valid, rows(boxes, kept.indices)),
        scores=where_valid(kept.valid, rows(scores, kept.indices)),
        labels=kept.indices % num_classes,
        valid=kept.valid,
        proposals=kept.indices // num_classes,
    )


def _divided(boxes, scales):
    inverse = 1.0 / ops.cast(scales, boxes.dtype)  # the reference multiplies by it
    inverse = ops.stack([inverse[:, 1], inverse[:, 0], inverse[:, 1], inverse[:, 0]], axis=-1)
    return boxes * inverse[:, None, None, :]

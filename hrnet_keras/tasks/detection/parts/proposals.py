"""From the RPN's outputs to proposals: the best boxes of every level, without those that overlap a better one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import larger_than
from hrnet_keras.tasks.detection.parts.coder import decode
from hrnet_keras.tasks.detection.parts.nms import nms
from hrnet_keras.tasks.detection.parts.selecting import best, rows, where_valid


@dataclass(frozen=True)
class ProposalRule:
    """How many proposals stay.

    Attributes:
        num_before: per level, before the suppression (`nms_pre`).
        num_after: per picture, after it (`max_per_img`).
        threshold: intersection over union above which the worse of two boxes of a level goes.
        min_size: proposals are wider and higher than this many pixels.
        plus_one: v1: widths are `x2 - x1 + 1`, clipping goes to the last pixel.
    """

    num_before: int
    num_after: int
    threshold: float = 0.7
    min_size: float = 0.0
    plus_one: bool = False


TRAINING = ProposalRule(2000, 1000)
CASCADE_TRAINING = ProposalRule(2000, 2000)
INFERENCE = ProposalRule(1000, 1000)
V1 = ProposalRule(2000, 2000, plus_one=True)


class Proposals(NamedTuple):
    """Proposals of every picture, best first.

    Attributes:
        boxes: float32 `(batch, n, 4)`, xyxy in pixels of the model's input; zeros for padding.
        scores: float32 `(batch, n)` in 0..1; zeros for padding.
        valid: bool `(batch, n)`, `False` for padding.
    """

    boxes: Any
    scores: Any
    valid: Any


def propose(
    logits: Sequence[Any], deltas: Sequence[Any], anchors: Sequence[Any], sizes: Any, rule: ProposalRule
) -> Proposals:
    """Proposals from the outputs of the RPN.

    Args:
        logits: objectness of every level, `(batch, height * width * ratios)`, in the order of the anchors; also
            `(batch, height, width, ratios)`.
        deltas: `(batch, height * width * ratios, 4)` of every level; also `(batch, height, width, ratios * 4)`.
        anchors: `(height * width * ratios, 4)` of every level, xyxy in pixels.
        sizes: `(batch, 2)`, height and width of each picture without padding, for clipping.
        rule: numbers and thresholds.

    Returns:
        `Proposals`, `rule.num_after` per picture. No gradient passes.

    Raises:
        ValueError: not as many levels of deltas or anchors as of logits.

    Source: mmdet 3.3.0 `dense_heads/rpn_head.py`, `_predict_by_feat_single` and `_bbox_post_process`. v1 suppresses
        level by level without moving boxes apart, which differs by roundings only.
    """
    if not len(logits) == len(deltas) == len(anchors):
        raise ValueError(f"{len(logits)} levels of logits, {len(deltas)} of deltas, {len(anchors)} of anchors")
    levels = zip(logits, deltas, anchors, strict=True)
    candidates = [_best_of_level(*level, sizes, rule) for level in levels]
    boxes = ops.concatenate([boxes for boxes, _ in candidates], axis=1)
    scores = ops.concatenate([scores for _, scores in candidates], axis=1)
    groups = ops.concatenate([ops.full_like(scores, i) for i, (_, scores) in enumerate(candidates)], axis=1)
    is_large = larger_than(boxes, rule.min_size, plus_one=rule.plus_one)
    valid = ops.logical_and(is_large, scores >= 0)
    kept = nms(
        boxes,
        scores,
        valid,
        groups=groups,
        threshold=rule.threshold,
        max_output=rule.num_after,
        plus_one=rule.plus_one,
    )
    boxes = where_valid(kept.valid, rows(boxes, kept.indices))
    return Proposals(boxes, where_valid(kept.valid, rows(scores, kept.indices)), kept.valid)


def prepend_truths(proposals: Proposals, truths: Any, valid: Any) -> Proposals:
    """The proposals with the truths before them, as training samples from both.

    Args:
        proposals: of every picture.
        truths: `(batch, m, 4)`, xyxy in pixels.
        valid: bool `(batch, m)`, `False` for padding.

    Returns:
        `Proposals` of `m + n` boxes; the truths have a score of 1.

    Source: `add_gt_as_proposals` of mmdet 3.3.0.
    """
    truths = where_valid(valid, ops.cast(truths, proposals.boxes.dtype))
    return Proposals(
        ops.concatenate([truths, proposals.boxes], axis=1),
        ops.concatenate([ops.cast(valid, "float32"), proposals.scores], axis=1),
        ops.concatenate([valid, proposals.valid], axis=1),
    )


def _best_of_level(logits, deltas, anchors, sizes, rule):
    """The best boxes of one level and their scores; minus infinity where a level is too small to know."""
    batch = ops.shape(logits)[0]
    logits = ops.stop_gradient(ops.cast(ops.reshape(logits, (batch, -1)), "float32"))
    deltas = ops.stop_gradient(ops.cast(ops.reshape(deltas, (batch, -1, 4)), "float32"))
    chosen = best(ops.sigmoid(logits), rule.num_before)
    boxes = decode(
        ops.take(anchors, chosen.indices, axis=0), rows(deltas, chosen.indices), sizes=sizes, plus_one=rule.plus_one
    )
    return boxes, chosen.values

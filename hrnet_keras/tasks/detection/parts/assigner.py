"""Which truth every anchor or proposal learns from: the one that it overlaps most."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import covered, paired_ious
from hrnet_keras.tasks.detection.parts.selecting import rows


@dataclass(frozen=True)
class AssignRule:
    """When a box belongs to a truth, by intersection over union.

    Attributes:
        positive: from here on a box belongs to the truth that it overlaps most.
        negative: below, a box is background. Between the two it is left out.
        low_quality: also give every truth the boxes that overlap it most (all equal ones), whatever else they overlap
            more; of two truths that ask for the same box the later one gets it.
        min_positive: the least overlap at which `low_quality` does so.
        ignore: boxes that lie inside an ignored region by more than this part are left out; `None` looks at none
            (every published model).

    Source: `MaxIoUAssigner` of mmdet 3.3.0 (`positive` is `pos_iou_thr`, and so on).
    """

    positive: float
    negative: float
    min_positive: float
    low_quality: bool
    ignore: float | None = None


RPN = AssignRule(0.7, 0.3, 0.3, low_quality=True)
FASTER_RCNN = AssignRule(0.5, 0.5, 0.5, low_quality=False)
MASK_RCNN = AssignRule(0.5, 0.5, 0.5, low_quality=True)  # also HTC, and everything of v1


class Assigned(NamedTuple):
    """What every box learns from.

    Attributes:
        truths: int32 `(batch, n)`: -1 for boxes left out, 0 for background, `i + 1` for truth `i`.
        overlaps: float32 `(batch, n)`: the largest intersection over union with a truth; -1 for boxes left out by
            `candidates` or by an ignored region.
    """

    truths: Any
    overlaps: Any


def assign(
    boxes: Any,
    truths: Any,
    valid: Any,
    rule: AssignRule,
    *,
    candidates: Any = None,
    ignored: Any = None,
    ignored_valid: Any = None,
    plus_one: bool = False,
) -> Assigned:
    """Gives every box a truth, the background or nothing.

    It walks over the truths once and keeps one number per box, so that 270,000 anchors beside 100 truths (most of them
    padding, where it stops) need no matrix.

    Args:
        boxes: `(batch, n, 4)`, xyxy in pixels; anchors that all pictures share `(1, n, 4)`.
        truths: `(batch, m, 4)`, xyxy in pixels, padded at the end.
        valid: bool `(batch, m)`, `False` for padding.
        rule: thresholds.
        candidates: bool `(batch, n)`; the others are left out. `None` takes all.
        ignored: `(batch, k, 4)`, regions that `rule.ignore` leaves out.
        ignored_valid: bool `(batch, k)`; needed beside `ignored`.
        plus_one: widths are `x2 - x1 + 1` (v1).

    Returns:
        `Assigned`. In a picture without truths every candidate is background.

    Raises:
        ValueError: `rule.ignore` is set and the regions or their mask are missing.

    Source: `MaxIoUAssigner.assign` of mmdet 3.3.0.
    """
    boxes = ops.stop_gradient(boxes)
    left_out = _left_out(boxes, rule, ignored, ignored_valid, plus_one)
    allowed = candidates
    if left_out is not None:
        is_free = ops.logical_not(ops.logical_and(left_out, ops.any(valid, axis=1)[:, None]))
        allowed = is_free if candidates is None else ops.logical_and(is_free, candidates)
    overlaps, nearest, claimed = _walk(boxes, truths, valid, rule, allowed, plus_one)
    chosen = ops.full_like(nearest, -1)
    chosen = ops.where(ops.logical_and(overlaps >= 0, overlaps < rule.negative), 0, chosen)
    chosen = ops.where(overlaps >= rule.positive, nearest, chosen)
    return Assigned(ops.where(claimed > 0, claimed, chosen), overlaps)


def prepend_truths(assigned: Assigned, valid: Any) -> Assigned:
    """The assignment after the truths themselves have been put before the boxes: each is its own.

    Args:
        assigned: of the boxes.
        valid: bool `(batch, m)`, `False` for padding, which is left out.

    Returns:
        `Assigned` of `m + n` boxes.

    Source: `AssignResult.add_gt_` of mmdet 3.3.0.
    """
    count = ops.cast(ops.arange(ops.shape(valid)[1]), "int32")
    own = ops.where(valid, count[None, :] + 1, -1)
    overlaps = ops.where(valid, 1.0, -1.0)
    return Assigned(
        ops.concatenate([own, assigned.truths], axis=1), ops.concatenate([overlaps, assigned.overlaps], axis=1)
    )


def of_truths(values: Any, truths: Any) -> Any:
    """What is known of every box's truth.

    Args:
        values: `(batch, m, ...)`, of the truths: boxes or labels; `m` is at least 1.
        truths: int32 `(batch, n)` as in `Assigned`.

    Returns:
        `(batch, n, ...)`; truth 0's for boxes that have none: mask them by `truths > 0`.
    """
    return rows(values, ops.maximum(truths - 1, 0))


def _left_out(boxes, rule, ignored, ignored_valid, plus_one):
    """Which boxes `(batch, n)` lie inside ignored regions; `None` where nobody asks."""
    if rule.ignore is None:
        return None
    if ignored is None or ignored_valid is None:
        raise ValueError(f"ignore={rule.ignore}: expected ignored regions and their mask, too")
    inside = covered(boxes, ignored, plus_one=plus_one) > rule.ignore
    return ops.any(ops.logical_and(inside, ignored_valid[:, None, :]), axis=2)


def _walk(boxes, truths, valid, rule, allowed, plus_one):
    """Every box's largest overlap, the truth it is with (from 1) and the last truth that claims the box (0: none)."""
    truths = ops.cast(ops.stop_gradient(truths), boxes.dtype)
    shape = (ops.shape(valid)[0], ops.shape(boxes)[1])
    nobody = ops.zeros(shape, "int32")
    start = ops.zeros(shape, "float32")
    if allowed is not None:
        start = ops.where(allowed, start, -1.0)

    def step(i, found):
        largest, nearest, claimed = found
        truth = ops.cast(i, "int32")
        here = ops.take(valid, truth, axis=1)[:, None]
        overlap = paired_ious(boxes, ops.take(truths, truth, axis=1)[:, None, :], plus_one=plus_one)
        overlap = ops.where(here, overlap, -1.0)
        if allowed is not None:
            overlap = ops.where(allowed, overlap, -1.0)
        is_nearer = overlap > largest
        if rule.low_quality:
            most = ops.max(overlap, axis=1, keepdims=True)
            is_claimed = ops.logical_and(overlap == most, most >= rule.min_positive)
            claimed = ops.where(is_claimed, truth + 1, claimed)
        return ops.where(is_nearer, overlap, largest), ops.where(is_nearer, truth + 1, nearest), claimed

    return ops.fori_loop(ops.cast(0, "int32"), last_valid(valid), step, (start, nobody, nobody))


def last_valid(valid):
    """How many truths have to be looked at: up to the last that is no padding in any picture."""
    places = ops.cast(ops.arange(1, ops.shape(valid)[1] + 1), "int32")
    return ops.max(ops.where(valid, places[None, :], 0), initial=0)

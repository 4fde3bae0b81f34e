"""Soft non-maximum suppression: boxes that overlap a better one lose score instead of being struck out."""

from typing import Any, NamedTuple

from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import paired_ious
from hrnet_keras.tasks.detection.parts.selecting import rows


class SoftKept(NamedTuple):
    """The boxes that were kept, best first.

    Attributes:
        indices: int32 `(batch, max_output)`, where they stand among the boxes; 0 for padding.
        valid: bool `(batch, max_output)`, `False` for padding.
        scores: float32 `(batch, max_output)`, what is left of them; 0 for padding.
    """

    indices: Any
    valid: Any
    scores: Any


def soft_nms(
    boxes: Any, scores: Any, valid: Any, *, groups: Any, max_output: int, sigma: float = 0.5, min_score: float = 0.001,
    plus_one: bool = False,
) -> SoftKept:  # fmt: skip
    """Takes the best box, weakens those of its group by how much they overlap it, and so on.

    As scores only fall, the boxes come best first, whatever their group: the first are the best of all.

    Args:
        boxes: `(batch, n, 4)`, xyxy in pixels; `n` is at least 1.
        scores: float `(batch, n)`, above 0.
        valid: bool `(batch, n)`; the others take no part.
        groups: whole numbers `(batch, n)`: only boxes with the same one weaken each other.
        max_output: how many are kept per picture.
        sigma: scores are multiplied by `exp(-overlap^2 / sigma)`.
        min_score: boxes of a lower score leave.
        plus_one: widths are `x2 - x1 + 1`.

    Returns:
        `SoftKept`. No gradient passes.

    Source: arXiv:1704.04503, equation 4.
    """
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    scores = ops.stop_gradient(ops.cast(scores, "float32"))
    nowhere = float("-inf")
    places = ops.cast(ops.arange(ops.shape(boxes)[1]), "int32")[None, :]
    slots = ops.cast(ops.arange(max_output), "int32")[None, :]
    nothing = ops.zeros((ops.shape(boxes)[0], max_output), "int32")

    def step(i, state):
        remaining, kept, found = state
        index = ops.cast(ops.argmax(remaining, axis=1), "int32")[:, None]
        score = rows(remaining, index)
        overlaps = paired_ious(rows(boxes, index), boxes, plus_one=plus_one)
        is_rival = groups == rows(groups, index)
        weakened = remaining * ops.exp(-ops.square(overlaps) / sigma)
        remaining = ops.where(ops.logical_and(is_rival, remaining > 0), weakened, remaining)
        is_out = ops.logical_or(places == index, remaining < min_score)
        is_now = ops.logical_and(slots == ops.cast(i, "int32"), score > 0)
        return ops.where(is_out, nowhere, remaining), ops.where(is_now, index, kept), ops.where(is_now, score, found)

    start = ops.where(ops.logical_and(valid, scores >= min_score), scores, nowhere)
    _, kept, found = ops.fori_loop(0, max_output, step, (start, nothing, ops.cast(nothing, "float32")))
    return SoftKept(kept, found > 0, found)

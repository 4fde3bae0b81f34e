"""Logits -> the most probable classes."""

from keras import ops

BEST = 5


def decode(logits, *, scores=False):
    """Turns logits into the most probable classes, best first.

    Args:
        logits: float `(batch, classes)`.
        scores: also answers their probabilities (softmax).

    Returns:
        Dict with `labels` int32 `(batch, 5)` (fewer where there are fewer classes) and, if asked, `scores` float32 of
        the same shape. A picture with a logit that is no finite number gets labels of -1 and scores of 0.
    """
    logits = ops.cast(logits, "float32")
    values, ids = ops.top_k(logits, min(BEST, logits.shape[-1]))
    is_finite = ops.all(ops.isfinite(logits), axis=-1, keepdims=True)
    answer = {"labels": ops.where(is_finite, ops.cast(ids, "int32"), -1)}
    if scores:
        answer["scores"] = ops.where(is_finite, ops.exp(values - ops.logsumexp(logits, axis=-1, keepdims=True)), 0.0)
    return answer

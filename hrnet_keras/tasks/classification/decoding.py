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
        the same shape.
    """
    logits = ops.cast(logits, "float32")
    values, ids = ops.top_k(logits, min(BEST, logits.shape[-1]))
    answer = {"labels": ops.cast(ids, "int32")}
    if scores:
        answer["scores"] = ops.exp(values - ops.logsumexp(logits, axis=-1, keepdims=True))
    return answer

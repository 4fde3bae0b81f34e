"""Logits -> class ids."""

from keras import ops

from hrnet_keras.tasks.finite import no_class


def decode(logits, *, scores=False):
    """Turns logits into the most probable class of every pixel.

    Args:
        logits: float `(batch, height, width, classes)`.
        scores: also answers the probability of that class (softmax).

    Returns:
        Dict with `label_map` `(batch, height, width)`, uint8 up to 255 classes, else int32; and, if asked, `scores`
        float32 `(batch, height, width)`, 0..1. Where a logit is no finite number the label is 255 (-1, where that is a
        class) and the score 0.
    """
    is_finite = ops.isfinite(ops.sum(logits, axis=-1))  # reads the logits once
    nothing = no_class(logits.shape[-1])
    ids = ops.where(is_finite, ops.cast(ops.argmax(logits, axis=-1), "int32"), nothing)
    answer = {"label_map": ops.cast(ids, "uint8" if nothing > 0 else "int32")}
    if scores:
        logits = ops.cast(logits, "float32")
        scores = 1 / ops.sum(ops.exp(logits - ops.max(logits, axis=-1, keepdims=True)), axis=-1)
        answer["scores"] = ops.where(is_finite, scores, 0.0)
    return answer

"""Logits -> class ids."""

from keras import ops


def decode(logits, *, scores=False):
    """Turns logits into the most probable class of every pixel.

    Args:
        logits: float `(batch, height, width, classes)`.
        scores: also answers the probability of that class (softmax).

    Returns:
        Dict with `label_map` `(batch, height, width)`, uint8 up to 256 classes, else int32; and, if asked, `scores`
        float32 `(batch, height, width)`, 0..1.
    """
    ids = ops.argmax(logits, axis=-1)
    answer = {"label_map": ops.cast(ids, "uint8" if logits.shape[-1] <= 256 else "int32")}
    if scores:
        logits = ops.cast(logits, "float32")
        answer["scores"] = 1 / ops.sum(ops.exp(logits - ops.max(logits, axis=-1, keepdims=True)), axis=-1)
    return answer

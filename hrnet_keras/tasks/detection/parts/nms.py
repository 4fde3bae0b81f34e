"""Non-maximum suppression: of boxes that overlap too much, keep the one with the best score."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import paired_ious
from hrnet_keras.tasks.detection.parts.compiling import is_compiled
from hrnet_keras.tasks.detection.parts.selecting import rows, where_valid

LOWEST = float(np.finfo(np.float32).min)


class Kept(NamedTuple):
    """The boxes that were kept, best first.

    Attributes:
        indices: int32 `(batch, max_output)`, where they stand among the boxes; 0 for padding.
        valid: bool `(batch, max_output)`, `False` for padding.
    """

    indices: Any
    valid: Any


def nms(
    boxes: Any,
    scores: Any,
    valid: Any,
    *,
    threshold: float,
    max_output: int,
    groups: Any = None,
    plus_one: bool = False,
) -> Kept:
    """Keeps the best boxes that don't overlap a better one of their group.

    Args:
        boxes: `(batch, n, 4)`, xyxy in pixels.
        scores: float `(batch, n)`, finite.
        valid: bool `(batch, n)`; the others take no part.
        threshold: boxes whose intersection over union with a better kept one is larger than this are suppressed; an
            equal one is kept.
        max_output: how many are kept per picture.
        groups: whole numbers `(batch, n)` from 0: only boxes with the same one suppress each other (classes, levels).
            Each group's boxes are moved away by its number times the largest coordinate plus 1, in float32, as the
            reference does. `None` is one group.
        plus_one: widths are `x2 - x1 + 1` (v1).

    Returns:
        `Kept`. Of boxes with equal scores the earlier counts as better. Boxes without area suppress nothing and are
        kept. No gradient passes.

    Source: `batched_nms` of mmcv 2.2.0. On TensorFlow its own operation, elsewhere and under XLA `greedy`.
    """
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    scores = ops.stop_gradient(ops.cast(scores, "float32"))
    scores = ops.where(valid, scores, float("-inf"))
    if groups is not None:
        boxes = _apart(boxes, valid, groups)
    # XLA's form of TensorFlow's operation has no order among equal scores, and takes 4 seconds for 80,000 candidates
    # where `greedy` takes 0.02.
    if keras.backend.backend() == "tensorflow" and not is_compiled():
        last = ops.convert_to_tensor([0.0, 0.0, float(plus_one), float(plus_one)])
        return _by_tensorflow(boxes + last, scores, threshold, max_output)
    return greedy(boxes, scores, threshold=threshold, max_output=max_output, plus_one=plus_one)


def greedy(boxes: Any, scores: Any, *, threshold: float, max_output: int, plus_one: bool = False) -> Kept:
    """The same for one group in Keras's operations: takes the best box, strikes out what it suppresses, and so on.

    Args:
        boxes: float32 `(batch, n, 4)`, xyxy in pixels; `n` is at least 1.
        scores: float32 `(batch, n)`; minus infinity takes no part.
        threshold, max_output, plus_one: as in `nms`.
    """
    places = ops.cast(ops.arange(ops.shape(boxes)[1]), "int32")[None, :]
    slots = ops.cast(ops.arange(max_output), "int32")[None, :]
    nothing = ops.zeros((ops.shape(boxes)[0], max_output), "int32")

    def step(i, state):
        remaining, kept, valid = state
        index = ops.cast(ops.argmax(remaining, axis=1), "int32")[:, None]
        is_left = rows(remaining, index) > float("-inf")
        overlap = paired_ious(rows(boxes, index), boxes, plus_one=plus_one)
        is_struck = ops.logical_or(overlap > threshold, places == index)
        is_now = ops.logical_and(slots == ops.cast(i, "int32"), is_left)
        return (
            ops.where(is_struck, float("-inf"), remaining),
            ops.where(is_now, index, kept),
            ops.logical_or(valid, is_now),
        )

    _, kept, valid = ops.fori_loop(0, max_output, step, (scores, nothing, ops.cast(nothing, "bool")))
    return Kept(kept, valid)


def _apart(boxes, valid, groups):
    largest = ops.max(where_valid(valid, boxes, LOWEST), axis=(1, 2), initial=LOWEST)
    largest = ops.where(ops.any(valid, axis=1), largest, 0.0)
    shifts = ops.cast(groups, "float32") * (largest[:, None] + 1.0)
    return boxes + shifts[..., None]


def _by_tensorflow(boxes, scores, threshold, max_output):
    """`NonMaxSuppressionV4` suppresses strictly above the threshold and keeps ties in order."""
    import tensorflow as tf

    def of_picture(picture):
        indices, count = tf.raw_ops.NonMaxSuppressionV4(
            boxes=picture[0],
            scores=picture[1],
            max_output_size=max_output,
            iou_threshold=threshold,
            score_threshold=LOWEST,
            pad_to_max_output_size=True,
        )
        valid = tf.range(max_output) < count
        return tf.where(valid, indices, 0), valid

    signature = (tf.TensorSpec((max_output,), tf.int32), tf.TensorSpec((max_output,), tf.bool))
    return Kept(*tf.map_fn(of_picture, (boxes, scores), fn_output_signature=signature))

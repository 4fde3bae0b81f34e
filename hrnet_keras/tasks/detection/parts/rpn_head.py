"""The head of the region proposal network: objectness and deltas of every anchor (arXiv:1506.01497, section 3.1)."""

from collections.abc import Sequence
from typing import Any

from keras.initializers import RandomNormal
from keras.layers import Reshape

from hrnet_keras.layers import Conv2D


def build_rpn_head(
    features: Sequence[Any], *, num_anchors: int = 3, name: str = "rpn_head"
) -> tuple[list[Any], list[Any]]:
    """Applies one head to all levels of a pyramid; for functional models.

    Args:
        features: the levels, `(batch, height, width, channels)` each.
        num_anchors: at every place.
        name: what the layers' names begin with; they are mmdet's: `rpn_conv`, `rpn_cls`, `rpn_reg`.

    Returns:
        The objectness logits of every level, `(batch, height * width * num_anchors)`, and the deltas of every level,
        `(batch, height * width * num_anchors, 4)`; ordered by row, column, anchor. float32.

    Source: `RPNHead` of mmdet 3.3.0; initial weights are normal with deviation 0.01.
    """
    channels = features[0].shape[-1]
    shared = Conv2D(channels, 3, activation="relu", kernel_initializer=_normal(), name=f"{name}.rpn_conv")
    objectness = Conv2D(num_anchors, 1, kernel_initializer=_normal(), dtype="float32", name=f"{name}.rpn_cls")
    deltas = Conv2D(num_anchors * 4, 1, kernel_initializer=_normal(), dtype="float32", name=f"{name}.rpn_reg")
    all_logits, all_deltas = [], []
    for level, x in enumerate(features):
        x = shared(x)
        flat = Reshape((-1,), dtype="float32", name=f"{name}.logits.{level}")
        boxes = Reshape((-1, 4), dtype="float32", name=f"{name}.deltas.{level}")
        all_logits.append(flat(objectness(x)))
        all_deltas.append(boxes(deltas(x)))
    return all_logits, all_deltas


def _normal():
    """A new object per layer, as one draws the same numbers every time."""
    return RandomNormal(stddev=0.01)

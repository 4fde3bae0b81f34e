"""The head of the region proposal network: objectness and deltas of every anchor (arXiv:1506.01497, section 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras.initializers import RandomNormal
from keras.layers import Reshape

from hrnet_keras.architecture import PYRAMID_CHANNELS
from hrnet_keras.layers import Conv2D

NAME = "rpn_head"  # what the layers' names begin with, as mmdet has it


@dataclass(frozen=True)
class RPNHead:
    """One head for all levels of a pyramid.

    Attributes:
        conv: 3x3, `rpn_head.rpn_conv`.
        objectness: 1x1, a logit per anchor, `rpn_head.rpn_cls`.
        deltas: 1x1, four numbers per anchor, `rpn_head.rpn_reg`.

    Source: `RPNHead` of mmdet 3.3.0; initial weights are normal with deviation 0.01.
    """

    conv: keras.Layer
    objectness: keras.Layer
    deltas: keras.Layer

    @classmethod
    def create(cls, *, num_anchors: int = 3, channels: int = PYRAMID_CHANNELS, name: str = NAME) -> "RPNHead":
        """A new head.

        Args:
            num_anchors: at every place.
            channels: of the levels.
            name: what the layers' names begin with.
        """
        return cls(
            Conv2D(channels, 3, activation="relu", kernel_initializer=_normal(), name=f"{name}.rpn_conv"),
            Conv2D(num_anchors, 1, kernel_initializer=_normal(), dtype="float32", name=f"{name}.rpn_cls"),
            Conv2D(num_anchors * 4, 1, kernel_initializer=_normal(), dtype="float32", name=f"{name}.rpn_reg"),
        )

    @classmethod
    def of(cls, model: keras.Model, *, name: str = NAME) -> "RPNHead":
        """The head that a model has."""
        return cls(*(model.get_layer(f"{name}.{part}") for part in ("rpn_conv", "rpn_cls", "rpn_reg")))

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return [self.conv, self.objectness, self.deltas]

    def __call__(self, features: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Applies the head.

        Args:
            features: the levels, `(batch, height, width, channels)` each; tensors, or symbolic ones of a functional
                model.

        Returns:
            The objectness logits of every level, `(batch, height * width * num_anchors)`, and the deltas of every
            level, `(batch, height * width * num_anchors, 4)`; ordered by row, column, anchor. float32.
        """
        all_logits, all_deltas = [], []
        for level, x in enumerate(features):
            x = self.conv(x)
            flat = Reshape((-1,), dtype="float32", name=f"{NAME}.logits.{level}")
            boxes = Reshape((-1, 4), dtype="float32", name=f"{NAME}.deltas.{level}")
            all_logits.append(flat(self.objectness(x)))
            all_deltas.append(boxes(self.deltas(x)))
        return all_logits, all_deltas


def _normal():
    """A new object per layer, as one draws the same numbers every time."""
    return RandomNormal(stddev=0.01)

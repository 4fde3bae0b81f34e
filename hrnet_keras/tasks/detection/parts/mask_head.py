"""The mask head: a small fully convolutional network over every box's features (arXiv:1703.06870, figure 4, right)."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops
from keras.initializers import VarianceScaling

from hrnet_keras.architecture import PYRAMID_CHANNELS
from hrnet_keras.layers import Conv2D, Conv2DTranspose

NAME = "roi_head.mask_head"  # what the layers' names begin with, as mmdet has it
NUM_CONVS = 4
MASK_SIZE = 14  # bins of a box's features; its mask has twice as many


@dataclass(frozen=True)
class MaskHead:
    """Features of boxes -> mask logits.

    Attributes:
        convs: 3x3, `convs.0.conv` to `convs.3.conv`.
        upsample: to twice the size, `upsample`.
        logits: 1x1, a mask per class, `conv_logits`.

    Source: `FCNMaskHead` of mmdet 3.3.0; initial weights Kaiming normal by outputs (arXiv:1502.01852).
    """

    convs: tuple[keras.Layer, ...]
    upsample: keras.Layer
    logits: keras.Layer

    @classmethod
    def create(cls, *, num_masks: int, channels: int = PYRAMID_CHANNELS, name: str = NAME) -> "MaskHead":
        """A new head.

        Args:
            num_masks: one per class, or 1 for all classes together.
            channels: of the features.
            name: what the layers' names begin with.
        """
        convs = []
        for i in range(NUM_CONVS):
            layer = Conv2D(channels, 3, activation="relu", kernel_initializer=kaiming(), name=f"{name}.convs.{i}.conv")
            convs.append(layer)
        upsample = Conv2DTranspose(
            channels, 2, strides=2, activation="relu", kernel_initializer=kaiming(), name=f"{name}.upsample"
        )
        logits = Conv2D(num_masks, 1, kernel_initializer=kaiming(), dtype="float32", name=f"{name}.conv_logits")
        return cls(tuple(convs), upsample, logits)

    @classmethod
    def of(cls, model: keras.Model, *, name: str = NAME) -> "MaskHead":
        """The head that a model has."""
        convs = tuple(model.get_layer(f"{name}.convs.{i}.conv") for i in range(NUM_CONVS))
        return cls(convs, model.get_layer(f"{name}.upsample"), model.get_layer(f"{name}.conv_logits"))

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return [*self.convs, self.upsample, self.logits]

    def __call__(self, features: Any) -> Any:
        """Applies the head.

        Args:
            features: of every box, `(boxes, 14, 14, channels)`.

        Returns:
            Mask logits `(boxes, 28, 28, num_masks)`, float32.
        """
        return self.answer(self.look(features))

    def look(self, features: Any) -> Any:
        """The head's own features `(boxes, 14, 14, channels)`, from which it answers."""
        x = features
        for layer in self.convs:
            x = layer(x)
        return x

    def answer(self, looked: Any) -> Any:
        """Mask logits `(boxes, 28, 28, num_masks)`, float32, from what `look` gives."""
        return self.logits(self.upsample(looked))


def masks_of_classes(logits: Any, labels: Any) -> Any:
    """Picks every box's mask of its class.

    Args:
        logits: `(boxes, height, width, num_masks)`.
        labels: which of them, int32 `(boxes,)`.

    Returns:
        `(boxes, height, width)`; zeros where the label is none of them.
    """
    chosen = ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return ops.sum(logits * chosen[:, None, None, :], axis=-1)


def kaiming():
    """A new object per layer, as one draws the same numbers every time."""
    return VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")

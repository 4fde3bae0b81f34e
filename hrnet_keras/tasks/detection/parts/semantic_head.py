"""The semantic branch: what kind of thing or stuff every place shows (arXiv:1901.07518, section 3.1 and figure 3)."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from hrnet_keras.architecture import PYRAMID_CHANNELS, PYRAMID_LEVELS
from hrnet_keras.layers import Conv2D, Resize
from hrnet_keras.tasks.detection.parts.batch import global_sum, per_example
from hrnet_keras.tasks.detection.parts.extractor import SEMANTIC_STRIDE
from hrnet_keras.tasks.detection.parts.losses import softmax_cross_entropy
from hrnet_keras.tasks.detection.parts.mask_head import kaiming

NAME = "roi_head.semantic_head"  # what the layers' names begin with, as mmdet has it
NUM_CLASSES = 183  # of the stuffthingmaps of COCO, with the hole that stands for nothing
NUM_CONVS = 4
LEVEL = 1  # of the pyramid, whose size the branch has
IGNORED = 255  # label of places that nobody named, and of padding
WEIGHT = 0.2


@dataclass(frozen=True)
class SemanticHead:
    """A pyramid -> classes of its places, and features for the heads of boxes and masks.

    Attributes:
        laterals: 1x1, one per level, `lateral_convs.0.conv` to `lateral_convs.4.conv`.
        convs: 3x3, `convs.0.conv` to `convs.3.conv`.
        embedding: 1x1, `conv_embedding.conv`.
        logits: 1x1, `conv_logits`.

    Source: `FusedSemanticHead` of mmdet 3.3.0; initial weights Kaiming normal by outputs.
    """

    laterals: tuple[keras.Layer, ...]
    convs: tuple[keras.Layer, ...]
    embedding: keras.Layer
    logits: keras.Layer

    @classmethod
    def create(cls, *, num_classes: int = NUM_CLASSES, channels: int = PYRAMID_CHANNELS) -> "SemanticHead":
        """A new head.

        Args:
            num_classes: of the semantic maps.
            channels: of the levels and of the features.
        """
        laterals = [_convolution(channels, 1, f"lateral_convs.{i}.conv") for i in range(PYRAMID_LEVELS)]
        convs = [_convolution(channels, 3, f"convs.{i}.conv") for i in range(NUM_CONVS)]
        logits = Conv2D(num_classes, 1, kernel_initializer=kaiming(), dtype="float32", name=f"{NAME}.conv_logits")
        return cls(tuple(laterals), tuple(convs), _convolution(channels, 1, "conv_embedding.conv"), logits)

    @classmethod
    def of(cls, model: keras.Model) -> "SemanticHead":
        """The head that a model has."""
        laterals = tuple(model.get_layer(f"{NAME}.lateral_convs.{i}.conv") for i in range(PYRAMID_LEVELS))
        convs = tuple(model.get_layer(f"{NAME}.convs.{i}.conv") for i in range(NUM_CONVS))
        return cls(
            laterals, convs, model.get_layer(f"{NAME}.conv_embedding.conv"), model.get_layer(f"{NAME}.conv_logits")
        )

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return [*self.laterals, *self.convs, self.embedding, self.logits]

    def __call__(self, pyramid: list[Any]) -> tuple[Any, Any]:
        """Applies the head.

        Args:
            pyramid: five levels, the finest first, `(batch, height, width, channels)` each.

        Returns:
            Logits float32 `(batch, height_1, width_1, num_classes)` and features `(batch, height_1, width_1,
            channels)`, of the size of the second level.
        """
        x = self.laterals[LEVEL](pyramid[LEVEL])
        for i, (lateral, level) in enumerate(zip(self.laterals, pyramid, strict=True)):
            if i != LEVEL:
                x = x + lateral(Resize(align_corners=True, name=f"semantic.resize.{i}")(level, pyramid[LEVEL]))
        for layer in self.convs:
            x = layer(x)
        return self.logits(x), self.embedding(x)


def learn_semantics(logits: Any, labels: Any, *, v1: bool = False) -> Any:
    """The cross entropy of a semantic branch, a value per example.

    Args:
        logits: `(batch, height, width, num_classes)`, of stride 8.
        labels: whole numbers `(batch, 8 * height, 8 * width)`, `IGNORED` where there are none.
        v1: the mean is over the places with a label; else over all places, those without one counting 0.

    Raises:
        ValueError: no labels.

    Source: `fused_semantic_head.py` of mmdet 3.3.0, whose cross entropy averages so, and of mmdet 1.
    """
    if labels is None:
        raise ValueError(
            "the targets have no 'semantic', which htc learns from: expected augment.semantic: true (and masks: true), "
            "and a data set with semantic maps; without them take framework cascade_mask_rcnn"
        )
    labels = ops.cast(labels[:, ::SEMANTIC_STRIDE, ::SEMANTIC_STRIDE], "int32")
    is_named = labels != IGNORED
    named = ops.cast(is_named, "float32")
    values = softmax_cross_entropy(logits, ops.where(is_named, labels, 0)) * named
    if not v1:
        return ops.mean(values, axis=(1, 2))
    total = global_sum(ops.sum(named))
    return per_example(ops.sum(values, axis=(1, 2)) / ops.maximum(total, 1.0))


def _convolution(channels, size, name):
    return Conv2D(channels, size, activation="relu", kernel_initializer=kaiming(), name=f"{NAME}.{name}")

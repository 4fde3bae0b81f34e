"""What FCOSs of any number of levels share: how points become detections, and what is minimised (arXiv:1904.01355)."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from hrnet_keras.tasks.detection.parts.batch import global_sum, per_example
from hrnet_keras.tasks.detection.parts.fcos_head import FCOSHead
from hrnet_keras.tasks.detection.parts.fcos_targets import point_targets
from hrnet_keras.tasks.detection.parts.focal import focal
from hrnet_keras.tasks.detection.parts.iou_loss import iou_loss
from hrnet_keras.tasks.detection.parts.losses import sigmoid_cross_entropy
from hrnet_keras.tasks.detection.parts.point_detections import DetectPoints
from hrnet_keras.tasks.detection.parts.points import PointRules, boxes_around, centerness, level_points
from hrnet_keras.tasks.detection.parts.stages import level_sizes
from hrnet_keras.tasks.detection.parts.truths import Truths

LOSSES = {"loss_cls": 1.0, "loss_bbox": 1.0, "loss_centerness": 1.0}  # as mmdet logs them
SMALLEST = 1e-6  # sum of centerness


def build_fcos(pyramid: list[Any], sizes: Any, count: int, rules: PointRules) -> dict[str, Any]:
    """The detections of a functional model, see `parts.stages.Detect`.

    Args:
        pyramid: the levels of `rules.strides`, `(batch, height, width, channels)` each.
        sizes: height and width of the pictures without padding, `(batch, 2)`.
        count: of classes.
        rules: of the lineage.
    """
    outputs = FCOSHead.create(count=count, num_levels=len(pyramid), biases=rules.tower_biases)(pyramid)
    return DetectPoints(rules, name="detect")(maps=pyramid, **outputs._asdict(), sizes=sizes)


@dataclass(frozen=True)
class FCOSLearner:
    """What an FCOS minimises; called with a pyramid and a batch's truths.

    Attributes:
        head: of the model.
        rules: of the lineage.
    """

    head: FCOSHead
    rules: PointRules

    @classmethod
    def of(cls, model: keras.Model, rules: PointRules, seed: Any) -> "FCOSLearner":
        """For a model; nothing is drawn by chance, whatever `seed`."""
        del seed
        return cls(FCOSHead.of(model), rules)

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights behind the pyramid."""
        return self.head.layers

    def __call__(self, pyramid: list[Any], truths: Truths) -> dict[str, Any]:
        """The losses of a batch, `{name: (batch,)}`, see `parts.batch.per_example`.

        Source: mmdet 3.3.0 `dense_heads/fcos_head.py`; lineage official: `fcos_core/modeling/rpn/fcos/loss.py`.
        """
        rules = self.rules
        outputs = self.head(pyramid)
        logits, distances, central = (ops.concatenate(parts, axis=1) for parts in outputs)
        targets = point_targets(level_points(level_sizes(pyramid), rules.strides), truths, rules)
        is_positive = targets.truths > 0
        positive = ops.cast(is_positive, "float32")
        classes = ops.one_hot(ops.where(is_positive, targets.labels, -1), logits.shape[-1])
        total = global_sum(ops.sum(positive))
        if rules.counts_pictures:
            divisor = total + global_sum(ops.cast(ops.shape(positive)[0], "float32"))
        else:
            divisor = ops.maximum(total, 1.0)
        of_classes = ops.sum(focal(logits, classes), axis=(1, 2)) / divisor

        origin = ops.zeros((2,))  # overlaps are the same wherever the point is
        weights = centerness(targets.distances) * positive
        overlaps = iou_loss(
            boxes_around(origin, distances), boxes_around(origin, targets.distances), smoothed=rules.smoothed
        )
        of_boxes = ops.sum(overlaps * weights, axis=1) / ops.maximum(global_sum(ops.sum(weights)), SMALLEST)
        misjudged = sigmoid_cross_entropy(central[..., 0], weights) * positive
        of_centers = ops.sum(misjudged, axis=1) / ops.maximum(total, 1.0)
        return dict(zip(LOSSES, map(per_example, (of_classes, of_boxes, of_centers)), strict=True))

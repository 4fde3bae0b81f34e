"""From what FCOS says of its points to detections."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import keras
from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import clip, larger_than
from hrnet_keras.tasks.detection.parts.detections import Detections
from hrnet_keras.tasks.detection.parts.nms import nms
from hrnet_keras.tasks.detection.parts.points import PointRules, boxes_around, level_points
from hrnet_keras.tasks.detection.parts.selecting import best, rows, where_valid
from hrnet_keras.tasks.detection.parts.stages import Stage, detections_spec, level_sizes, named_detections


def detect_points(
    logits: Sequence[Any], distances: Sequence[Any], centerness: Sequence[Any], points: Sequence[Any], sizes: Any,
    rules: PointRules,
) -> Detections:  # fmt: skip
    """Detections from the outputs of the head.

    Every pair of a point and a class whose score is large enough is a candidate.

    Args:
        logits, distances, centerness: of every level, see `PointOutputs`.
        points: of every level, `(n, 2)`.
        sizes: `(batch, 2)`, height and width of each picture without padding, for clipping.
        rules: thresholds and conventions.

    Returns:
        `Detections`, whose `proposals` are places among the candidates. No gradient passes.

    Source: mmdet 3.3.0 `dense_heads/base_dense_head.py`; lineage official: `fcos_core/modeling/rpn/fcos/inference.py`.
    """
    levels = zip(logits, distances, centerness, points, strict=True)
    found = [_best_of_level(*level, rules) for level in levels]
    boxes, scores, labels, ranks = (ops.concatenate(list(parts), axis=1) for parts in zip(*found, strict=True))
    boxes = clip(boxes, sizes, plus_one=rules.v1)
    # Points of the padding may say boxes that lie outside of the picture.
    valid = ops.logical_and(ops.isfinite(ranks), larger_than(boxes, plus_one=rules.v1))
    kept = nms(
        boxes, scores, valid, groups=labels, threshold=rules.threshold, max_output=rules.max_output,
        plus_one=rules.v1,
    )  # fmt: skip
    return Detections(
        boxes=where_valid(kept.valid, rows(boxes, kept.indices)),
        scores=where_valid(kept.valid, rows(scores, kept.indices)),
        labels=ops.where(kept.valid, rows(labels, kept.indices), 0),
        valid=kept.valid,
        proposals=kept.indices,
    )


def _best_of_level(
    logits: Any, distances: Any, centerness: Any, points: Any, rules: PointRules
) -> tuple[Any, Any, Any, Any]:
    """Boxes, scores, labels and what they were ranked by (minus infinity: no candidate) of a level's best pairs."""
    count = logits.shape[-1]
    scores = ops.sigmoid(ops.stop_gradient(ops.cast(logits, "float32")))
    central = ops.sigmoid(ops.stop_gradient(ops.cast(centerness, "float32")))
    ranks = scores
    if rules.by_product:
        ranks = scores * central
    ranks = ops.where(scores > rules.min_score, ranks, float("-inf"))
    chosen = best(ops.reshape(ranks, (ops.shape(ranks)[0], -1)), rules.num_before)
    places = chosen.indices // count
    boxes = boxes_around(ops.take(points, places, axis=0), rows(ops.stop_gradient(distances), places))
    values = chosen.values
    if not rules.by_product:
        values = values * rows(central, places)[..., 0]
    return boxes, ops.where(ops.isfinite(values), values, 0.0), chosen.indices % count, values


@keras.saving.register_keras_serializable("hrnet_keras")
class DetectPoints(Stage):
    """`detect_points` on the points of a pyramid.

    Args:
        rules: a `PointRules`, or the dict of one.

    Input: `maps` (their sizes count), `logits`, `distances`, `centerness` as `PointOutputs` has them, `sizes`
    `(batch, 2)`.
    Output: as `stages.Detect`.
    """

    def __init__(self, rules, **kwargs):
        super().__init__(**kwargs)
        self.rules = rules
        if not isinstance(rules, PointRules):
            self.rules = PointRules(**{**rules, "strides": tuple(rules["strides"])})

    def call(self, maps, logits, distances, centerness, sizes):
        points = level_points(level_sizes(maps), self.rules.strides)
        return named_detections(detect_points(logits, distances, centerness, points, sizes, self.rules))

    def compute_output_spec(self, maps, logits, distances, centerness, sizes):
        return detections_spec(sizes.shape[0], self.rules.max_output)

    def get_config(self):
        return {**super().get_config(), "rules": asdict(self.rules)}

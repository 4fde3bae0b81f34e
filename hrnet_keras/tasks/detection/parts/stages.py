"""The steps between the layers with weights, as layers of a functional model."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import keras
from keras import KerasTensor, ops

from hrnet_keras.tasks.detection.parts.anchors import pyramid_anchors
from hrnet_keras.tasks.detection.parts.detections import DetectionRule, Detections, detect
from hrnet_keras.tasks.detection.parts.mask_head import masks_of_classes
from hrnet_keras.tasks.detection.parts.proposals import ProposalRule, propose
from hrnet_keras.tasks.detection.parts.roi_align import roi_align
from hrnet_keras.tasks.detection.parts.roi_samples import RoiSampling

STRIDES = (4, 8, 16, 32)  # of the levels that features of boxes are taken from


def picture_sizes(images: Any) -> Any:
    """Height and width of every picture without its padding, float32 `(batch, 2)`.

    Args:
        images: RGB 0..255 `(batch, height, width, 3)`; padding at the right and the bottom is below 0.
    """
    rows = ops.sum(ops.cast(images[:, :, 0, 0] >= 0, "float32"), axis=1)
    columns = ops.sum(ops.cast(images[:, 0, :, 0] >= 0, "float32"), axis=1)
    return ops.stack([rows, columns], axis=-1)


def level_sizes(maps: Sequence[Any]) -> list[tuple[Any, Any]]:
    """`(height, width)` of every map."""
    return [(ops.shape(x)[1], ops.shape(x)[2]) for x in maps]


def named_detections(found: Detections) -> dict[str, Any]:
    """`Detections` as a model answers them: `valid` int32 `(batch,)` says how many there are."""
    return {
        "boxes": found.boxes, "scores": found.scores, "labels": ops.where(found.valid, found.labels, 0),
        "valid": ops.sum(ops.cast(found.valid, "int32"), axis=1),
    }  # fmt: skip


def detections_spec(batch: int | None, count: int) -> dict[str, KerasTensor]:
    """What `named_detections` gives of `count` detections per picture."""
    return {
        "boxes": KerasTensor((batch, count, 4)),
        "scores": KerasTensor((batch, count)),
        "labels": KerasTensor((batch, count), dtype="int32"),
        "valid": KerasTensor((batch,), dtype="int32"),
    }


class Stage(keras.layers.Layer):
    """A layer without weights that computes in float32, whatever the precision of the rest."""

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.autocast = False  # maps keep their type, labels stay whole numbers


@keras.saving.register_keras_serializable("hrnet_keras")
class PictureSizes(Stage):
    """Height and width of every picture without its padding, `(batch, 2)`.

    Args:
        padded: whether padding is below 0; `False`: all of the input is picture, as nobody can tell.
    """

    def __init__(self, *, padded=True, **kwargs):
        super().__init__(**kwargs)
        self.padded = padded

    def call(self, inputs):
        if self.padded:
            return picture_sizes(inputs)
        whole = ops.stack([ops.cast(size, "float32") for size in ops.shape(inputs)[1:3]])
        return ops.broadcast_to(whole, (ops.shape(inputs)[0], 2))

    def compute_output_spec(self, inputs):
        return KerasTensor((inputs.shape[0], 2))

    def get_config(self):
        return {**super().get_config(), "padded": self.padded}


@keras.saving.register_keras_serializable("hrnet_keras")
class Propose(Stage):
    """`parts.proposals.propose` on the anchors of a pyramid.

    Args:
        rule: a `ProposalRule`, or the dict of one.
        v1: whether anchors are rounded.

    Input: `maps` (their sizes count), `logits`, `deltas` as the RPN's head gives them; `sizes` `(batch, 2)`.
    Output: `boxes` `(batch, n, 4)` and `valid` `(batch, n)`, see `Proposals`.
    """

    def __init__(self, rule, *, v1=False, **kwargs):
        super().__init__(**kwargs)
        self.rule = rule if isinstance(rule, ProposalRule) else ProposalRule(**rule)
        self.v1 = v1

    def call(self, maps, logits, deltas, sizes):
        anchors = pyramid_anchors(level_sizes(maps), v1=self.v1)
        proposals = propose(logits, deltas, anchors, sizes, self.rule)
        return {"boxes": proposals.boxes, "valid": proposals.valid}

    def compute_output_spec(self, maps, logits, deltas, sizes):
        shape = (sizes.shape[0], self.rule.num_after)
        return {"boxes": KerasTensor((*shape, 4)), "valid": KerasTensor(shape, dtype="bool")}

    def get_config(self):
        return {**super().get_config(), "rule": asdict(self.rule), "v1": self.v1}


@keras.saving.register_keras_serializable("hrnet_keras")
class RoiFeatures(Stage):
    """`parts.roi_align.roi_align`, the boxes of all pictures in one row.

    Args:
        size: bins along each axis.
        sampling: a `RoiSampling`, or the dict of one.
        strides: of the maps.

    Input: `maps` and `boxes` `(batch, n, 4)`.
    Output: `(batch * n, size, size, channels)`.
    """

    def __init__(self, size, sampling, *, strides=STRIDES, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.strides = tuple(strides)
        self.sampling = sampling if isinstance(sampling, RoiSampling) else RoiSampling(**sampling)

    def call(self, maps, boxes):
        features = roi_align(maps, boxes, size=self.size, strides=self.strides, sampling=self.sampling)
        return ops.reshape(features, (-1, self.size, self.size, maps[0].shape[-1]))

    def compute_output_spec(self, maps, boxes):
        batch, count = boxes.shape[:2]
        rows = None if batch is None else batch * count
        return KerasTensor((rows, self.size, self.size, maps[0].shape[-1]), dtype=maps[0].dtype)

    def get_config(self):
        config = {"size": self.size, "sampling": asdict(self.sampling), "strides": self.strides}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("hrnet_keras")
class Detect(Stage):
    """`parts.detections.detect`.

    Args:
        rule: a `DetectionRule`, or the dict of one.

    Input: `logits` and `deltas` of all pictures' boxes in one row, `boxes` and `valid` as `Propose` gives them, `sizes`
    `(batch, 2)`.
    Output: `boxes` float32 `(batch, n, 4)` xyxy in pixels of the input, `scores` `(batch, n)`, `labels` int32
    `(batch, n)`, best first, and `valid` int32 `(batch,)`: how many there are. The rest is zeros.
    """

    def __init__(self, rule, **kwargs):
        super().__init__(**kwargs)
        self.rule = rule if isinstance(rule, DetectionRule) else DetectionRule(**rule)

    def call(self, logits, deltas, boxes, valid, sizes):
        batch, count = ops.shape(valid)
        found = detect(
            ops.reshape(logits, (batch, count, logits.shape[-1])),
            ops.reshape(deltas, (batch, count, deltas.shape[-1])),
            boxes, valid, sizes, self.rule,
        )  # fmt: skip
        return named_detections(found)

    def compute_output_spec(self, logits, deltas, boxes, valid, sizes):
        return detections_spec(sizes.shape[0], self.rule.max_output)

    def get_config(self):
        return {**super().get_config(), "rule": {**asdict(self.rule), "stds": tuple(self.rule.stds)}}


@keras.saving.register_keras_serializable("hrnet_keras")
class MaskProbabilities(Stage):
    """Every box's mask of its class, as probabilities.

    Args:
        first: where class 0 stands among the masks (v1: 1, behind the background).

    Input: `logits` `(batch * n, height, width, masks)`, `labels` `(batch, n)`.
    Output: `(batch, n, height, width)`.
    """

    def __init__(self, *, first=0, **kwargs):
        super().__init__(**kwargs)
        self.first = first

    def call(self, logits, labels):
        chosen = masks_of_classes(logits, ops.reshape(labels, (-1,)) + self.first)
        return ops.reshape(ops.sigmoid(chosen), (*ops.shape(labels), *logits.shape[1:3]))

    def compute_output_spec(self, logits, labels):
        return KerasTensor((*labels.shape, *logits.shape[1:3]))

    def get_config(self):
        return {**super().get_config(), "first": self.first}

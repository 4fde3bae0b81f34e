"""The objectives of segmentation: cross entropy and hard-pixel mining as the official training has them, Dice, Lovász.

Every loss resizes logits bilinearly to the label map first, leaves ignored pixels out, and hands Keras one value per
example whose mean is the batch's loss, so that a mean over replicas is right.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.layers.resizing import resize_bilinear
from hrnet_keras.tasks.objective import OWN_OUTPUT, Objective, objective_of
from hrnet_keras.tasks.segmentation.recipe import Loss


class PixelLoss(keras.losses.Loss):
    """What the losses here share.

    Args:
        ignore_label: id of pixels that are left out.
        class_weights: a weight per class, or `None` for equal ones.
        align_corners: how logits of another size than the label map are resized to it.

    Input: `y_true` class ids `(batch, height, width)`; `y_pred` logits `(batch, any, any, classes)`.
    Output: `(batch,)`.
    """

    def __init__(
        self, *, ignore_label: int = 255, class_weights: Any = None, align_corners: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.ignore_label = ignore_label
        self.class_weights = class_weights
        if class_weights is not None:
            self.class_weights = [float(weight) for weight in class_weights]
        self.align_corners = align_corners

    def _at_label_size(self, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
        """Logits, labels with 0 for ignored pixels, and 1 or 0: whether a pixel counts."""
        logits = resize_bilinear(ops.cast(y_pred, "float32"), ops.shape(y_true)[1:3], align_corners=self.align_corners)
        ignored = ops.equal(y_true, self.ignore_label)
        labels = ops.cast(ops.where(ignored, ops.zeros_like(y_true), y_true), "int32")
        return logits, labels, 1 - ops.cast(ignored, "float32")

    def _weights(self, labels: Any) -> Any:
        if self.class_weights is None:
            return 1.0
        return ops.take(ops.convert_to_tensor(np.float32(self.class_weights)), labels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ignore_label": self.ignore_label,
            "class_weights": self.class_weights,
            "align_corners": self.align_corners,
        }


@keras.saving.register_keras_serializable("hrnet_keras")
class CrossEntropy(PixelLoss):
    """Weighted mean of the pixels' cross entropy: sum(w[t] * nll) / sum(w[t]) over the pixels that count.

    The mean is over the pixels of the replica's batch, as each GPU of the official training takes it.

    Args:
        over_all: divides by the number of all pixels instead, ignored ones included: the official auxiliary loss beside
            hard-pixel mining, and mmsegmentation's.
        ignore_label, class_weights, align_corners: see `PixelLoss`.

    Source: the cross entropy of the official segmentation repository (class weights of Cityscapes: its dataset file).
    """

    def __init__(self, *, over_all=False, name="cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.over_all = over_all

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits, labels, counts = self._at_label_size(y_true, y_pred)
        nll = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        counts = counts * self._weights(labels)
        # PyTorch's weighted mean divides by the sum of the weights, not by the number of pixels.
        values = ops.sum(nll * counts, axis=(1, 2))
        if self.over_all:
            return values / ops.cast(ops.shape(nll)[1] * ops.shape(nll)[2], "float32")
        return _shared(values, ops.sum(counts))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "over_all": self.over_all}


@keras.saving.register_keras_serializable("hrnet_keras")
class OhemCrossEntropy(PixelLoss):
    """Online hard example mining: the mean of the weighted cross entropy over the pixels that the net is unsure of.

    Kept are pixels whose probability of the true class lies strictly below max(`threshold`, the `min_kept`-th smallest
    of the batch, counted from 0); the mean is not divided by the class weights.

    Args:
        threshold: probability below which a pixel is hard.
        min_kept: about so many pixels are kept at least.
        ignore_label, class_weights, align_corners: see `PixelLoss`.

    Source: `OhemCrossEntropy` of the official segmentation repository; where it keeps no pixel its mean is undefined,
    here it is 0.
    """

    def __init__(self, *, threshold=0.9, min_kept=131072, name="ohem", **kwargs):
        super().__init__(name=name, **kwargs)
        self.threshold = threshold
        self.min_kept = min_kept

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits, labels, counts = self._at_label_size(y_true, y_pred)
        nll = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        # Ignored pixels come last and are never kept.
        probability = ops.where(counts > 0, ops.exp(-nll), 2.0)
        flat = ops.stop_gradient(ops.reshape(probability, (-1,)))
        # The official code takes element `min(min_kept, n - 1)` of the n sorted pixels that count.
        last = ops.maximum(ops.cast(ops.sum(counts), "int32") - 1, 0)
        count = ops.minimum(self.min_kept + 1, ops.shape(flat)[0])
        smallest = -ops.top_k(-flat, count)[0]
        threshold = ops.maximum(ops.take(smallest, ops.minimum(self.min_kept, last)), self.threshold)
        # Strictly below: a pixel at the threshold is not learned from, as officially.
        kept = counts * ops.cast(probability < threshold, "float32")
        return _shared(ops.sum(nll * kept * self._weights(labels), axis=(1, 2)), ops.sum(kept))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold, "min_kept": self.min_kept}


keras.saving.get_custom_objects()["hrnet_keras>HardPixels"] = OhemCrossEntropy  # its name in files of version 0.1


@keras.saving.register_keras_serializable("hrnet_keras")
class Dice(PixelLoss):
    """1 - the Dice coefficient of every class over the batch, averaged over classes: `keras.losses.Dice` on softmax.

    Args:
        ignore_label, class_weights, align_corners: see `PixelLoss`; weighted classes count so much in the average.
    """

    def __init__(self, *, name="dice", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits, labels, counts = self._at_label_size(y_true, y_pred)
        classes = logits.shape[-1]
        found = ops.softmax(logits) * counts[..., None]
        truth = ops.one_hot(labels, classes) * counts[..., None]
        values = keras.losses.Dice(axis=(0, 1, 2), reduction=None)(truth, found)
        weights = np.asarray(self.class_weights or [1.0] * classes, np.float32)
        value = ops.sum(values * (weights / weights.sum()))
        return ops.repeat(ops.reshape(value, (1,)), ops.shape(y_true)[0])


@keras.saving.register_keras_serializable("hrnet_keras")
class Lovasz(PixelLoss):
    """The Lovász-Softmax loss, a surrogate of the mean IoU over the classes present in the batch.

    Errors of a class (1 - p where it is true, p where it is not) are sorted downwards and weighted by how much each
    adds to the Jaccard loss.

    Args:
        ignore_label, class_weights, align_corners: see `PixelLoss`; weighted classes count so much in the average.

    Source: Berman, Triki and Blaschko, arXiv:1705.08790, sections 2 and 3; no kept Keras package has it.
    """

    def __init__(self, *, name="lovasz", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits, labels, counts = self._at_label_size(y_true, y_pred)
        classes = logits.shape[-1]
        counts = ops.reshape(counts, (-1, 1))
        probability = ops.reshape(ops.softmax(logits), (-1, classes))
        truth = ops.one_hot(ops.reshape(labels, (-1,)), classes) * counts
        # 0 for ignored pixels: they sort last and add nothing.
        errors = ops.abs(truth - probability) * counts
        order = ops.argsort(-ops.stop_gradient(errors), axis=0)
        errors = ops.take_along_axis(errors, order, axis=0)
        truth = ops.take_along_axis(truth, order, axis=0)
        counted = ops.take_along_axis(ops.broadcast_to(counts, ops.shape(probability)), order, axis=0)
        total = ops.sum(truth, axis=0, keepdims=True)
        missed = ops.cumsum(truth, axis=0)
        wrong = ops.cumsum(counted - truth, axis=0)
        # Algorithm 1 of arXiv:1705.08790: the Jaccard loss of the first n errors, and its differences.
        jaccard = 1 - (total - missed) / ops.maximum(total + wrong, 1)
        steps = ops.concatenate([jaccard[:1], jaccard[1:] - jaccard[:-1]], axis=0)
        values = ops.sum(errors * ops.stop_gradient(steps), axis=0)
        weights = np.asarray(self.class_weights or [1.0] * classes, np.float32) * ops.cast(total[0] > 0, "float32")
        value = ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1e-12)
        return ops.repeat(ops.reshape(value, (1,)), ops.shape(y_true)[0])


LOSSES = {"cross_entropy": CrossEntropy, "ohem": OhemCrossEntropy, "dice": Dice, "lovasz": Lovasz}
AUXILIARY = "aux_head.3"  # the layer whose logits, of soft object regions, the OCR nets are also trained on


def objective(loss: Loss, model: ModelInfo, data: DatasetInfo) -> Objective:
    """What a segmentation model learns from.

    Args:
        loss: what the recipe says of it.
        model: info of the model: how it resizes; one with the head of OCR also learns from its auxiliary logits.
        data: info of the data set: `ignore_label`, `class_weights`.

    Returns:
        The objective of logits and label maps `(batch, height, width)`.

    Raises:
        ValueError: there is no such loss.
    """
    if loss.name not in LOSSES:
        raise ValueError(f"loss.name={loss.name!r}: segmentation is trained on {', '.join(map(repr, LOSSES))}")
    options: dict[str, Any] = {"ignore_label": data.ignore_label, "reduction": "none"}
    options["align_corners"] = bool(model.align_corners)
    if loss.class_weights:
        options["class_weights"] = data.class_weights
    hard = {}
    if loss.name == "ohem":
        hard = {"threshold": loss.ohem_threshold, "min_kept": loss.ohem_min_kept}
    main = LOSSES[loss.name](**options, **hard)
    if model.head != "ocr":
        return objective_of(main)
    auxiliary = CrossEntropy(**options, over_all=loss.name == "ohem", name="auxiliary")

    def losses(outputs: dict[str, Any], label_maps: Any) -> dict[str, Any]:
        return {
            main.name: main(label_maps, outputs[OWN_OUTPUT]),
            auxiliary.name: auxiliary(label_maps, outputs["regions"]),
        }

    return Objective(losses, {main.name: 1.0, auxiliary.name: loss.auxiliary_weight}, {"regions": AUXILIARY})


def _shared(values: Any, total: Any) -> Any:
    """Sums per example -> values whose mean over the batch is the sum of all over `total`; 0 where nothing counts."""
    batch = ops.cast(ops.shape(values)[0], "float32")
    return values * (batch / ops.maximum(total, 1e-12))

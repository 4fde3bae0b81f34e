"""Pixel-wise cross entropy as the official training computes it: ignored pixels left out, classes weighted."""

import keras
import numpy as np
from keras import ops

from hrnet_keras.layers.resizing import resize_bilinear


@keras.saving.register_keras_serializable("hrnet_keras")
class CrossEntropy(keras.losses.Loss):
    """Weighted mean of the pixels' cross entropy: sum(w[t] * nll) / sum(w[t]) over the pixels that count.

    The mean is over the pixels of the replica's batch, as each GPU of the official training takes it, and is handed to
    Keras as one value per example whose mean it is.

    Args:
        ignore_label: id of pixels that are left out.
        class_weights: a weight per class, or `None` for equal ones.
        align_corners: how logits of another size than the label map are resized to it.

    Input: `y_true` class ids `(batch, height, width)`; `y_pred` logits `(batch, any, any, classes)`, resized
    bilinearly to the label map first.
    Output: `(batch,)`.

    Source: the cross entropy of the official segmentation repository (class weights of Cityscapes: its dataset file).
    """

    def __init__(self, *, ignore_label=255, class_weights=None, align_corners=False, name="cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.ignore_label = ignore_label
        self.class_weights = None if class_weights is None else [float(weight) for weight in class_weights]
        self.align_corners = align_corners

    def call(self, y_true, y_pred):
        logits = resize_bilinear(ops.cast(y_pred, "float32"), ops.shape(y_true)[1:3], align_corners=self.align_corners)
        counts = ops.cast(ops.not_equal(y_true, self.ignore_label), "float32")
        labels = ops.where(ops.equal(y_true, self.ignore_label), ops.zeros_like(y_true), y_true)
        labels = ops.cast(labels, "int32")
        nll = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if self.class_weights is not None:
            counts = counts * ops.take(ops.convert_to_tensor(np.float32(self.class_weights)), labels)
        total = ops.maximum(ops.sum(counts), 1e-12)  # a batch without a counted pixel costs nothing
        batch = ops.cast(ops.shape(y_true)[0], "float32")
        return ops.sum(nll * counts, axis=(1, 2)) * (batch / total)

    def get_config(self):
        return {
            **super().get_config(),
            "ignore_label": self.ignore_label,
            "class_weights": self.class_weights,
            "align_corners": self.align_corners,
        }

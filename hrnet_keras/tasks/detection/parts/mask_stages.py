"""Mask heads in a row: one per stage of a cascade, whose answers are averaged (arXiv:1906.09756, section 5)."""

from typing import Any

import keras
from keras import KerasTensor, ops

from hrnet_keras.tasks.detection.parts import cascade, mask_head
from hrnet_keras.tasks.detection.parts.stages import MaskProbabilities, Stage

NAMES = tuple(f"{mask_head.NAME}.{k}" for k in range(len(cascade.STAGES)))
HEADS = ("mean", "last")
LAYER = "masks"


@keras.saving.register_keras_serializable("hrnet_keras")
class MaskOfHeads(Stage):
    """One mask from those of several heads.

    Args:
        heads: `"mean"` of all of them, or that of the `"last"`.

    Input: a list of `(batch, n, height, width)`. Output: one of them.
    """

    def __init__(self, *, heads="mean", **kwargs):
        super().__init__(**kwargs)
        if heads not in HEADS:
            raise ValueError(f"heads={heads!r}: expected one of {', '.join(map(repr, HEADS))}")
        self.heads = heads

    def call(self, inputs):
        if self.heads == "last":
            return inputs[-1]
        return ops.mean(ops.stack(inputs), axis=0)

    def compute_output_spec(self, inputs):
        return KerasTensor(inputs[-1].shape)

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}


def masks_of_heads(all_logits: list[Any], labels: Any, *, v1: bool) -> Any:
    """The masks of a functional model's detections, the mean of all heads' probabilities.

    Args:
        all_logits: `(batch * n, height, width, masks)` of every head.
        labels: of the detections, `(batch, n)`.
        v1: mask 0 is the background's.

    Returns:
        `(batch, n, height, width)`.

    Source: `merge_aug_masks` of mmdet 3.3.0, as `roi_heads/cascade_roi_head.py` uses it.
    """
    masks = []
    for k, logits in enumerate(all_logits):
        probabilities = MaskProbabilities(first=int(v1), name=f"mask_probabilities.{k}")
        masks.append(probabilities(logits=logits, labels=labels))
    return MaskOfHeads(name=LAYER)(masks)


def take_masks_of(model: keras.Model, heads: str) -> None:
    """Says from which heads a cascade's masks come; the model keeps it when it is saved.

    Args:
        model: of framework `"cascade_mask_rcnn"` or `"htc"`.
        heads: `"mean"` of all of them, as published; `"last"`: the last one alone, as HTC of mmdet 3 has it.

    Raises:
        ValueError: no such heads, or a model without them.

    Source: `HybridTaskCascadeRoIHead.predict_mask` of mmdet 3.3.0 and of mmdet 2.
    """
    if heads not in HEADS:
        raise ValueError(f"heads={heads!r}: expected one of {', '.join(map(repr, HEADS))}")
    layers = [layer for layer in model.layers if isinstance(layer, MaskOfHeads)]
    if not layers:
        raise ValueError(f"{model.name} has no masks of several heads: expected a cascade with masks")
    layers[0].heads = heads
    model.make_predict_function(force=True)  # what was compiled before has the other

"""The mask head's objective (arXiv:1703.06870, section 3): binary cross entropy on the mask of the object's class."""

from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.mask_head import masks_of_classes


def mask_loss(logits: Any, targets: Any, labels: Any) -> Any:
    """Mean binary cross entropy over each box's grid.

    Args:
        logits: `(boxes, height, width, num_classes)`.
        targets: 0 to 1, `(boxes, height, width)`.
        labels: class ids, int32 `(boxes,)`; 0 for all where all classes share one mask.

    Returns:
        float32 `(boxes,)`; zero where the label is none of the classes. The reference's loss is the sum over positives,
        divided by their number: take others out by such a label or by a weight.

    Source: `FCNMaskHead.loss_and_target` and `mask_cross_entropy` of mmdet 3.3.0.
    """
    is_class = ops.cast((labels >= 0) & (labels < logits.shape[-1]), "float32")
    logits = masks_of_classes(ops.cast(logits, "float32"), labels)
    targets = ops.cast(targets, "float32")
    values = ops.maximum(logits, 0.0) - logits * targets + ops.log1p(ops.exp(-ops.abs(logits)))
    return ops.mean(values, axis=(1, 2)) * is_class

"""The mask head: a small fully convolutional network over every box's features (arXiv:1703.06870, figure 4, right)."""

from typing import Any

from keras import ops
from keras.initializers import VarianceScaling

from hrnet_keras.layers import Conv2D
from hrnet_keras.tasks.detection.parts.roi_layers import Conv2DTranspose

NUM_CONVS = 4


def build_mask_head(
    features: Any, *, num_classes: int, class_agnostic: bool = False, name: str = "roi_head.mask_head"
) -> Any:
    """Builds the head for a functional model.

    Args:
        features: of every box, `(boxes, 14, 14, channels)`.
        num_classes: without the background.
        class_agnostic: whether all classes share one mask.
        name: what the layers' names begin with; they are mmdet's: `convs.0.conv` to `convs.3.conv`, `upsample`,
            `conv_logits`.

    Returns:
        Mask logits `(boxes, 28, 28, num_classes)`, one channel if class-agnostic. float32.

    Source: `FCNMaskHead` of mmdet 3.3.0; initial weights Kaiming normal by outputs (arXiv:1502.01852).
    """
    channels = features.shape[-1]
    x = features
    for i in range(NUM_CONVS):
        x = Conv2D(channels, 3, activation="relu", kernel_initializer=_kaiming(), name=f"{name}.convs.{i}.conv")(x)
    upsample = Conv2DTranspose(
        channels, 2, strides=2, activation="relu", kernel_initializer=_kaiming(), name=f"{name}.upsample"
    )
    num_masks = 1 if class_agnostic else num_classes
    logits = Conv2D(num_masks, 1, kernel_initializer=_kaiming(), dtype="float32", name=f"{name}.conv_logits")
    return logits(upsample(x))


def masks_of_classes(logits: Any, labels: Any) -> Any:
    """Picks every box's mask of its class.

    Args:
        logits: `(boxes, height, width, num_classes)`.
        labels: class ids, int32 `(boxes,)`.

    Returns:
        `(boxes, height, width)`; zeros where the label is none of the classes.
    """
    chosen = ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return ops.sum(logits * chosen[:, None, None, :], axis=-1)


def _kaiming():
    """A new object per layer, as one draws the same numbers every time."""
    return VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")

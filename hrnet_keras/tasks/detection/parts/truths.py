"""The annotated objects of a batch, padded."""

from dataclasses import dataclass
from typing import Any

from keras import ops

PADDING = -1  # the label of a row that is no object


@dataclass(frozen=True)
class Truths:
    """What a batch's pictures show.

    Attributes:
        boxes: float32 `(batch, m, 4)`, xyxy in pixels of the input.
        labels: int32 `(batch, m)` from 0; `PADDING` for padding, which stands at the end.
        valid: bool `(batch, m)`: no padding.
        sizes: float32 `(batch, 2)`, height and width of the pictures without their padding.
        masks: `(batch, m, height, width)`, 0 or 1, where they are learnt.
        semantic: a class for every pixel, whole numbers `(batch, height, width)`, 255: none; where they are learnt.
    """

    boxes: Any
    labels: Any
    valid: Any
    sizes: Any
    masks: Any = None
    semantic: Any = None

    @classmethod
    def of(cls, targets: dict[str, Any], sizes: Any, *, v1: bool = False) -> "Truths":
        """Those of a training stream's targets (`boxes`, `labels` and perhaps `masks` and `semantic`).

        Args:
            targets: of the stream.
            sizes: of the pictures, without padding.
            v1: the last pixel belongs to a box: its right and bottom edges are one less.
        """
        boxes = ops.cast(targets["boxes"], "float32")
        labels = ops.cast(targets["labels"], "int32")
        if v1:
            boxes = boxes - ops.convert_to_tensor([0.0, 0.0, 1.0, 1.0])
        maps = targets.get("masks"), targets.get("semantic")
        return cls(boxes, labels, labels > PADDING, ops.cast(sizes, "float32"), *maps)

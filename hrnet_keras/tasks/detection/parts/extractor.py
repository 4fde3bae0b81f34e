"""What the heads see of a box: its part of the pyramid, on a grid."""

from dataclasses import dataclass
from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.roi_samples import RoiSampling
from hrnet_keras.tasks.detection.parts.stages import STRIDES, RoiFeatures

SEMANTIC_SIZE = 14  # bins that the semantic branch's features are taken in
SEMANTIC_STRIDE = 8


@dataclass(frozen=True)
class Extractor:
    """Boxes `(batch, n, 4)` -> features `(batch * n, size, size, channels)`, from the level that fits each box.

    Attributes:
        pyramid: of five levels, of which the coarsest is not looked at.
        size: bins along each axis.
        sampling: of RoIAlign.
    """

    pyramid: list[Any]
    size: int
    sampling: RoiSampling

    def __call__(self, boxes: Any, name: str | None = None) -> Any:
        layer = RoiFeatures(self.size, self.sampling, name=name)
        return layer(self.pyramid[: len(STRIDES)], boxes)


@dataclass(frozen=True)
class FusedExtractor:
    """The same with a semantic branch's features of the box added (arXiv:1901.07518, section 3.1).

    Attributes:
        pyramid: of five levels.
        semantic: features `(batch, height, width, channels)` of stride 8.
        size: bins along each axis, `SEMANTIC_SIZE` or half of it.
        sampling: of RoIAlign.
    """

    pyramid: list[Any]
    semantic: Any
    size: int
    sampling: RoiSampling

    def __call__(self, boxes: Any, name: str | None = None) -> Any:
        features = Extractor(self.pyramid, self.size, self.sampling)(boxes, name=name)
        layer = RoiFeatures(
            SEMANTIC_SIZE, self.sampling, strides=(SEMANTIC_STRIDE,), name=None if name is None else f"{name}.semantic"
        )
        of_semantic = layer([self.semantic], boxes)
        if self.size != SEMANTIC_SIZE:
            side = SEMANTIC_SIZE // self.size
            # Keras 3.15 on JAX fails where the strides are left to their default.
            of_semantic = ops.average_pool(of_semantic, side, strides=side, data_format="channels_last")
        return features + of_semantic

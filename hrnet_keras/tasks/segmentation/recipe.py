"""What a recipe may say of segmentation alone: how pictures are changed, and what is minimised."""

from dataclasses import dataclass, field
from typing import Any, Literal

from hrnet_keras.ranges import above_zero, probability, zero_or_more


@dataclass(frozen=True)
class Augment:
    """How the training changes pictures and label maps.

    Args:
        crop: height and width of the training crops.
        scale: lowest and highest random scale; null for none.
        scale_step: steps between the scales (0.1 in the official recipes); null for any.
        base_size: long side of a picture at scale 1; null for its own.
        flip: probability of a horizontal flip.
        brightness: largest change of brightness, in grey levels.
        contrast: largest relative change of contrast.
        saturation: largest relative change of saturation.
    """

    crop: tuple[int, int] = field(default=(512, 1024), metadata={"parts": "height, width"})
    scale: tuple[float, float] | None = field(default=(0.5, 2.1), metadata={"parts": "lowest, highest"})
    scale_step: float | None = 0.1
    base_size: int | None = None
    flip: float = 0.5
    brightness: int = 0
    contrast: float = 0.0
    saturation: float = 0.0

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range."""
        above_zero(crop=min(self.crop), base_size=self.base_size, scale_step=self.scale_step)
        zero_or_more(brightness=self.brightness, contrast=self.contrast, saturation=self.saturation)
        probability(flip=self.flip)
        if self.scale is None:
            return
        above_zero(scale=min(self.scale))
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale: expected lowest before highest, given {list(self.scale)}")

    def export_metadata(self) -> dict[str, Any]:
        """The fields of `ModelInfo` that a model trained so has: none, it takes pictures of any size."""
        return {}


@dataclass(frozen=True)
class Loss:
    """What is minimised.

    Args:
        name: `cross_entropy`, `ohem` (of the hard pixels), `dice` or `lovasz`.
        ohem_threshold: probability of the true class below which a pixel is hard.
        ohem_min_kept: about so many pixels are kept at least.
        auxiliary_weight: of the loss of the OCR nets' auxiliary head.
        class_weights: use the data set's weights per class.
    """

    name: Literal["cross_entropy", "ohem", "dice", "lovasz"] = "cross_entropy"
    ohem_threshold: float = 0.9
    ohem_min_kept: int = 131072
    auxiliary_weight: float = 0.4
    class_weights: bool = True

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range."""
        probability(ohem_threshold=self.ohem_threshold)
        zero_or_more(ohem_min_kept=self.ohem_min_kept, auxiliary_weight=self.auxiliary_weight)

"""What a recipe may say of detection alone: how large pictures are shown and how they change, what is minimised."""

from dataclasses import dataclass, field
from typing import Any, Literal

from hrnet_keras.ranges import above_zero, probability

_LONG_SHORT = {"parts": "long, short"}


@dataclass(frozen=True)
class Augment:
    """How the training shows pictures and their boxes.

    Args:
        scale: what the long and the short side of a picture are resized to at most, its aspect ratio kept.
        scales: several such sizes, one of them drawn for every picture; empty: `scale` alone.
        scale_range: lowest and highest short side, drawn for every picture, with the long side of `scale`; null: that
            of `scale` alone.
        crop: height and width of a window near one of the boxes that is cut out of every resized picture; boxes whose
            middle lies outside leave with the rest; null: the whole picture.
        flip: probability of a horizontal flip.
        masks: takes the objects' masks along, for nets that learn them.
        semantic: takes maps of the class of every pixel along, for nets that learn them (htc).
    """

    scale: tuple[int, int] = field(default=(1333, 800), metadata=_LONG_SHORT)
    scales: list[tuple[int, int]] = field(default_factory=list, metadata=_LONG_SHORT)
    scale_range: tuple[int, int] | None = field(default=None, metadata={"parts": "lowest, highest"})
    crop: tuple[int, int] | None = field(default=None, metadata={"parts": "height, width"})
    flip: float = 0.5
    masks: bool = False
    semantic: bool = False

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range, or sizes are given in two ways."""
        for long, short in (self.scale, *self.scales):
            above_zero(scale=short)
            if long < short:
                raise ValueError(f"scale: expected the long side first, given {[long, short]}")
        if self.crop is not None:
            above_zero(crop=min(self.crop))
        probability(flip=self.flip)
        if self.scale_range is None:
            return
        lowest, highest = self.scale_range
        above_zero(scale_range=lowest)
        if lowest > highest:
            raise ValueError(f"scale_range: expected lowest before highest, given {[lowest, highest]}")
        if self.scales:
            raise ValueError(f"scale_range: expected it or scales, given {[lowest, highest]} beside {self.scales}")
        if highest > self.scale[0]:
            raise ValueError(f"scale_range: expected up to the long side of scale, {self.scale[0]}, given {highest}")

    def export_metadata(self) -> dict[str, Any]:
        """The fields of `ModelInfo` that a model trained so has: the sides at which it is shown pictures."""
        long, short = self.scale
        return {"input_size": (short, long)}


@dataclass(frozen=True)
class Loss:
    """What is minimised.

    Args:
        name: `framework`, the losses of the model's own framework.
        sampling: whether losses look at anchors and proposals drawn at random, as published, or at all of them.
        anchors: of a picture that are drawn; at most half of them belong to objects.
        regions: of a picture that are drawn for the heads; at most a quarter of them belong to objects.
        seed: of what is drawn.
    """

    name: Literal["framework"] = "framework"
    sampling: bool = True
    anchors: int = 256
    regions: int = 512
    seed: int = 0

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range."""
        above_zero(anchors=self.anchors, regions=self.regions)

"""What a recipe may say of points of any kind: how crops and heat maps are made, and what is minimised."""

from dataclasses import dataclass, field
from typing import Any, Literal

from hrnet_keras.ranges import above_zero, probability, zero_or_more

DEFAULT_CODECS = {"official": "official", "mmlab": "msra"}  # of every convention


@dataclass(frozen=True)
class KeypointAugment:
    """How the training cuts faces or persons out of pictures, and what their heat maps are.

    Args:
        input_size: height and width of the model's input.
        convention: whose crops, targets and random changes: `official` or `mmlab`.
        codec: how heat maps encode points: `official`, `msra`, `dark` or `udp`; null: `official` with the official
            convention, else `msra`.
        sigma: of the heat maps, in their pixels; null: 1.5 for faces, 2 for persons.
        scaling: largest relative change of a crop's size; null: that of the convention.
        rotation: degrees of the turns, as the convention draws them; null: that of the convention.
        flip: probability of a horizontal flip.
    """

    input_size: tuple[int, int] = field(default=(256, 256), metadata={"parts": "height, width"})
    convention: Literal["official", "mmlab"] = "official"
    codec: Literal["official", "msra", "dark", "udp"] | None = None
    sigma: float | None = None
    scaling: float | None = None
    rotation: float | None = None
    flip: float = 0.5

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range."""
        above_zero(input_size=min(self.input_size), sigma=self.sigma)
        zero_or_more(scaling=self.scaling, rotation=self.rotation)
        probability(flip=self.flip)

    def export_metadata(self) -> dict[str, Any]:
        """The fields of `ModelInfo` that a model trained so has."""
        return {
            "input_size": tuple(self.input_size),
            "convention": self.convention,
            "codec": self.codec or DEFAULT_CODECS[self.convention],
        }


@dataclass(frozen=True)
class KeypointLoss:
    """What is minimised.

    Args:
        name: `mse` (all maps count alike), `weighted_mse`, `adaptive_wing` or `ohkm` (of the hard points).
    """

    name: Literal["mse", "weighted_mse", "adaptive_wing", "ohkm"] = "mse"

    def check(self) -> None:
        """Nothing here has a range."""

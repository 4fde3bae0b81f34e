"""What a recipe may say of classification alone: how pictures are changed, and what is minimised."""

from dataclasses import dataclass, field
from typing import Any, Literal

from hrnet_keras.ranges import above_zero, probability


@dataclass(frozen=True)
class Augment:
    """How the training changes pictures.

    Args:
        input_size: height and width of the model's input.
        flip: probability of a horizontal flip.
    """

    input_size: tuple[int, int] = field(default=(224, 224), metadata={"parts": "height, width"})
    flip: float = 0.5

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range."""
        above_zero(input_size=min(self.input_size))
        probability(flip=self.flip)

    def export_metadata(self) -> dict[str, Any]:
        """The fields of `ModelInfo` that a model trained so has."""
        return {"input_size": tuple(self.input_size)}


@dataclass(frozen=True)
class Loss:
    """What is minimised.

    Args:
        name: of the loss.
    """

    name: Literal["cross_entropy"] = "cross_entropy"

    def check(self) -> None:
        """Nothing here has a range."""

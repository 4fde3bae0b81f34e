"""What a recipe may say of detectors."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Augment:
    """(stand-in)"""

    def check(self) -> None:
        """-"""

    def export_metadata(self) -> dict[str, Any]:
        """-"""
        return {}


@dataclass(frozen=True)
class Loss:
    """What is minimised.

    Args:
        name: the losses of the framework.
        sampling: whether losses look at anchors and proposals drawn at random, as published, or at all of them.
        seed: of the samples.
    """

    name: Literal["detection"] = "detection"
    sampling: bool = True
    seed: int = 0

    def check(self) -> None:
        """Nothing can be out of range."""

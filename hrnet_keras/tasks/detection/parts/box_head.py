"""The head that names and refines boxes: two shared fully connected layers (arXiv:1612.03144, section 4.2)."""

from dataclasses import dataclass
from typing import Any

import keras
from keras.initializers import GlorotUniform, RandomNormal

from hrnet_keras.layers import Dense, GridDense

NAME = "roi_head.bbox_head"  # what the layers' names begin with, as mmdet has it
BOX_SIZE = 7  # bins of a box's features


@dataclass(frozen=True)
class BoxHead:
    """Features of boxes -> class logits and deltas.

    Attributes:
        grid: over a box's whole grid of features, `shared_fcs.0`.
        shared: `shared_fcs.1`.
        classes: `fc_cls`.
        deltas: `fc_reg`.

    Source: `Shared2FCBBoxHead` of mmdet 3.3.0; initial weights: Xavier uniform; normal, 0.01 (classes) and 0.001.
    """

    grid: keras.Layer
    shared: keras.Layer
    classes: keras.Layer
    deltas: keras.Layer

    @classmethod
    def create(cls, *, num_outputs: int, num_boxes: int, units: int = 1024, name: str = NAME) -> "BoxHead":
        """A new head.

        Args:
            num_outputs: class logits, the background's included.
            num_boxes: boxes that are regressed: one per class, or 1 for all classes together.
            units: of the two shared layers.
            name: what the layers' names begin with.
        """
        few, fewer = RandomNormal(stddev=0.01), RandomNormal(stddev=0.001)
        options: dict[str, Any] = {"units": units, "activation": "relu"}
        return cls(
            GridDense(**options, kernel_initializer=GlorotUniform(), name=f"{name}.shared_fcs.0"),
            Dense(**options, kernel_initializer=GlorotUniform(), name=f"{name}.shared_fcs.1"),
            Dense(num_outputs, kernel_initializer=few, dtype="float32", name=f"{name}.fc_cls"),
            Dense(4 * num_boxes, kernel_initializer=fewer, dtype="float32", name=f"{name}.fc_reg"),
        )

    @classmethod
    def of(cls, model: keras.Model, *, name: str = NAME) -> "BoxHead":
        """The head that a model has."""
        return cls(
            *(model.get_layer(f"{name}.{part}") for part in ("shared_fcs.0", "shared_fcs.1", "fc_cls", "fc_reg"))
        )

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return [self.grid, self.shared, self.classes, self.deltas]

    def __call__(self, features: Any) -> tuple[Any, Any]:
        """Applies the head.

        Args:
            features: of every box, `(boxes, 7, 7, channels)`.

        Returns:
            Class logits `(boxes, num_outputs)` and deltas `(boxes, num_boxes * 4)`, class by class. Both float32.
        """
        x = self.shared(self.grid(features))
        return self.classes(x), self.deltas(x)

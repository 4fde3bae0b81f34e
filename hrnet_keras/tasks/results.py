"""What a model answers about one picture, in coordinates of that picture: a dataclass per kind of result."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from hrnet_keras.transforms import upright


@dataclass(frozen=True)
class Result:
    """One picture's result. Fields that are `None` were not asked for, or mean nothing there."""

    def to_dict(self) -> dict[str, Any]:
        """The fields that are not `None`, in the words of an example: what metrics, drawings and files are made of."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def turned(self, orientation: int, size: tuple[int, int]) -> Self:
        """The result about the picture turned by `transforms.upright.turned`, of `size` (height, width) before it."""
        del orientation, size
        return self


@dataclass(frozen=True)
class Classes(Result):
    """The most probable classes of a picture.

    Attributes:
        labels: class ids, best first, int32 `(5,)`, fewer where there are fewer classes.
        scores: their probabilities, float32 of the same shape.
    """

    labels: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class LabelMap(Result):
    """The class of every pixel.

    Attributes:
        label_map: class ids `(height, width)`, uint8 up to 255 classes, else int32.
        scores: probability of that class, float32 `(height, width)`, where it was asked for.
        shown_size: (height, width) at which the net saw the picture, where that is not its own size.
    """

    label_map: np.ndarray
    scores: np.ndarray | None = None
    shown_size: tuple[int, int] | None = None

    def turned(self, orientation: int, size: tuple[int, int]) -> Self:
        del size
        scores = self.scores
        if scores is not None:
            scores = upright.turned(scores, orientation)
        return replace(self, label_map=upright.turned(self.label_map, orientation), scores=scores)


@dataclass(frozen=True)
class Points(Result):
    """Points of the faces or persons of a picture.

    Attributes:
        points: float64 `(n, k, 2)` as (x, y) in pixels.
        scores: `(n, k)`, the height of the heat maps' peaks.
        boxes: float64 `(n, 4)` xyxy: of persons those that were given; of faces the squares that were cut last, without
            their padding.
        areas: of persons: square pixels of the crops `(n,)`.
        box_scores: `(n,)`, where the boxes were detected.
    """

    points: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray | None = None
    box_scores: np.ndarray | None = None

    def turned(self, orientation: int, size: tuple[int, int]) -> Self:
        if orientation == upright.STORED:
            return self
        points = upright.turned_points(self.points, orientation, size)
        return replace(self, points=points, boxes=upright.turned_boxes(self.boxes, orientation, size))

"""The points of a pyramid that a detector without anchors asks: what is here, and how far are its edges?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import corners

UNBOUNDED = 1e8  # pixels: the upper end of the coarsest level's range


@dataclass(frozen=True)
class PointRules:
    """What FCOS of a lineage does with its outputs.

    Attributes:
        v1: the last pixel belongs to a box: widths are `x2 - x1 + 1`, clipping goes to it.
        strides: of the levels.
        tower_biases: whether the convolutions of the towers have biases.
        by_product: whether a level's candidates are ranked by class score times centerness, not by class score alone.
        min_score: class scores of candidates are larger than this.
        num_before: candidates per level.
        threshold: intersection over union above which the worse of two boxes of a class goes.
        max_output: detections per picture.
        radius: points belong to a truth only within so many strides of its middle; `None`: in all of it.
        counts_pictures: whether pictures count beside positive points in what the loss of classes is divided by.
        smoothed: whether overlaps are learnt as `(intersection + 1) / (union + 1)`.
    """

    v1: bool = False
    strides: tuple[int, ...] = (8, 16, 32, 64, 128)
    tower_biases: bool = False
    by_product: bool = False
    min_score: float = 0.05
    num_before: int = 1000
    threshold: float = 0.5
    max_output: int = 100
    radius: float | None = None
    counts_pictures: bool = False
    smoothed: bool = False

    @property
    def ranges(self) -> list[tuple[float, float]]:
        """(lowest, highest) distance in pixels to the farthest edge of the truths that every level is for."""
        ends = [8.0 * stride for stride in self.strides[:-1]]
        return list(zip([-1.0, *ends], [*ends, UNBOUNDED], strict=True))

    def drawing(self, num_anchors: int, num_regions: int) -> "PointRules":
        """The same: the losses look at every point."""
        del num_anchors, num_regions
        return self


MMDET = PointRules()
OFFICIAL = PointRules(
    v1=True, tower_biases=True, by_product=True, threshold=0.6, counts_pictures=True, smoothed=True
)  # fmt: skip
BY_LINEAGE = {"mmlab": MMDET, "official": OFFICIAL}


def level_points(sizes: Sequence[tuple[Any, Any]], strides: Sequence[int]) -> list[Any]:
    """The middle of every cell of every level, float32 `(height * width, 2)` x, y in pixels; row by row.

    Args:
        sizes: `(height, width)` of every level.
        strides: of every level.

    Source: arXiv:1904.01355, section 3.1; mmdet 3.3.0 `prior_generators/point_generator.py`, offset 0.5.
    """
    points = []
    for (height, width), stride in zip(sizes, strides, strict=True):
        rows = (ops.cast(ops.arange(height), "float32") + 0.5) * stride
        columns = (ops.cast(ops.arange(width), "float32") + 0.5) * stride
        x, y = ops.meshgrid(columns, rows)
        points.append(ops.stack([ops.reshape(x, (-1,)), ops.reshape(y, (-1,))], axis=-1))
    return points


def distances_to(boxes: Any, points: Any) -> Any:
    """How far left, top, right and bottom edges of boxes `(..., 4)` are from points `(..., 2)`: `(..., 4)`, in pixels.

    All are positive for points inside. The two shapes broadcast.
    """
    left, top, right, bottom = corners(boxes)
    x, y = points[..., 0], points[..., 1]
    return ops.stack([x - left, y - top, right - x, bottom - y], axis=-1)


def boxes_around(points: Any, distances: Any) -> Any:
    """Boxes `(..., 4)` xyxy whose edges are so far from points `(..., 2)`; the way back of `distances_to`."""
    left, top, right, bottom = corners(distances)
    x, y = points[..., 0], points[..., 1]
    return ops.stack([x - left, y - top, x + right, y + bottom], axis=-1)


def centerness(distances: Any) -> Any:
    """How central points are in their boxes, `(...)` in 0..1, from positive distances `(..., 4)`.

    Source: arXiv:1904.01355, equation 3.
    """
    left, top, right, bottom = corners(distances)
    across = ops.minimum(left, right) / ops.maximum(left, right)
    along = ops.minimum(top, bottom) / ops.maximum(top, bottom)
    return ops.sqrt(across * along)

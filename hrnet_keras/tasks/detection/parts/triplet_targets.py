"""What CenterNet learns from boxes: where corners and centres lie on its map, and how far spots around them reach."""

from typing import Any, NamedTuple

from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import clip, widths_heights
from hrnet_keras.tasks.detection.parts.truths import Truths

SPREAD = {"tl": 6.0, "br": 6.0, "ct": 5.0}  # of a spot's diameter: one standard deviation


class Spots(NamedTuple):
    """Points of every truth on a map.

    Attributes:
        cells: `{"tl", "br" or "ct": int32 (batch, m, 2)}`, x and y.
        offsets: the same of float32: what the cells lack of the points.
        radii: float32 `(batch, m)`, whole cells.
        valid: bool `(batch, m)`.
    """

    cells: dict[str, Any]
    offsets: dict[str, Any]
    radii: Any
    valid: Any


def spots_of(truths: Truths, stride: int, overlap: float) -> Spots:
    """Where the corners and centres of a batch's truths lie.

    Args:
        truths: of the batch; boxes are cut at the last pixel of their picture, and those without area left out.
        stride: of the map.
        overlap: as in `spot_radius`.
    """
    boxes = clip(truths.boxes, truths.sizes, plus_one=True)
    width, height = widths_heights(boxes)
    valid = ops.logical_and(truths.valid, ops.logical_and(width > 0, height > 0))
    radii = spot_radius(ops.ceil(width / stride), ops.ceil(height / stride), overlap)
    first, last = boxes[..., :2], boxes[..., 2:]
    points = {"tl": first / stride, "br": last / stride, "ct": (first + last) / (2 * stride)}
    cells = {word: ops.cast(ops.floor(point), "int32") for word, point in points.items()}
    offsets = {word: point - ops.floor(point) for word, point in points.items()}
    return Spots(cells, offsets, ops.where(valid, radii, 0.0), valid)


def spot_radius(width: Any, height: Any, overlap: float) -> Any:
    """How far corners may move for the box to overlap itself so much still, in whole cells.

    Args:
        width, height: of boxes, in cells.
        overlap: intersection over union.

    Source: `gaussian_radius` of CornerNet's code (arXiv:1808.01244, section 3.2), whose roots are all half of
        `b + sqrt(b^2 - 4ac)`, whatever `a` is.
    """
    around = width + height
    area = width * height
    cases = (
        (1.0, around, area * (1 - overlap) / (1 + overlap)),
        (4.0, 2 * around, (1 - overlap) * area),
        (4 * overlap, -2 * overlap * around, (overlap - 1) * area),
    )
    roots = [(b + ops.sqrt(ops.maximum(b * b - 4 * a * c, 0.0))) / 2 for a, b, c in cases]
    smallest = ops.minimum(ops.minimum(roots[0], roots[1]), roots[2])
    return ops.maximum(ops.floor(smallest), 0.0)


def heat_maps(cells: Any, radii: Any, labels: Any, valid: Any, size: tuple[Any, Any], count: int, part: float) -> Any:
    """Heat maps with a spot around every point, the higher value where two meet.

    Args:
        cells: int32 `(batch, m, 2)`, x and y.
        radii: `(batch, m)`: a spot ends there.
        labels: int32 `(batch, m)`.
        valid: bool `(batch, m)`.
        size: `(height, width)` of the maps.
        count: of classes.
        part: of a spot's diameter that is one standard deviation is 1 of so many.

    Returns:
        float32 `(batch, height, width, count)` in 0..1, 1 at the points.
    """
    batch, objects = ops.shape(labels)
    height, width = size
    deviations = (2 * radii + 1)[..., None] / part
    column = _bump(cells[..., 0], width, radii, deviations)
    row = _bump(cells[..., 1], height, radii, deviations)
    row = row * ops.cast(valid, "float32")[..., None]
    spots = ops.reshape(row[..., :, None] * column[..., None, :], (batch * objects, height * width))
    picture = ops.cast(ops.arange(batch), "int32")[:, None]
    maps = ops.reshape(picture * count + ops.maximum(labels, 0), (-1,))
    highest = ops.maximum(ops.segment_max(spots, maps, num_segments=batch * count), 0.0)
    return ops.transpose(ops.reshape(highest, (batch, count, height, width)), (0, 2, 3, 1))


def _bump(places: Any, length: Any, radii: Any, deviations: Any) -> Any:
    """A Gaussian along an axis `(batch, m, length)`, 0 farther away than the radius."""
    away = ops.cast(ops.cast(ops.arange(length), "int32") - places[..., None], "float32")
    heights = ops.exp(-ops.square(away) / (2 * ops.square(deviations)))
    return ops.where(ops.abs(away) <= radii[..., None], heights, 0.0)

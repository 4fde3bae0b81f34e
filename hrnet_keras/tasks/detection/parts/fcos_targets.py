"""Which truth every point of FCOS learns from: the smallest that it lies in, on the level for such distances."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from keras import ops

from hrnet_keras.tasks.detection.parts.assigner import last_valid, of_truths
from hrnet_keras.tasks.detection.parts.boxes import areas, corners
from hrnet_keras.tasks.detection.parts.points import PointRules, distances_to
from hrnet_keras.tasks.detection.parts.truths import Truths


class PointTargets(NamedTuple):
    """What every point learns.

    Attributes:
        truths: int32 `(batch, n)`: 0 for background, `i + 1` for truth `i`.
        labels: int32 `(batch, n)`; anything for background.
        distances: float32 `(batch, n, 4)` to the truth's edges; ones for background.
    """

    truths: Any
    labels: Any
    distances: Any


def point_targets(points: Sequence[Any], truths: Truths, rules: PointRules) -> PointTargets:
    """Gives every point a truth or the background.

    A point belongs to the truths that it lies in (or in whose middle part, by `rules.radius`) and whose farthest edge
    is as far away as its level is for, both ends included; of several the smallest one, of equal ones the first.

    Args:
        points: of every level, as `level_points` gives them.
        truths: of the batch.
        rules: strides, ranges and radius.

    Source: arXiv:1904.01355, section 3.2; mmdet 3.3.0 `dense_heads/fcos_head.py`, `_get_targets_single`.
    """
    counts = [ops.shape(level)[0] for level in points]
    lowest, highest = (_of_points(counts, ends) for ends in zip(*rules.ranges, strict=True))
    reaches = None
    if rules.radius is not None:
        reaches = rules.radius * _of_points(counts, [float(stride) for stride in rules.strides])
    places = ops.concatenate(list(points), axis=0)[None]
    boxes = ops.stop_gradient(truths.boxes)
    sizes = areas(boxes, plus_one=rules.v1)
    shape = (ops.shape(boxes)[0], ops.shape(places)[1])

    def step(i, found):
        smallest, nearest = found
        index = ops.cast(i, "int32")
        box = ops.take(boxes, index, axis=1)[:, None]
        distances = distances_to(box, places)
        farthest = ops.max(distances, axis=-1)
        allowed = ops.logical_and(farthest >= lowest, farthest <= highest)
        allowed = ops.logical_and(allowed, _is_inside(distances, box, places, reaches))
        allowed = ops.logical_and(allowed, ops.take(truths.valid, index, axis=1)[:, None])
        size = ops.take(sizes, index, axis=1)[:, None]
        is_smaller = ops.logical_and(allowed, size < smallest)
        return ops.where(is_smaller, size, smallest), ops.where(is_smaller, index + 1, nearest)

    start = (ops.full(shape, UNCLAIMED), ops.zeros(shape, "int32"))
    _, nearest = ops.fori_loop(ops.cast(0, "int32"), last_valid(truths.valid), step, start)
    distances = distances_to(of_truths(boxes, nearest), places)
    distances = ops.where((nearest > 0)[..., None], distances, 1.0)
    return PointTargets(nearest, of_truths(truths.labels, nearest), distances)


UNCLAIMED = 1e30  # larger than any truth


def _of_points(counts: Sequence[Any], values: Sequence[float]) -> Any:
    """A value per level as one per point, `(n,)`."""
    return ops.concatenate([ops.full((count,), value) for count, value in zip(counts, values, strict=True)], axis=0)


def _is_inside(distances: Any, box: Any, places: Any, reaches: Any) -> Any:
    """Whether points lie in a box, or within `reaches` of its middle, bool `(batch, n)`."""
    if reaches is None:
        return ops.min(distances, axis=-1) > 0
    left, top, right, bottom = corners(box)
    x, y = (left + right) / 2, (top + bottom) / 2
    middle = ops.stack([
        ops.maximum(x - reaches, left), ops.maximum(y - reaches, top),
        ops.minimum(x + reaches, right), ops.minimum(y + reaches, bottom),
    ], axis=-1)  # fmt: skip
    return ops.min(distances_to(middle, places), axis=-1) > 0

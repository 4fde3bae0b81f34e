"""From heat maps of corners and centres to boxes: pairs of corners whose middle holds a centre of their class."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import keras
from keras import ops

from hrnet_keras.tasks.detection.parts.boxes import areas, clip, corners
from hrnet_keras.tasks.detection.parts.detections import Detections
from hrnet_keras.tasks.detection.parts.selecting import best, rows, where_valid
from hrnet_keras.tasks.detection.parts.soft_nms import soft_nms
from hrnet_keras.tasks.detection.parts.stages import Stage, detections_spec, named_detections


@dataclass(frozen=True)
class TripletRules:
    """What CenterNet does with its outputs.

    Attributes:
        strides: of the map, the only one.
        num_points: corners of either kind, and centres, that are looked at in a picture.
        max_distance: of the tags of two corners of a box.
        num_pairs: boxes before centres are looked for.
        large: square pixels from which on the middle of a box is a fifth of its sides, not a third.
        max_output: detections per picture.
        overlap: that a box has with an object while its corners are as far away as a heat map's spot reaches.
        v1: boxes end behind their last pixel.
    """

    strides: tuple[int, ...] = (4,)
    num_points: int = 70
    max_distance: float = 0.5
    num_pairs: int = 1000
    large: float = 150.0**2
    max_output: int = 100
    overlap: float = 0.7
    v1: bool = False

    def drawing(self, num_anchors: int, num_regions: int) -> "TripletRules":
        """The same: the losses look at every pixel."""
        del num_anchors, num_regions
        return self


class Points(NamedTuple):
    """The highest peaks of heat maps, best first.

    Attributes:
        scores: `(batch, k)` in 0..1.
        labels: int32 `(batch, k)`.
        places: `(batch, k, 2)`, x and y in cells of the map.
        tags: `(batch, k)`; of centres zeros.
    """

    scores: Any
    labels: Any
    places: Any
    tags: Any


class Pairs(NamedTuple):
    """Boxes between corners, best first.

    Attributes:
        boxes: `(batch, n, 4)` xyxy.
        scores: `(batch, n)` in 0..1; -1 where there is no box.
        labels: int32 `(batch, n)`.
    """

    boxes: Any
    scores: Any
    labels: Any


def peaks(heat: Any, offsets: Any, count: int, tags: Any = None) -> Points:
    """The highest pixels that are the largest of their 3x3 neighbourhood.

    Args:
        heat: logits `(batch, height, width, classes)`.
        offsets: `(batch, height, width, 2)`, what is added to a pixel's x and y.
        count: of peaks, over all classes.
        tags: `(batch, height, width, 1)`.
    """
    heat = ops.sigmoid(ops.stop_gradient(ops.cast(heat, "float32")))
    batch, height, width, num_classes = ops.shape(heat)
    around = ops.max_pool(heat, 3, strides=1, padding="same")
    heat = ops.where(around == heat, heat, 0.0)
    found = best(ops.reshape(heat, (batch, height * width * num_classes)), count)
    pixels = found.indices // num_classes
    moved = rows(ops.reshape(offsets, (batch, height * width, 2)), pixels)
    cells = ops.stack([pixels % width, pixels // width], axis=-1)
    values = ops.zeros_like(found.values)
    if tags is not None:
        values = rows(ops.reshape(tags, (batch, height * width)), pixels)
    return Points(found.values, found.indices % num_classes, ops.cast(cells, "float32") + moved, values)


def pair(starts: Points, ends: Points, rules: TripletRules) -> Pairs:
    """Boxes from every top left corner to every bottom right one of its class that lies below and right of it.

    Args:
        starts, ends: the corners; their tags are alike where they belong together.
        rules: numbers and limits.
    """
    batch, count = ops.shape(starts.scores)
    shape = (batch, count, count, 2)
    first = ops.broadcast_to(starts.places[:, :, None], shape)
    second = ops.broadcast_to(ends.places[:, None], shape)
    boxes = ops.reshape(ops.concatenate([first, second], axis=-1), (batch, count * count, 4))
    scores = (starts.scores[:, :, None] + ends.scores[:, None]) / 2
    is_box = ops.all(second >= first, axis=-1)
    is_box = ops.logical_and(is_box, starts.labels[:, :, None] == ends.labels[:, None])
    distance = ops.abs(starts.tags[:, :, None] - ends.tags[:, None])
    is_box = ops.logical_and(is_box, distance <= rules.max_distance)
    scores = ops.reshape(ops.where(is_box, scores, -1.0), (batch, count * count))
    found = best(scores, rules.num_pairs)
    return Pairs(rows(boxes, found.indices), found.values, rows(starts.labels, found.indices // count))


def with_centers(pairs: Pairs, centers: Points, rules: TripletRules) -> Pairs:
    """The boxes in whose middle part a centre of their class lies; the best such centre joins their score.

    Args:
        pairs: in pixels.
        centers: in the same units.
        rules: what is large.
    """
    left, top, right, bottom = corners(pairs.boxes)
    part = ops.where(areas(pairs.boxes) <= rules.large, 1 / 6, 1 / 10)  # of the sides, around the middle
    x, y = (left + right) / 2, (top + bottom) / 2
    across, along = (right - left) * part, (bottom - top) * part
    off = ops.abs(centers.places[:, None] - ops.stack([x, y], axis=-1)[:, :, None])
    is_central = ops.logical_and(off[..., 0] < across[..., None], off[..., 1] < along[..., None])
    is_central = ops.logical_and(is_central, pairs.labels[:, :, None] == centers.labels[:, None])
    best_center = ops.max(ops.where(is_central, centers.scores[:, None], -1.0), axis=-1)
    is_kept = ops.logical_and(pairs.scores >= 0, best_center >= 0)
    return pairs._replace(scores=ops.where(is_kept, (2 * pairs.scores + best_center) / 3, -1.0))


def detect_triplets(outputs: dict[str, Any], sizes: Any, rules: TripletRules) -> Detections:
    """Detections from the outputs of the head.

    Args:
        outputs: as `triplet_head` gives them.
        sizes: `(batch, 2)`, height and width of each picture without padding, for clipping.
        rules: numbers and limits.

    Returns:
        `Detections`, whose `proposals` are places among the pairs.

    Source: arXiv:1904.08189, section 3; `test/coco.py` and `models/py_utils/kp_utils.py` of its code.
    """
    starts = peaks(outputs["tl_heat"], outputs["tl_regr"], rules.num_points, outputs["tl_tag"])
    ends = peaks(outputs["br_heat"], outputs["br_regr"], rules.num_points, outputs["br_tag"])
    centers = peaks(outputs["ct_heat"], outputs["ct_regr"], rules.num_points)
    (stride,) = rules.strides
    pairs = pair(starts, ends, rules)
    pairs = pairs._replace(boxes=pairs.boxes * stride)
    pairs = with_centers(pairs, centers._replace(places=centers.places * stride), rules)
    boxes = clip(pairs.boxes, sizes)
    kept = soft_nms(
        boxes, pairs.scores, pairs.scores > 0, groups=pairs.labels, max_output=rules.max_output, plus_one=True
    )
    return Detections(
        boxes=where_valid(kept.valid, rows(boxes, kept.indices)),
        scores=kept.scores,
        labels=rows(pairs.labels, kept.indices),
        valid=kept.valid,
        proposals=kept.indices,
    )


@keras.saving.register_keras_serializable("hrnet_keras")
class DetectTriplets(Stage):
    """`detect_triplets`.

    Args:
        rules: a `TripletRules`, or the dict of one.

    Input: `outputs` as `triplet_head` gives them, `sizes` `(batch, 2)`. Output: as `stages.Detect`.
    """

    def __init__(self, rules, **kwargs):
        super().__init__(**kwargs)
        self.rules = rules
        if not isinstance(rules, TripletRules):
            self.rules = TripletRules(**{**rules, "strides": tuple(rules["strides"])})

    def call(self, outputs, sizes):
        return named_detections(detect_triplets(outputs, sizes, self.rules))

    def compute_output_spec(self, outputs, sizes):
        return detections_spec(sizes.shape[0], self.rules.max_output)

    def get_config(self):
        return {**super().get_config(), "rules": asdict(self.rules)}

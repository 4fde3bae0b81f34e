"""Box heads in a row, each trained for better overlaps than the one before (arXiv:1712.00726, section 4)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import keras
from keras import KerasTensor, ops

from hrnet_keras.tasks.detection.parts import box_head
from hrnet_keras.tasks.detection.parts.box_head import BoxHead
from hrnet_keras.tasks.detection.parts.coder import ROI_STDS, decode
from hrnet_keras.tasks.detection.parts.proposals import Proposals
from hrnet_keras.tasks.detection.parts.regions import Regions, draw_regions, learn_boxes, region_sampler
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.sampler import Sampler
from hrnet_keras.tasks.detection.parts.selecting import where_valid
from hrnet_keras.tasks.detection.parts.stages import Detect, Stage
from hrnet_keras.tasks.detection.parts.truths import Truths


@dataclass(frozen=True)
class CascadeStage:
    """What one head of a cascade is trained for.

    Attributes:
        overlap: from this intersection over union on a region belongs to a truth.
        stds: of the deltas.
        weight: of the stage's losses.
    """

    overlap: float
    stds: tuple[float, float, float, float]
    weight: float


STAGES = (
    CascadeStage(0.5, ROI_STDS, 1.0),
    CascadeStage(0.6, (0.05, 0.05, 0.1, 0.1), 0.5),
    CascadeStage(0.7, (0.033, 0.033, 0.067, 0.067), 0.25),
)
NAMES = tuple(f"{box_head.NAME}.{k}" for k in range(len(STAGES)))


def losses_of(*parts: str) -> dict[str, float]:
    """`{name: weight}` of every stage's losses, as mmdet names them: `s0.loss_cls`, ..."""
    return {f"s{k}.loss_{part}": stage.weight for k, stage in enumerate(STAGES) for part in parts}


@keras.saving.register_keras_serializable("hrnet_keras")
class Refine(Stage):
    """Boxes moved as a head of a cascade says, and clipped to their pictures.

    Args:
        stds: of the deltas.
        v1: widths are `x2 - x1 + 1`.

    Input: `deltas` of all pictures' boxes in one row, `(batch * n, 4)`; `boxes` `(batch, n, 4)`; `sizes` `(batch, 2)`.
    Output: boxes `(batch, n, 4)`. No gradient passes.
    """

    def __init__(self, stds, *, v1=False, **kwargs):
        super().__init__(**kwargs)
        self.stds = tuple(stds)
        self.v1 = v1

    def call(self, deltas, boxes, sizes):
        deltas = ops.reshape(ops.cast(deltas, "float32"), ops.shape(boxes))
        moved = decode(boxes, deltas, stds=self.stds, sizes=sizes, plus_one=self.v1)
        return ops.stop_gradient(moved)

    def compute_output_spec(self, deltas, boxes, sizes):
        return KerasTensor(boxes.shape)

    def get_config(self):
        return {**super().get_config(), "stds": self.stds, "v1": self.v1}


def detect_boxes(
    features: Callable[..., Any], sizes: Any, proposals: dict[str, Any], count: int, rules: Rules
) -> dict[str, Any]:
    """The detections of a functional model, see `stages.Detect`.

    Args:
        features: gives those of boxes `(batch, n, 4)`, `(batch * n, 7, 7, channels)`; also takes a `name`.
        sizes: of the pictures without padding, `(batch, 2)`.
        proposals: as `propose_regions` gives them.
        count: of classes, without the background.
        rules: of the lineage.

    Source: mmdet 3.3.0 `roi_heads/cascade_roi_head.py`, `_refine_roi`: classes by the mean of all heads' logits.
    """
    boxes = proposals["boxes"]
    all_logits = []
    deltas = None
    for k, name in enumerate(NAMES):
        if deltas is not None:
            refine = Refine(STAGES[k - 1].stds, v1=rules.v1, name=f"refine.{k - 1}")
            boxes = refine(deltas=deltas, boxes=boxes, sizes=sizes)
        head = BoxHead.create(num_outputs=count + 1, num_boxes=1, name=name)
        logits, deltas = head(features(boxes, name=f"roi_features.box.{k}"))
        all_logits.append(logits)
    mean = keras.layers.Average(dtype="float32", name="mean_logits")(all_logits)
    detect = Detect(replace(rules.detection, stds=STAGES[-1].stds), name="detect")
    return detect(logits=mean, deltas=deltas, boxes=boxes, valid=proposals["valid"], sizes=sizes)


class Learnt(NamedTuple):
    """What a stage of a cascade leaves behind.

    Attributes:
        losses: `{name: (batch,)}`, see `parts.batch.per_example`.
        regions: that its head looked at.
        refined: these regions as the head moves them, without the truths' own.
    """

    losses: dict[str, Any]
    regions: Regions
    refined: Proposals


@dataclass(frozen=True)
class Cascade:
    """The trained box heads of a cascade, and how they learn.

    Attributes:
        heads: one per stage.
        rules: of the lineage.
        sampler: chooses the regions that the losses look at.
    """

    heads: tuple[BoxHead, ...]
    rules: Rules
    sampler: Sampler

    @classmethod
    def of(cls, model: keras.Model, rules: Rules, seed: Any) -> "Cascade":
        """Those of a model; arguments as of `Proposer.of`."""
        heads = tuple(BoxHead.of(model, name=name) for name in NAMES)
        return cls(heads, rules, region_sampler(rules, seed))

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return [layer for head in self.heads for layer in head.layers]

    def draw(self, k: int, proposals: Proposals, truths: Truths) -> Regions:
        """Regions of proposals as stage `k` trains on them."""
        overlap = STAGES[k].overlap
        rule = replace(self.rules.regions, positive=overlap, negative=overlap, min_positive=overlap)
        return draw_regions(proposals, truths, rule, self.sampler, v1=self.rules.v1)

    def learn(self, features: Callable[[Any], Any], proposals: Proposals, truths: Truths) -> Iterator[Learnt]:
        """Every stage of a batch, each on the regions that the one before has refined.

        Args:
            features: gives those of boxes `(batch, n, 4)`, `(batch * n, 7, 7, channels)`.
            proposals: of the batch.
            truths: of the batch.

        Source: mmdet 3.3.0 `roi_heads/cascade_roi_head.py`, `loss`, and `bbox_heads/bbox_head.py`, `refine_bboxes`.
        """
        rules = self.rules
        for k, (stage, head) in enumerate(zip(STAGES, self.heads, strict=True)):
            regions = self.draw(k, proposals, truths)
            logits, deltas = head(features(regions.boxes))
            learnt = learn_boxes(logits, deltas, regions, truths, stds=stage.stds, beta=rules.roi_beta, v1=rules.v1)
            moved = Refine(stage.stds, v1=rules.v1)(deltas, regions.boxes, truths.sizes)
            proposals = _without_truths(regions, moved)
            yield Learnt({f"s{k}.loss_cls": learnt.classes, f"s{k}.loss_bbox": learnt.boxes}, regions, proposals)


def _without_truths(regions: Regions, boxes: Any) -> Proposals:
    """The boxes of regions as proposals."""
    valid = ops.logical_and(regions.samples.valid, ops.logical_not(regions.added))
    return Proposals(where_valid(valid, boxes), ops.cast(valid, "float32"), valid)

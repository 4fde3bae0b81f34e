"""The regions that the heads learn from: proposals and truths, matched and drawn."""

from typing import Any, NamedTuple

import keras
from keras import ops

from hrnet_keras.tasks.detection.parts import assigner, proposals as proposing
from hrnet_keras.tasks.detection.parts.assigner import AssignRule
from hrnet_keras.tasks.detection.parts.batch import global_sum, per_example
from hrnet_keras.tasks.detection.parts.coder import ROI_STDS
from hrnet_keras.tasks.detection.parts.compiling import is_compiled
from hrnet_keras.tasks.detection.parts.losses import BoxLosses, roi_losses
from hrnet_keras.tasks.detection.parts.mask_loss import mask_loss
from hrnet_keras.tasks.detection.parts.mask_targets import mask_targets
from hrnet_keras.tasks.detection.parts.proposals import Proposals
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.sampler import Sampler, Samples, num_samples
from hrnet_keras.tasks.detection.parts.selecting import rows
from hrnet_keras.tasks.detection.parts.truths import Truths


class Regions(NamedTuple):
    """Regions drawn from every picture.

    Attributes:
        boxes: float32 `(batch, k, 4)`, xyxy in pixels of the input.
        truths: int32 `(batch, k)` as in `Assigned`: above 0 a truth's, 0 background.
        samples: which are positive, which negative.
        added: bool `(batch, k)`: the truths' own boxes, which were put among the proposals.
    """

    boxes: Any
    truths: Any
    samples: Samples
    added: Any


def draw_regions(
    proposals: Proposals, truths: Truths, rule: AssignRule, sampler: Sampler, *, v1: bool = False
) -> Regions:
    """Gives every proposal a truth or the background, puts the truths before them, and draws some.

    Source: mmdet 3.3.0 `roi_heads/standard_roi_head.py`, `loss`.
    """
    assigned = assigner.assign(
        proposals.boxes, truths.boxes, truths.valid, rule, candidates=proposals.valid, plus_one=v1
    )
    assigned = assigner.prepend_truths(assigned, truths.valid)
    proposals = proposing.prepend_truths(proposals, truths.boxes, truths.valid)
    samples = sampler(assigned.truths)
    added = samples.indices < ops.shape(truths.valid)[1]
    return Regions(rows(proposals.boxes, samples.indices), rows(assigned.truths, samples.indices), samples, added)


def region_sampler(rules: Rules, seed: Any) -> Sampler:
    """Chooses the regions that heads look at; arguments as of `Proposer.of`."""
    return Sampler(None) if seed is None else Sampler(rules.num_regions, 0.25, seed)


def learn_boxes(
    logits: Any, deltas: Any, regions: Regions, truths: Truths, *, stds: tuple[float, ...] = ROI_STDS, beta: float,
    v1: bool = False,
) -> BoxLosses:  # fmt: skip
    """The box head's losses on regions.

    Args:
        logits, deltas: of all pictures' regions in one row, as `BoxHead` gives them.
        regions: of the batch.
        truths: of the batch.
        stds: of the deltas.
        beta: of the smooth L1 of boxes.
        v1: as in `roi_losses`.

    Returns:
        `BoxLosses` per example, see `parts.batch.per_example`.
    """
    batch, count = ops.shape(regions.truths)
    samples = regions.samples
    total = global_sum(num_samples(samples))
    losses = roi_losses(
        ops.reshape(logits, (batch, count, logits.shape[-1])), ops.reshape(deltas, (batch, count, deltas.shape[-1])),
        regions.boxes, assigner.of_truths(truths.boxes, regions.truths),
        assigner.of_truths(truths.labels, regions.truths), samples.positive, samples.negative,
        num_samples=total, stds=stds, beta=beta, v1=v1,
    )  # fmt: skip
    return BoxLosses(per_example(losses.classes), per_example(losses.boxes))


def positive_regions(regions: Regions, most: int | None) -> Regions:
    """Regions of every picture among which all positive ones are.

    Args:
        regions: drawn by a `Sampler`.
        most: how many of a picture's can be positive, which stand first then; `None`: any number, anywhere.

    Returns:
        As many columns as the picture with the most positive regions has (at least one); where all sizes must be known
        beforehand, the first `most`.
    """
    if is_compiled():
        return _columns(regions, lambda values: values[:, :most])
    positive = ops.cast(regions.samples.positive, "int32")
    count = ops.maximum(ops.max(ops.sum(positive, axis=1)), 1)
    order = ops.argsort(1 - positive, axis=1)[:, :count]
    return _columns(regions, lambda values: rows(values, order))


def _columns(regions, choose):
    """The regions whose columns are chosen from every `(batch, k, ...)`."""
    return keras.tree.map_structure(choose, regions)


def learn_masks(logits: Any, regions: Regions, truths: Truths, *, v1: bool = False) -> Any:
    """The mask head's loss on the positive ones among regions, a value per example.

    Args:
        logits: of all pictures' regions in one row, `(batch * k, height, width, masks)`.
        regions: of the batch.
        truths: of the batch, with masks.
        v1: targets are cut from whole pixels, and mask 0 is the background's.

    Raises:
        ValueError: truths without masks.

    Source: mmdet 3.3.0 `mask_heads/fcn_mask_head.py`, `loss_and_target`.
    """
    if truths.masks is None:
        raise ValueError("the targets have no 'masks', which this framework learns from: expected augment.masks: true")
    positive = regions.samples.positive
    batch, count = ops.shape(positive)
    size = logits.shape[1]
    matches = ops.where(positive, regions.truths - 1, -1)
    targets = mask_targets(truths.masks, regions.boxes, matches, size=size, plus_one=v1)
    labels = assigner.of_truths(truths.labels, regions.truths) + int(v1)
    labels = ops.where(positive, labels, -1)
    values = mask_loss(logits, ops.reshape(targets, (-1, size, size)), ops.reshape(labels, (-1,)))
    total = global_sum(ops.sum(ops.cast(positive, "float32")))
    of_pictures = ops.sum(ops.reshape(values, (batch, count)), axis=1) / ops.maximum(total, 1.0)
    return per_example(of_pictures)

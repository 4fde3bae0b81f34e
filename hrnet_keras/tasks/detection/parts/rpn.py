"""What the region proposal network learns from a batch."""

from typing import Any

from keras import ops

from hrnet_keras.tasks.detection.parts import assigner
from hrnet_keras.tasks.detection.parts.anchors import STRIDES, anchors_inside, cells_inside, pyramid_anchors
from hrnet_keras.tasks.detection.parts.batch import global_sum, per_example
from hrnet_keras.tasks.detection.parts.losses import BoxLosses, rpn_losses
from hrnet_keras.tasks.detection.parts.sampler import Sampler, num_samples
from hrnet_keras.tasks.detection.parts.selecting import rows
from hrnet_keras.tasks.detection.parts.stages import level_sizes
from hrnet_keras.tasks.detection.parts.truths import Truths

UNIT = 32.0  # pictures are padded to its multiples before a batch pads them to the size of its largest


def learn_anchors(
    maps: list[Any], logits: list[Any], deltas: list[Any], truths: Truths, sampler: Sampler, *, beta: float,
    inside: bool, v1: bool,
) -> BoxLosses:  # fmt: skip
    """The RPN's losses.

    Args:
        maps: of the pyramid; their sizes count.
        logits, deltas: of every level, as `RPNHead` gives them.
        truths: of the batch.
        sampler: chooses the anchors that are looked at.
        beta: of the smooth L1 of boxes.
        inside: whether anchors that leave the picture are left out.
        v1: anchors are rounded, widths are `x2 - x1 + 1`.

    Returns:
        `BoxLosses` per example, see `parts.batch.per_example`.

    Source: mmdet 3.3.0 `dense_heads/anchor_head.py`; mmdet 0.6 `core/anchor/anchor_target.py`.
    """
    sizes = level_sizes(maps)
    anchors = ops.concatenate(pyramid_anchors(sizes, v1=v1), axis=0)
    candidates = _candidates(sizes, anchors, truths.sizes, inside)
    assigned = assigner.assign(
        anchors[None], truths.boxes, truths.valid, assigner.RPN, candidates=candidates, plus_one=v1
    )
    samples = sampler(assigned.truths)
    chosen = rows(assigned.truths, samples.indices)
    count = global_sum(num_samples(samples, at_least_one_each=True))
    losses = rpn_losses(
        rows(ops.concatenate(logits, axis=1), samples.indices), rows(ops.concatenate(deltas, axis=1), samples.indices),
        ops.take(anchors, samples.indices, axis=0), assigner.of_truths(truths.boxes, chosen),
        samples.positive, samples.negative, num_samples=count, beta=beta, plus_one=v1,
    )  # fmt: skip
    return BoxLosses(per_example(losses.classes), per_example(losses.boxes))


def _candidates(sizes: list[tuple[Any, Any]], anchors: Any, pictures: Any, inside: bool) -> Any:
    """Anchors of the picture itself, bool `(batch, anchors)`."""
    padded = ops.ceil(pictures / UNIT) * UNIT
    cells = [cells_inside(size, stride, padded) for size, stride in zip(sizes, STRIDES, strict=True)]
    candidates = ops.concatenate(cells, axis=1)
    if inside:
        return ops.logical_and(candidates, anchors_inside(anchors, pictures))
    return candidates

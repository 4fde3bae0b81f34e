"""Which boxes of a picture the losses look at: some positive ones, the rest background, at random."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
from keras import ops

from hrnet_keras.tasks.detection.parts.selecting import best, rows


class Samples(NamedTuple):
    """Boxes chosen from every picture.

    Attributes:
        indices: int32 `(batch, k)`, where they stand among the boxes.
        positive: bool `(batch, k)`: belongs to a truth.
        negative: bool `(batch, k)`: background. Neither: padding.
    """

    indices: Any
    positive: Any
    negative: Any

    @property
    def valid(self) -> Any:
        """bool `(batch, k)`: no padding."""
        return ops.logical_or(self.positive, self.negative)


@dataclass(frozen=True, eq=False)
class Sampler:
    """Chooses the boxes that losses look at.

    Attributes:
        num: at most, of every picture; `None` keeps all.
        positive_part: at most this part of them belongs to truths.
        seed: a `keras.random.SeedGenerator`; needed beside `num`.
    """

    num: int | None
    positive_part: float = 0.5
    seed: Any = None

    def __call__(self, truths: Any) -> Samples:
        """The samples of boxes whose truths, int32 `(batch, n)`, are as in `Assigned`."""
        if self.num is None:
            return keep_all(truths)
        return sample(truths, random_keys(truths, self.seed), num=self.num, positive_part=self.positive_part)

    @property
    def most_positive(self) -> int | None:
        """How many of a picture's samples can be positive; `None` where all are kept."""
        return None if self.num is None else int(self.num * self.positive_part)


def random_keys(truths: Any, seed: Any) -> Any:
    """A random number for every box of `truths` `(batch, n)`: float32 in 0..1.

    Args:
        truths: only its shape counts.
        seed: a `keras.random.SeedGenerator` (other numbers at every call) or a whole number (the same ones).
    """
    return keras.random.uniform(ops.shape(truths), seed=seed, dtype="float32")


def sample(truths: Any, keys: Any, *, num: int, positive_part: float) -> Samples:
    """Chooses at most `num` boxes of every picture.

    Args:
        truths: int32 `(batch, n)` as in `Assigned`: -1 left out, 0 background, above a truth's.
        keys: float `(batch, n)` in 0..1, see `random_keys`; boxes with large ones are taken first.
        num: boxes per picture: 256 for the RPN, 512 for RoIs.
        positive_part: at most this part of them belongs to truths: 0.5 for the RPN, 0.25 for RoIs. Where there are
            fewer, background takes their places; where that runs short, too, the rest is padding.

    Returns:
        `Samples` of `min(num, n)` boxes: first positive ones, then background, then padding.

    Source: `RandomSampler` of mmdet 3.3.0 (its numbers come from torch's generator, so only the counts are the same).
    """
    most_positive = int(num * positive_part)
    positive = best(ops.where(truths > 0, keys, -1.0), most_positive)
    negative = best(ops.where(truths == 0, keys, -1.0), num)
    indices = ops.concatenate([positive.indices, negative.indices], axis=1)
    is_positive = ops.concatenate([positive.values >= 0, ops.zeros_like(negative.values, dtype="bool")], axis=1)
    is_negative = ops.concatenate([ops.zeros_like(positive.values, dtype="bool"), negative.values >= 0], axis=1)
    order = best(2.0 * ops.cast(is_positive, "float32") + ops.cast(is_negative, "float32"), negative.values.shape[1])
    return Samples(rows(indices, order.indices), rows(is_positive, order.indices), rows(is_negative, order.indices))


def keep_all(truths: Any) -> Samples:
    """All boxes of `truths` `(batch, n)`, in their order, as samples."""
    count = ops.cast(ops.arange(ops.shape(truths)[1]), "int32")
    indices = ops.broadcast_to(count[None, :], ops.shape(truths))
    return Samples(indices, truths > 0, truths == 0)


def num_samples(samples: Samples, *, at_least_one_each: bool = False) -> Any:
    """How many boxes were sampled in the whole batch: what losses are divided by; float32, at least 1.

    Args:
        samples: of a batch.
        at_least_one_each: count a picture without positive boxes as one with one of them, and one without background
            as well: what mmdet does for the RPN (not for RoIs).

    Source: `SamplingResult.avg_factor` of mmdet 3.3.0.
    """
    positive = ops.sum(ops.cast(samples.positive, "float32"), axis=1)
    negative = ops.sum(ops.cast(samples.negative, "float32"), axis=1)
    if at_least_one_each:
        positive = ops.maximum(positive, 1.0)
        negative = ops.maximum(negative, 1.0)
    return ops.maximum(ops.sum(positive + negative), 1.0)

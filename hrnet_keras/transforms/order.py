"""The order in which a training sees its examples: every epoch in an order of its own, dealt out to workers."""

import numpy as np
import tensorflow as tf


def sample_indices(
    count: int, batch: int, *, groups: np.ndarray | None = None, seed: int = 0, first_epoch: int = 0, worker: int = 0,
    workers: int = 1,
) -> tf.data.Dataset:  # fmt: skip
    """Endless positions of a training, and which example comes there: what all chance of a picture hangs on.

    Every epoch goes through the set in an order of its own and drops what does not fill a batch. Several workers deal
    each step's pictures out among them: together they see, step by step, what one worker with a batch of `workers *
    batch` would see.

    Args:
        count: examples of the set.
        batch: pictures per batch of one worker.
        groups: number of the group of every example `(count,)`, 0 or more, where steps are to be of one group each; as
            `grouped` orders them.
        seed: of the orders.
        first_epoch: epoch to start with, counted from 0.
        worker: which of the workers this is, counted from 0.
        workers: how many there are.

    Returns:
        A `tf.data.Dataset` of `(epoch, position in the epoch, index of the example)`, int64, int64, int32.

    Raises:
        ValueError: a batch of all workers has more pictures than the set, or no such worker.
    """
    if not 0 <= worker < workers:
        raise ValueError(f"worker={worker}: expected 0..{workers - 1}, of {workers} workers")
    if not 1 <= batch * workers <= count:
        most = f"1..{count // workers}"
        if workers > 1:
            most += f" for each of {workers} workers"
        raise ValueError(f"batch={batch}: expected {most}, the set has {count} examples to train on")
    steps = count // (batch * workers)
    positions = np.arange(steps * workers * batch).reshape(steps, workers, batch)[:, worker].ravel()

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(count), tf.stack([tf.cast(seed, tf.int64), epoch]))
        if groups is not None:
            order = tf.numpy_function(
                lambda order: grouped(order, groups, batch * workers), [order], tf.int32, stateful=False
            )
        return tf.data.Dataset.from_tensor_slices(
            (tf.fill([len(positions)], epoch), positions, tf.gather(order, positions))
        )

    return tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(one_epoch)


def grouped(order: np.ndarray, groups: np.ndarray, step: int) -> np.ndarray:
    """An order changed so that the examples of every step are of one group, as far as the groups go.

    A step is taken as soon as its group has enough examples, in the order given. What is left of the groups comes last,
    one group after the other: there are as many whole steps as without groups.

    Args:
        order: indices of examples `(count,)`.
        groups: number of the group of every example, by its index, 0 or more.
        step: examples of a step.

    Returns:
        The indices in their new order, of the type of `order`.

    Source: mmdet's aspect-ratio batch sampler, which fills a bucket per group and joins the rests at the end.
    """
    of_order = groups[order]
    whole, rests = [], []
    for group in np.unique(groups):
        places = np.flatnonzero(of_order == group)
        cut = len(places) - len(places) % step
        whole.append(places[:cut].reshape(-1, step))
        rests.append(places[cut:])
    steps = np.concatenate(whole)
    steps = steps[np.argsort(steps[:, -1])]
    return order[np.concatenate([steps.ravel(), *rests])]

"""Several machines that train one model: which of them this is, its part of a batch, and what Keras lacks for them."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from hrnet_keras.tasks.objective import ObjectiveModel


@dataclass(frozen=True)
class Worker:
    """Which of how many machines this process trains on; the first one keeps what is learnt."""

    index: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether it scores the model and writes the files of the run."""
        return self.index == 0


def worker_of(strategy: Any) -> Worker:
    """The place of this process among the workers of a `tf.distribute.Strategy`; a chief of the cluster comes first."""
    resolver = strategy.cluster_resolver
    if resolver is None:
        return Worker()
    jobs = resolver.cluster_spec().as_dict()
    chiefs = len(jobs.get("chief", ()))
    count = chiefs + len(jobs.get("worker", ()))
    if count < 2:
        return Worker()
    index = resolver.task_id
    if resolver.task_type == "worker":
        index += chiefs
    return Worker(index, count)


def part_of_worker(stream: Any, batch: int, strategy: Any) -> Any:
    """A worker's own stream for `fit`, which takes it as it is and does not split it among the workers again.

    Args:
        stream: `tf.data.Dataset` of this worker's part of every batch.
        batch: pictures per step, over all replicas of all workers.
        strategy: of several workers.
    """
    part = stream.rebatch(batch // strategy.num_replicas_in_sync, drop_remainder=True)
    return strategy.distribute_datasets_from_function(lambda context: part)


class FollowWeights(keras.callbacks.Callback):
    """Keeps a copy that no strategy knows of, which one worker alone can score and save, at a model's weights.

    Args:
        copy: made outside of the strategy's scope.
        model: of the strategy.
    """

    def __init__(self, copy: keras.Model, model: keras.Model):
        super().__init__()
        self.copy = copy
        self.original = model

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.copy.set_weights(self.original.get_weights())


class WorkersModel(ObjectiveModel):
    """What Keras's own `fit` fails at where a strategy has several workers."""

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Everything is built; Keras would ask for the mean of the first batch, which is of no single worker."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """Keras averages what replicas log along its first axis, which scalars don't have."""
        logs = super().train_step(data)
        return {name: ops.reshape(value, (1,)) for name, value in logs.items()}

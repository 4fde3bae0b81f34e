"""The loop over epochs: `fit` under a strategy and a precision, from the state of an earlier run on."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.datasets import Dataset
from hrnet_keras.recipe import Recipe
from hrnet_keras.training import assemble
from hrnet_keras.training.callbacks import Scores
from hrnet_keras.training.output import Output, State
from hrnet_keras.training.statistics import Statistics


@dataclass(frozen=True)
class Worker:
    """Which of how many machines this process trains on; the first one keeps what is learnt."""

    index: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        return self.index == 0


@dataclass(frozen=True)
class Setting:
    """Where a training runs: the `tf.distribute.Strategy`, this worker, and how much `fit` says."""

    strategy: Any
    worker: Worker
    verbose: int


def gpus() -> list[Any]:
    """The GPUs of this machine."""
    import tensorflow as tf

    return tf.config.list_physical_devices("GPU")


def strategy_for(batch: int) -> Any:
    """The strategy in force; else over the machines that TF_CONFIG names, or over all GPUs where there are several.

    Raises:
        ValueError: the replicas can't share the batch.
    """
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if not tf.distribute.has_strategy():
        if "TF_CONFIG" in os.environ:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        elif len(gpus()) > 1:
            strategy = tf.distribute.MirroredStrategy()
    replicas = strategy.num_replicas_in_sync
    if batch % replicas:
        raise ValueError(f"train.batch={batch}: expected a multiple of the {replicas} replicas")
    return strategy


def worker_of(strategy: Any) -> Worker:
    """The place of this process among the workers of a strategy: a chief, where the cluster has one, is the first."""
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


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Computes in a precision of Keras's while it lasts."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def fit(
    fitted: keras.Model,
    model: keras.Model,
    recipe: Recipe,
    data: Dataset,
    held_out: Dataset,
    output: Output,
    state: State | None,
    setting: Setting,
) -> keras.callbacks.History:
    """Trains epoch by epoch, from a state on where there is one.

    Args:
        fitted: the compiled model.
        model: the one to score and to keep, which shares its weights.
        recipe: of the training.
        data, held_out: to train and to score on.
        output: folder of the run.
        state: of the run that goes on, `None` for a new one.
        setting: where it runs.
    """
    worker = setting.worker
    steps = assemble.steps_per_epoch(recipe, data)
    variables = _variables(fitted)
    stream = assemble.stream_of(recipe, data, worker=worker.index, workers=worker.count)
    callbacks: list[keras.callbacks.Callback] = []
    if worker.is_chief:
        scores = Scores(
            model, held_out, recipe.output, every=recipe.train.evaluate_every,
            keep=lambda epoch, history: output.keep(epoch, variables, history),
        )  # fmt: skip
        if recipe.train.precise_batch_norm:  # before the scores, and the state that a run goes on from
            callbacks.append(_statistics(recipe, model, stream, steps))
        callbacks += [scores, keras.callbacks.TensorBoard(output.path("tensorboard"), write_graph=False)]
    done = 0
    if state is not None:
        done = state.epoch
        state.restore(variables)
        if worker.is_chief:
            scores.go_on(state.history)
    batches = _distributed(stream(first_epoch=done), recipe.train.batch, setting)
    return fitted.fit(
        batches, initial_epoch=done, epochs=recipe.train.epochs, steps_per_epoch=steps, shuffle=False,
        callbacks=callbacks, verbose=setting.verbose,
    )  # fmt: skip


def _variables(fitted: keras.Model) -> list[Any]:
    """All that a training goes on from: weights, states of random layers, and the optimizer's numbers."""
    if not fitted.optimizer.built:
        fitted.optimizer.build(fitted.trainable_variables)
    return [*fitted.variables, *fitted.optimizer.variables]


def _distributed(stream: Any, batch: int, setting: Setting) -> Any:
    """What `fit` takes: of one worker the stream itself, which Keras splits; of several this worker's part as it is."""
    if setting.worker.count == 1:
        return stream
    strategy = setting.strategy
    part = stream.rebatch(batch // strategy.num_replicas_in_sync, drop_remainder=True)
    return strategy.distribute_datasets_from_function(lambda context: part)


def _statistics(recipe: Recipe, model: keras.Model, stream: Callable[..., Any], steps: int) -> Statistics:
    def once(epoch: int) -> Any:
        return stream(first_epoch=epoch, cache=False)  # its pictures are looked at once

    return Statistics(model, once, steps=steps, batch=recipe.train.batch, every=recipe.train.evaluate_every)

"""The loop over epochs: `fit` under a strategy and a precision, from the state of an earlier run on."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.datasets import Dataset
from hrnet_keras.recipe import Recipe
from hrnet_keras.training import assemble
from hrnet_keras.training.callbacks import Scores
from hrnet_keras.training.output import Output, State
from hrnet_keras.training.statistics import Statistics
from hrnet_keras.training.workers import FollowWeights, Worker, part_of_worker


@dataclass(frozen=True)
class Setting:
    """Where a training runs.

    Attributes:
        strategy: a `tf.distribute.Strategy`.
        worker: which of its workers this is.
        verbose: as `fit` takes it.
    """

    strategy: Any
    worker: Worker
    verbose: int

    def scope_of_fit(self) -> contextlib.AbstractContextManager[Any]:
        """The strategy's scope; with several workers none, since the first one scores alone what it has learnt."""
        if self.worker.count > 1:
            return contextlib.nullcontext()
        return self.strategy.scope()


@dataclass(frozen=True)
class Run:
    """What a training consists of.

    Attributes:
        recipe: of the experiment.
        output: its folder.
        setting: where it runs.
        model: the net.
        fitted: the compiled model that learns, of the same weights.
        kept: the model that is scored and saved: `model`, or where several workers train it a copy of it.
    """

    recipe: Recipe
    output: Output
    setting: Setting
    model: keras.Model
    fitted: keras.Model
    kept: keras.Model


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


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Computes in a precision of Keras's while it lasts."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def fit(run: Run, data: Dataset, held_out: Dataset, state: State | None) -> keras.callbacks.History:
    """Trains epoch by epoch, from the state of an earlier run on where there is one."""
    recipe = run.recipe
    worker = run.setting.worker
    steps = assemble.steps_per_epoch(recipe, data)
    # All that a training goes on from: weights, states of random layers, and the optimizer's numbers.
    variables = [*run.fitted.variables, *run.fitted.optimizer.variables]
    stream = assemble.stream_of(recipe, data, worker=worker.index, workers=worker.count)
    done = 0
    if state is not None:
        done = state.epoch
        state.restore(variables)
    callbacks: list[keras.callbacks.Callback] = []
    if worker.is_chief:
        if run.kept is not run.model:
            callbacks.append(FollowWeights(run.kept, run.model))
        # Before the scores, and before the state that a run goes on from.
        if recipe.train.precise_batch_norm:
            callbacks.append(_statistics(run, data, steps))
        scores = Scores(
            run.kept, held_out, run.output.folder, every=recipe.train.evaluate_every,
            keep=lambda epoch, history: run.output.keep(epoch, variables, history),
        )  # fmt: skip
        if state is not None:
            scores.go_on(state.history)
        callbacks += [scores, keras.callbacks.TensorBoard(run.output.path("tensorboard"), write_graph=False)]
    batches = stream(first_epoch=done)
    if worker.count > 1:
        batches = part_of_worker(batches, recipe.train.batch, run.setting.strategy)
    return run.fitted.fit(
        batches, initial_epoch=done, epochs=recipe.train.epochs, steps_per_epoch=steps, shuffle=False,
        callbacks=callbacks, verbose=run.setting.verbose,
    )  # fmt: skip


def _statistics(run: Run, data: Dataset, steps: int) -> Statistics:
    # Whole batches, also where several workers share them.
    stream = assemble.stream_of(run.recipe, data)

    def once(epoch: int) -> Any:
        return stream(first_epoch=epoch, cache=False)  # its pictures are looked at once

    train = run.recipe.train
    return Statistics(run.kept, once, steps=steps, batch=train.batch, every=train.evaluate_every)

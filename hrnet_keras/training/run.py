"""One training from start to end: data are looked at, a net is built or taken up, fitted, and kept."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras

from hrnet_keras import datasets
from hrnet_keras.logs import plain_lines
from hrnet_keras.recipe import Recipe
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.objective import ObjectiveModel
from hrnet_keras.training import assemble, loop, naming
from hrnet_keras.training.output import Output, State, WriteError, save_whole
from hrnet_keras.training.workers import WorkersModel, worker_of

logger = logging.getLogger(__name__)


def train(
    recipe: str | os.PathLike[str] | Recipe, *, verbose: int | None = None, **overrides: Any
) -> keras.callbacks.History:
    """Trains a model as a recipe says; goes on where an earlier run of the same recipe was cut off or finished.

    Writes into the recipe's `output`, once an epoch is done: `recipe.json`, `history.jsonl` (a line per epoch),
    `best.keras` (of the highest main score), `last.keras` (at the end), `tensorboard/`, and `backup/`, the states of
    the newest two epochs: at most one epoch is lost, and with more epochs a finished run is lengthened. Of several
    workers the first alone writes; all of them read the folder.

    Args:
        recipe: path of a YAML file, name of a recipe that comes with the package (`seg/camvid_hrnetv2_w18_small_v1`),
            or a `Recipe`.
        verbose: as in `keras.Model.fit`; default: a progress bar on a terminal, else a line per epoch.
        **overrides: values that replace the file's: `**{"train.epochs": 3}` or `train={"epochs": 3}`.

    Returns:
        The `keras.callbacks.History`; its `model` is the one that was fitted (for the OCR nets with the auxiliary
        logits as a second output).

    Raises:
        ValueError: a bad recipe, bad data (the file is named), an output folder of another experiment, in use, or that
            can't be written.
        KeyboardInterrupt: it was interrupted; says what is kept and how to go on.
    """
    if verbose is None:
        verbose = 1 if sys.stdout.isatty() else 2
    with plain_lines(wanted=bool(verbose)):
        if overrides or not isinstance(recipe, Recipe):
            recipe = Recipe.load(recipe, **overrides)
        recipe.check()
        # A strategy for several machines has to be made before TensorFlow does anything.
        strategy = loop.strategy_for(recipe.train.batch)
        worker = worker_of(strategy)
        with Output(recipe, writes=worker.is_chief) as output:
            try:
                return _train(recipe, output, loop.Setting(strategy, worker, verbose))
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"stopped: {output.how_to_go_on()}") from None
            except WriteError as error:
                raise WriteError(f"{error}; {output.how_to_go_on()}") from error


def _train(recipe: Recipe, output: Output, setting: loop.Setting) -> keras.callbacks.History:
    state = output.find_state()
    keras.utils.set_random_seed(recipe.train.seed)
    data, held_out = assemble.open_data(recipe.data)
    naming.check_counts(recipe, data)
    naming.check_splits(recipe, data, held_out)
    if state is None:
        naming.tell_sides(data, recipe)
        _look_at_files(recipe, data, held_out)
    several = setting.worker.count > 1
    with loop.precision(recipe.train.precision):
        with setting.strategy.scope():
            model = assemble.build(recipe, data)
            if state is not None:
                naming.check_resumed(output.folder, model)
            steps = assemble.steps_per_epoch(recipe, data)
            fitted = assemble.fitted(model, recipe, data, steps, WorkersModel if several else ObjectiveModel)
            for line in introduction(recipe, model, data, held_out, steps, state):
                logger.info("%s", line)
        kept = keras.models.clone_model(model) if several else model
        run = loop.Run(recipe, output, setting, model, fitted, kept)
        try:
            with setting.scope_of_fit():
                history = loop.fit(run, data, held_out, state)
        except Exception as error:
            _name_bad_file(error, data)
            raise
    if output.writes:
        save_whole(kept, output.path("last.keras"))
    return history


def introduction(
    recipe: Recipe, model: keras.Model, data: datasets.Dataset, held_out: datasets.Dataset, steps: int,
    state: State | None,
) -> Iterator[str]:  # fmt: skip
    """What a training is about, as lines: device, pictures, classes or points, net, and where it starts."""
    yield f"device: {_devices()}"
    task = task_named(recipe.model.task)
    names = getattr(data.info, task.names)
    what = "points" if task.is_of_points else "classes"
    listed = ", ".join(names[:8])
    if len(names) > 8:
        listed += ", ..."
    yield f"data: {data.info.name}, {len(data)} pictures to train on, {len(held_out)} to score on"
    yield f"{what}: {len(names)} ({listed})"
    net = f"net: {recipe.model.name}, task {recipe.model.task}, {model.count_params():,} parameters"
    if recipe.model.weights:
        net += f", starts from {recipe.model.weights}"
    yield net
    beginning = "new"
    if state is not None:
        beginning = f"resumed after epoch {state.epoch}"
    epochs = f"{recipe.train.epochs} epochs of {steps} steps of {recipe.train.batch}"
    yield f"run: {beginning}, {epochs}, in {recipe.output}"
    if state is not None and state.recipe["train"]["epochs"] != recipe.train.epochs:
        yield _new_length(recipe, state, steps)


def _devices() -> str:
    """The devices of this machine, and how many replicas share a batch."""
    import tensorflow as tf

    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    gpus = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in loop.gpus()]
    devices = f"CPU, {os.cpu_count()} cores"
    if gpus:
        devices = ", ".join(f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus))
    if replicas > 1:
        devices += f", {replicas} replicas"
    return devices


def _new_length(recipe: Recipe, state: State, steps: int) -> str:
    """What becomes of the schedule where a run gets another length, as a line."""
    before = state.recipe["train"]["epochs"]
    now = recipe.train.epochs
    earlier = replace(recipe, train=replace(recipe.train, epochs=before))
    rate_before = float(assemble.schedule_of(earlier, steps)(state.epoch * steps))
    rate_now = float(assemble.schedule_of(recipe, steps)(state.epoch * steps))
    counted = "does not depend on the length"
    if recipe.schedule.name == "poly":
        counted = f"counts {now} epochs now"
    return (
        f"train.epochs: {now} instead of {before}: schedule {recipe.schedule.name} {counted}; the learning rate goes "
        f"on at {rate_now:.4g}, where it was {rate_before:.4g}"
    )


def _look_at_files(recipe: Recipe, *opened: datasets.Dataset) -> None:
    """Ends here, and not after an hour, where files or labels can't be used; says what the labels lack."""
    began = time.perf_counter()
    for dataset in opened:
        if recipe.data.unreadable != "skip":  # then every file has been read already
            _raise_first(datasets.validate_headers(dataset))
        for line in datasets.label_report(dataset):
            logger.info("%s", line)
    seconds = time.perf_counter() - began
    if seconds > 5:
        pictures = sum(len(dataset) for dataset in opened)
        logger.info("looked at %d pictures and their labels in %.0f s", pictures, seconds)


def _raise_first(problems: list[tuple[str, str]], cause: BaseException | None = None) -> None:
    if not problems:
        return
    hints = []
    if len(problems) > 1:
        hints.append(f"and {len(problems) - 1} more")
    # A label that the classes don't reach is no broken file: without it the class would be missing.
    if not any("class ids" in reason for _, reason in problems):
        hints.append("data.unreadable: skip leaves such files out")
    message = problems[0][1]
    if hints:
        message += f" ({'; '.join(hints)})"
    raise ValueError(message) from cause


def _name_bad_file(error: BaseException, data: datasets.Dataset) -> None:
    """Turns an anonymous error from the input pipeline into one that names the file, by reading the set once."""
    import tensorflow as tf

    if isinstance(error, tf.errors.OpError):
        _raise_first(datasets.validate(data), error)

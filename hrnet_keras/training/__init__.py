"""A recipe -> a trained model: `tf.data` into `model.fit` under a strategy, with scores, checkpoints and resuming."""

import contextlib
import functools
import os
import sys
import time
from dataclasses import MISSING, asdict, fields, replace

import keras

from hrnet_keras import builders, datasets
from hrnet_keras.layers.model_info import info_of, update_info
from hrnet_keras.layers.normalization import by_groups
from hrnet_keras.optimizers import PolySchedule, StepSchedule, TorchAdam, TorchSGD
from hrnet_keras.recipe import DataRecipe, Recipe
from hrnet_keras.tasks import task_named
from hrnet_keras.training import naming
from hrnet_keras.training.callbacks import Scores
from hrnet_keras.training.output import Output, WriteError, save_whole
from hrnet_keras.training.statistics import Statistics


def train(recipe, *, verbose=None, **overrides):
    """Trains a model as a recipe says; goes on where an earlier run of the same recipe was cut off or finished.

    Writes into the recipe's `output`, once an epoch is done: `recipe.json`, `history.jsonl` (a line per epoch),
    `best.keras` (of the highest main score), `last.keras` (at the end), `tensorboard/`, and `backup/`, the states of
    the newest two epochs: at most one epoch is lost, and with more epochs a finished run is lengthened.

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
    recipe = recipe if isinstance(recipe, Recipe) and not overrides else Recipe.load(recipe, **overrides)
    recipe.check()
    task_named(recipe.model.task)  # says so where there is none
    verbose = (1 if sys.stdout.isatty() else 2) if verbose is None else verbose
    with Output(recipe) as output:
        try:
            return _train(recipe, output, verbose)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"stopped: {output.how_to_go_on()}") from None
        except WriteError as error:
            raise WriteError(f"{error}; {output.how_to_go_on()}") from error


def _train(recipe, output, verbose):
    augmentation = _augmentation(recipe)
    state = output.find_state()
    keras.utils.set_random_seed(recipe.train.seed)
    data, held_out = _open_data(recipe)
    naming.check_counts(recipe, data)
    naming.check_splits(recipe, data, held_out)
    if state is None:
        naming.tell_sides(data, recipe)
        _look_at_files(recipe, data, held_out)
    with _precision(recipe.train.precision), _strategy(recipe.train.batch).scope():
        model = build(recipe, data)
        if state is not None:
            naming.check_resumed(recipe.output, model)
        steps = steps_per_epoch(recipe, data)
        fitted = compile_for(model, recipe.train, data, steps)
        variables = _variables(fitted)
        scores = Scores(
            model, held_out, recipe.output, every=recipe.train.evaluate_every,
            keep=lambda epoch, history: output.keep(epoch, variables, history),
        )  # fmt: skip
        if verbose:
            for line in introduction(recipe, model, data, held_out, steps, state):
                print(line, flush=True)
        if state is not None:
            state.restore(variables)
            scores.go_on(state.history)
        options = {"batch": recipe.train.batch, "seed": recipe.train.seed, **augmentation}
        stream_from = functools.partial(task_named(recipe.model.task).module("pipeline").training, data, **options)
        callbacks = [scores, keras.callbacks.TensorBoard(output.path("tensorboard"), write_graph=False)]
        if recipe.train.precise_batch_norm:  # before the scores, and the state that a run goes on from
            callbacks.insert(0, _statistics(recipe, model, stream_from, steps))
        done = 0 if state is None else state.epoch
        try:
            history = fitted.fit(
                _for_every_output(fitted, stream_from(first_epoch=done)), initial_epoch=done,
                epochs=recipe.train.epochs, steps_per_epoch=steps, shuffle=False, callbacks=callbacks, verbose=verbose,
            )  # fmt: skip
        except Exception as error:
            _name_bad_file(error, data)
            raise
    save_whole(model, output.path("last.keras"))
    return history


def _variables(fitted):
    """All that a training goes on from: weights, states of random layers, and the optimizer's numbers."""
    if not fitted.optimizer.built:
        fitted.optimizer.build(fitted.trainable_variables)
    return [*fitted.variables, *fitted.optimizer.variables]


def _for_every_output(fitted, stream):
    """The stream with the same labels for every output that learns from them."""
    outputs = len(fitted.outputs)
    return stream if outputs == 1 else stream.map(lambda image, labels: (image, (labels,) * outputs))


def _statistics(recipe, model, stream_from, steps):
    once = {"cache": False} if "cache" in stream_from.keywords else {}  # its pictures are looked at once

    def stream(epoch):
        return stream_from(first_epoch=epoch, **once)

    return Statistics(model, stream, steps=steps, batch=recipe.train.batch, every=recipe.train.evaluate_every)


def introduction(recipe, model, data, held_out, steps, state):
    """What a training is about, as lines: device, pictures, classes or points, net, and where it starts."""
    import tensorflow as tf

    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    gpus = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in _gpus()]
    device = ", ".join(f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus))
    device = device or f"CPU, {os.cpu_count()} cores"
    yield f"device: {device}{f', {replicas} replicas' if replicas > 1 else ''}"
    names, what = (data.info.point_names, "points") if data.info.point_names else (data.info.class_names, "classes")
    listed = ", ".join(names[:8]) + (", ..." if names[8:] else "")
    yield f"data: {data.info.name}, {len(data)} pictures to train on, {len(held_out)} to score on"
    yield f"{what}: {len(names)} ({listed})"
    start = f", starts from {recipe.model.weights}" if recipe.model.weights else ""
    yield f"net: {recipe.model.name}, task {recipe.model.task}, {model.count_params():,} parameters{start}"
    where = "new" if state is None else f"resumed after epoch {state.epoch}"
    epochs = f"{recipe.train.epochs} epochs of {steps} steps of {recipe.train.batch}"
    yield f"run: {where}, {epochs}, in {recipe.output}"
    if state is not None and state.recipe["train"]["epochs"] != recipe.train.epochs:
        yield _new_length(recipe.train, state, steps)


def _gpus():
    import tensorflow as tf

    return tf.config.list_physical_devices("GPU")


def _new_length(train, state, steps):
    """What becomes of the schedule where a run gets another length, as a line."""
    before, now = state.recipe["train"]["epochs"], train.epochs
    was, is_now = (float(schedule_of(replace(train, epochs=n), steps)(state.epoch * steps)) for n in (before, now))
    counted = f"counts {now} epochs now" if train.schedule == "poly" else "does not depend on the length"
    return (
        f"train.epochs: {now} instead of {before}: schedule {train.schedule} {counted}; the learning rate goes on at "
        f"{is_now:.4g}, where it was {was:.4g}"
    )


def build(recipe, data):
    """The model of a recipe, for a data set's classes."""
    builder = getattr(builders, recipe.model.name, None)
    if builder is None or not recipe.model.name.startswith("HRNet"):
        names = [name for name in vars(builders) if name.startswith("HRNet")]
        raise ValueError(f"model.name={recipe.model.name!r}: expected one of {', '.join(names)}")
    task = recipe.model.task
    options = {name: value for name, value in asdict(recipe.model).items() if name not in ("name", "task")}
    count, word = task_named(task).counts, task_named(task).names
    options[count] = options[count] or len(getattr(data.info, word))
    model = builder(task, include_preprocessing=True, output_stride=1, **options)  # whatever a start may say
    naming.fit_last_layer(model, recipe.model.weights, getattr(data.info, word))
    # What the weights that it starts from were is not what it becomes.
    update_info(model, published=None, crop_box=None)
    builders.name_outputs(model, data.info)
    update_info(model, **getattr(task_named(task).module("pipeline"), "remembered", lambda _: {})(recipe.data))
    if recipe.train.batch_norm == "group":
        return by_groups(model)
    if recipe.train.batch_norm == "frozen":
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    return model


def steps_per_epoch(recipe, data):
    """Batches that one pass over a data set has: over its pictures or, for points, its faces or persons."""
    pipeline, batch = task_named(recipe.model.task).module("pipeline"), recipe.train.batch
    count = len(pipeline.samples(data)) if hasattr(pipeline, "samples") else len(data)
    if count < batch:
        raise ValueError(f"train.batch={batch}: split {recipe.data.train!r} has only {count} examples to train on")
    return count // batch


def compile_for(model, train, data, steps):
    """Gives a model its objective and optimizer, for epochs of `steps`; returns the model to fit: the same weights."""
    info = info_of(model)
    losses = task_named(info.task).module("losses")
    fitted, loss, weights = losses.objective(model, data.info, train, align_corners=info.align_corners)
    fitted.compile(optimizer=optimizer_of(train, steps), loss=loss, loss_weights=weights)
    return fitted


def schedule_of(train, steps_per_epoch):
    """The learning rate of a `TrainRecipe` as a function of the step."""
    steps = train.epochs * steps_per_epoch
    warmup = train.warmup_steps or round(train.warmup_epochs * steps_per_epoch)
    if train.schedule == "steps":
        milestones = [epoch * steps_per_epoch for epoch in train.milestones]
        return StepSchedule(train.learning_rate, milestones, warmup_steps=warmup)
    power = {"poly": 0.9, "constant": 0.0}[train.schedule]
    return PolySchedule(train.learning_rate, steps, power, warmup_steps=warmup)


def optimizer_of(train, steps_per_epoch):
    """The optimizer of a `TrainRecipe`, its schedule counted in steps."""
    schedule = schedule_of(train, steps_per_epoch)
    if train.optimizer == "adamw":
        return keras.optimizers.AdamW(schedule, weight_decay=train.weight_decay)
    if train.optimizer == "adam":
        return TorchAdam(schedule)
    return TorchSGD(schedule, train.momentum, train.nesterov, train.weight_decay, rate_factors=train.rate_factors)


def _augmentation(recipe):
    """What the recipe asks of the task's pipeline; refuses what that does not know."""
    known = task_named(recipe.model.task).module("pipeline").OPTIONS
    for one in fields(DataRecipe):
        is_augmentation = one.name not in ("name", "root", "train", "evaluate", "options", "unreadable", "cache")
        default = one.default_factory() if one.default is MISSING and callable(one.default_factory) else one.default
        if is_augmentation and one.name not in known and getattr(recipe.data, one.name) != default:
            raise ValueError(
                f"data.{one.name} does not belong to task {recipe.model.task!r}: expected {', '.join(known)}"
            )
    return {name: getattr(recipe.data, name) for name in known}


def _look_at_files(recipe, *opened):
    """Ends here, and not after an hour, where files or labels can't be used; says what the labels lack."""
    began = time.perf_counter()
    for dataset in opened:
        if recipe.data.unreadable != "skip":  # then every file has been read already
            _raise_first(datasets.glance(dataset))
        for line in datasets.label_report(dataset):
            print(line)
    seconds = time.perf_counter() - began
    if seconds > 5:
        print(f"looked at {sum(map(len, opened))} pictures and their labels in {seconds:.0f} s")


def _raise_first(problems, cause=None):
    if not problems:
        return
    more = f"and {len(problems) - 1} more" if problems[1:] else ""
    # A label that the classes don't reach is no broken file: without it the class would be missing.
    skip = "data.unreadable: skip leaves such files out" if not any("class ids" in why for _, why in problems) else ""
    hint = "; ".join(filter(None, (more, skip)))
    raise ValueError(f"{problems[0][1]}{f' ({hint})' if hint else ''}") from cause


def _open_data(recipe):
    data = recipe.data
    opened = [datasets.load(data.name, split, data.root, **data.options) for split in (data.train, data.evaluate)]
    if data.unreadable == "skip":
        for i, dataset in enumerate(opened):
            problems = datasets.check(dataset)
            for _, reason in problems:
                print(f"skipped: {reason}")
            if problems:
                print(f"{len(problems)} of {len(dataset)} pictures of split {dataset.split!r} skipped")
                opened[i] = datasets.without(dataset, problems)
    return opened


def _name_bad_file(error, data):
    """Turns an anonymous error from the input pipeline into one that names the file, by reading the set once."""
    import tensorflow as tf

    if isinstance(error, tf.errors.OpError):
        _raise_first(datasets.check(data), error)


def _strategy(batch):
    """MirroredStrategy over all GPUs where there are several, else what is in force."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if not tf.distribute.has_strategy() and len(_gpus()) > 1:
        strategy = tf.distribute.MirroredStrategy()
    replicas = strategy.num_replicas_in_sync
    if batch % replicas:
        raise ValueError(f"train.batch={batch}: expected a multiple of the {replicas} replicas")
    return strategy


@contextlib.contextmanager
def _precision(name):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)

"""A recipe -> a trained model: `tf.data` into `model.fit` under a strategy, with scores, checkpoints and resuming."""

import contextlib
import functools
import json
import os
import sys
import time
from dataclasses import MISSING, asdict, fields

import keras

from hrnet_keras import builders, datasets
from hrnet_keras.layers.normalization import by_groups
from hrnet_keras.recipe import DataRecipe, Recipe
from hrnet_keras.tasks import part
from hrnet_keras.training.callbacks import Backup, Scores
from hrnet_keras.training.optimizers import PolySchedule, StepSchedule, TorchAdam, TorchSGD
from hrnet_keras.training.statistics import Statistics

MAY_CHANGE = ("data.root", "data.cache", "train.evaluate_every", "output")  # between a run and its resumption


def train(recipe, *, verbose=None, **overrides):
    """Trains a model as a recipe says, and resumes where an earlier run of the same recipe was cut off.

    Writes into the recipe's `output`: `recipe.json`, `history.jsonl` (a line per epoch), `best.keras` (of the highest
    main score), `last.keras`, `tensorboard/`, and while running `backup/` (at most one epoch is lost).

    Args:
        recipe: path of a YAML file, or a `Recipe`.
        verbose: as in `keras.Model.fit`; default: a progress bar on a terminal, else a line per epoch.
        **overrides: values that replace the file's: `**{"train.epochs": 3}` or `train={"epochs": 3}`.

    Returns:
        The `keras.callbacks.History`; its `model` is the one that was fitted (for the OCR nets with the auxiliary
        logits as a second output).

    Raises:
        ValueError: a bad recipe, bad data (the file is named), or an output folder of another experiment.
    """
    recipe = recipe if isinstance(recipe, Recipe) and not overrides else Recipe.load(recipe, **overrides)
    for name in ("pipeline", "losses", "metrics"):
        part(recipe.model.task, name)  # says so where a task can't be trained in this version
    augmentation = _augmentation(recipe)
    first_epoch = _open_output(recipe)
    verbose = (1 if sys.stdout.isatty() else 2) if verbose is None else verbose
    keras.utils.set_random_seed(recipe.train.seed)
    data, held_out = _open_data(recipe)
    if first_epoch == 0:
        _look_at_files(recipe, data, held_out)
    batch = recipe.train.batch
    with _precision(recipe.train.precision), _strategy(batch).scope():
        model = build(recipe, data)
        steps = steps_per_epoch(recipe, data)
        fitted = compile_for(model, recipe.train, data, steps)

        def stream_from(epoch, **changes):
            options = {"batch": batch, "seed": recipe.train.seed, "first_epoch": epoch, **augmentation, **changes}
            return part(recipe.model.task, "pipeline").training(data, **options)

        stream = stream_from(first_epoch)
        outputs = len(fitted.outputs)
        if outputs > 1:  # every output learns from the same labels
            stream = stream.map(lambda image, labels: (image, (labels,) * outputs))
        scores = Scores(model, held_out, recipe.output, every=recipe.train.evaluate_every)
        callbacks = [Backup(os.path.join(recipe.output, "backup")), scores]
        if recipe.train.precise_batch_norm:  # before the backup, so that a resumed run goes on from the same numbers
            callbacks.insert(0, Statistics(model, functools.partial(stream_from, cache=False), steps=steps, batch=batch, every=scores.every))
        callbacks.append(keras.callbacks.TensorBoard(os.path.join(recipe.output, "tensorboard"), write_graph=False))
        try:
            history = fitted.fit(
                stream, epochs=recipe.train.epochs, steps_per_epoch=steps, shuffle=False,
                callbacks=callbacks, verbose=verbose,
            )  # fmt: skip
        except Exception as error:
            _name_bad_file(error, data)
            raise
    model.save(os.path.join(recipe.output, "last.keras"))
    return history


def build(recipe, data):
    """The model of a recipe, for a data set's classes."""
    builder = getattr(builders, recipe.model.name, None)
    if builder is None or not recipe.model.name.startswith("HRNet"):
        names = [name for name in vars(builders) if name.startswith("HRNet")]
        raise ValueError(f"model.name={recipe.model.name!r}: expected one of {', '.join(names)}")
    task = recipe.model.task
    options = {name: value for name, value in asdict(recipe.model).items() if name not in ("name", "task")}
    count, names = part(task, "head").COUNTS
    options[count] = options[count] or len(getattr(data.facts, names))
    model = builder(task, include_preprocessing=True, output_stride=1, **options)  # whatever a start may say
    facts = builders.facts_of(model)
    for word in ("published", "crop_box"):  # what the weights that it starts from were is not what it becomes
        facts.pop(word, None)
    builders.name_answers(model, data.facts)
    facts.update(getattr(part(task, "pipeline"), "remembered", lambda _: {})(recipe.data))
    if recipe.train.batch_norm == "group":
        return by_groups(model)
    if recipe.train.batch_norm == "frozen":
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    return model


def steps_per_epoch(recipe, data):
    """Batches that one pass over a data set has: over its pictures or, for points, its faces or persons."""
    pipeline, batch = part(recipe.model.task, "pipeline"), recipe.train.batch
    count = len(pipeline.samples(data)) if hasattr(pipeline, "samples") else len(data)
    if count < batch:
        raise ValueError(f"train.batch={batch}: split {recipe.data.train!r} has only {count} examples to train on")
    return count // batch


def compile_for(model, train, data, steps):
    """Gives a model its objective and optimizer, for epochs of `steps`; returns the model to fit: the same weights."""
    facts = builders.facts_of(model)
    losses = part(facts["task"], "losses")
    fitted, loss, weights = losses.objective(model, data.facts, train, align_corners=facts.get("align_corners", False))
    fitted.compile(optimizer=optimizer_of(train, steps), loss=loss, loss_weights=weights)
    return fitted


def optimizer_of(train, steps_per_epoch):
    """The optimizer of a `TrainRecipe`, its schedule counted in steps."""
    steps = train.epochs * steps_per_epoch
    warmup = train.warmup_steps or round(train.warmup_epochs * steps_per_epoch)
    if train.schedule == "steps":
        milestones = [epoch * steps_per_epoch for epoch in train.milestones]
        schedule = StepSchedule(train.learning_rate, milestones, warmup_steps=warmup)
    else:
        power = {"poly": 0.9, "constant": 0.0}[train.schedule]
        schedule = PolySchedule(train.learning_rate, steps, power, warmup_steps=warmup)
    if train.optimizer == "adamw":
        return keras.optimizers.AdamW(schedule, weight_decay=train.weight_decay)
    if train.optimizer == "adam":
        return TorchAdam(schedule)
    return TorchSGD(schedule, train.momentum, train.nesterov, train.weight_decay, rate_factors=train.rate_factors)


def _augmentation(recipe):
    """What the recipe asks of the task's pipeline; refuses what that does not know."""
    known = part(recipe.model.task, "pipeline").OPTIONS
    for one in fields(DataRecipe):
        is_augmentation = one.name not in ("name", "root", "train", "evaluate", "options", "unreadable", "cache")
        default = one.default_factory() if one.default is MISSING and callable(one.default_factory) else one.default
        if is_augmentation and one.name not in known and getattr(recipe.data, one.name) != default:
            raise ValueError(
                f"data.{one.name} does not belong to task {recipe.model.task!r}: expected {', '.join(known)}"
            )
    return {name: getattr(recipe.data, name) for name in known}


def _look_at_files(recipe, *opened):
    """Ends here, and not after an hour, where a file of the data sets can't be used; names it."""
    if recipe.data.unreadable == "skip":
        return  # every file has been read already
    began = time.perf_counter()
    for dataset in opened:
        _raise_first(datasets.glance(dataset))
    seconds = time.perf_counter() - began
    if seconds > 5:
        print(f"looked at {sum(map(len, opened))} pictures and their labels in {seconds:.0f} s")


def _raise_first(problems, cause=None):
    if problems:
        more = f" (and {len(problems) - 1} more; data.unreadable: skip leaves them out)" if problems[1:] else ""
        raise ValueError(f"{problems[0][1]}{more}") from cause


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


def _open_output(recipe):
    """Prepares the output folder; returns the epoch to start with, 0 unless a run was cut off there."""
    said, path = asdict(recipe), os.path.join(recipe.output, "recipe.json")
    backup = os.path.join(recipe.output, "backup", "training_metadata.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
        changed = _changed(before, json.loads(json.dumps(said)))
        if changed:
            raise ValueError(
                f"output {recipe.output} holds another experiment ({', '.join(changed)} differ): choose another output "
                "or delete it"
            )
        if os.path.exists(os.path.join(recipe.output, "last.keras")):
            raise ValueError(
                f"output {recipe.output} holds the finished experiment: choose another output or delete it"
            )
    try:
        os.makedirs(recipe.output, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(said, file, indent=1)
    except OSError as error:
        raise ValueError(f"output {recipe.output}: {error.strerror}") from error
    if not os.path.exists(backup):
        return 0
    with open(backup, encoding="utf-8") as file:
        return json.load(file)["epoch"]


def _changed(before, now, prefix=""):
    found = []
    for key in now:
        name = f"{prefix}{key}"
        if isinstance(now[key], dict) and isinstance(before.get(key), dict):
            found += _changed(before[key], now[key], f"{name}.")
        elif now[key] != before.get(key) and name not in MAY_CHANGE:
            found.append(name)
    return found


def _strategy(batch):
    """MirroredStrategy over all GPUs where there are several, else what is in force."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if not tf.distribute.has_strategy() and len(tf.config.list_physical_devices("GPU")) > 1:
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

"""A recipe -> what a training is made of: data, model, objective, optimizer, and the stream of batches."""

import functools
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import keras

from hrnet_keras import builders, datasets
from hrnet_keras.layers.model_info import info_of, update_info
from hrnet_keras.layers.normalization import convert_to_group_norm
from hrnet_keras.optimizers import PolySchedule, StepSchedule, TorchAdam, TorchSGD
from hrnet_keras.recipe import DataRecipe, Recipe
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.objective import ObjectiveModel
from hrnet_keras.training import naming

logger = logging.getLogger(__name__)


def open_data(recipe: DataRecipe) -> list[datasets.Dataset]:
    """The split to train on and the one to score on, without unreadable pictures where the recipe skips them."""
    splits = []
    for split in (recipe.train, recipe.evaluate):
        dataset = datasets.load(recipe.name, split, recipe.root, **recipe.options)
        if recipe.unreadable == "skip":
            dataset = _without_unreadable(dataset)
        splits.append(dataset)
    return splits


def _without_unreadable(dataset: datasets.Dataset) -> datasets.Dataset:
    problems = datasets.validate(dataset)
    if not problems:
        return dataset
    for _, reason in problems:
        logger.warning("skipped: %s", reason)
    logger.warning("%d of %d pictures of split %r skipped", len(problems), len(dataset), dataset.split)
    return datasets.exclude(dataset, problems)


def build(recipe: Recipe, data: datasets.Dataset) -> keras.Model:
    """The model of a recipe, for a data set's classes or points.

    Raises:
        ValueError: there is no such net.
    """
    public = {name: builder for name, builder in vars(builders).items() if name.startswith("HRNet")}
    if recipe.model.name not in public:
        raise ValueError(f"model.name={recipe.model.name!r}: expected one of {', '.join(public)}")
    task = task_named(recipe.model.task)
    names = getattr(data.info, task.names)
    options = {key: value for key, value in asdict(recipe.model).items() if key not in ("name", "task")}
    options[task.counts] = options[task.counts] or len(names)
    model = public[recipe.model.name](
        task.name,
        include_preprocessing=True,
        output_stride=1,
        **options,  # whatever a start may say
    )
    naming.fit_last_layer(model, recipe.model.weights, names)
    # What the weights that it starts from were is not what it becomes.
    update_info(model, published=None, crop_box=None)
    builders.name_outputs(model, data.info)
    update_info(model, **recipe.augment.export_metadata())
    if recipe.train.batch_norm == "group":
        return convert_to_group_norm(model)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = recipe.train.batch_norm != "frozen"
            layer.keeps_statistics = recipe.train.batch_norm == "running"
    return model


def steps_per_epoch(recipe: Recipe, data: datasets.Dataset) -> int:
    """Batches that one pass over a data set has: over its pictures or, for points, its faces or persons.

    Raises:
        ValueError: the set is smaller than a batch.
    """
    pipeline = task_named(recipe.model.task).module("pipeline")
    count = len(pipeline.samples(data)) if hasattr(pipeline, "samples") else len(data)
    if count < recipe.train.batch:
        raise ValueError(
            f"train.batch={recipe.train.batch}: split {recipe.data.train!r} has only {count} examples to train on"
        )
    return count // recipe.train.batch


def fitted(
    model: keras.Model, recipe: Recipe, data: datasets.Dataset, steps: int, kind: type[ObjectiveModel] = ObjectiveModel
) -> ObjectiveModel:
    """The model to fit: the same weights, with the recipe's objective, and its optimizer for epochs of `steps`."""
    info = info_of(model)
    objective = task_named(info.task).module("losses").objective(recipe.loss, info, data.info)
    learner = kind.of(model, objective)
    learner.compile(optimizer=optimizer_of(recipe, steps))
    learner.optimizer.build(learner.trainable_variables)
    return learner


def schedule_of(recipe: Recipe, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate of a recipe as a function of the step, for epochs of `steps`."""
    rate, schedule = recipe.optimizer.learning_rate, recipe.schedule
    warmup = schedule.warmup_steps or round(schedule.warmup_epochs * steps)
    if schedule.name == "steps":
        milestones = [epoch * steps for epoch in schedule.milestones]
        return StepSchedule(
            rate, milestones, warmup_steps=warmup, warmup_start=schedule.warmup_start, warmup=schedule.warmup
        )
    power = {"poly": 0.9, "constant": 0.0}[schedule.name]
    return PolySchedule(rate, recipe.train.epochs * steps, power, warmup_steps=warmup)


def optimizer_of(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe, its schedule counted in steps."""
    options = recipe.optimizer
    schedule = schedule_of(recipe, steps)
    clip = options.clip_norm
    if options.name == "adamw":
        return keras.optimizers.AdamW(schedule, weight_decay=options.weight_decay, global_clipnorm=clip)
    if options.name == "adam":
        return TorchAdam(schedule, global_clipnorm=clip)
    return TorchSGD(
        schedule, options.momentum, options.nesterov, options.weight_decay, rate_factors=options.rate_factors,
        bias_rate=options.bias_rate, bias_decay=options.bias_decay,
        global_clipnorm=clip,
    )  # fmt: skip


def stream_of(recipe: Recipe, data: datasets.Dataset, *, worker: int = 0, workers: int = 1) -> Callable[..., Any]:
    """The recipe's stream of training batches.

    Args:
        recipe: of the training.
        data: to train on.
        worker, workers: which of how many machines it is for; its batches are the `workers`-th part of the recipe's.

    Returns:
        Function of `first_epoch` (counted from 0) and, where pictures are to be read without being kept, `cache`,
        to an endless `tf.data.Dataset`; raises `ValueError` where the set can't be augmented so.
    """
    training = task_named(recipe.model.task).module("pipeline").training
    return functools.partial(
        training, data, batch=recipe.train.batch // workers, seed=recipe.train.seed, cache=recipe.data.cache,
        worker=worker, workers=workers, **asdict(recipe.augment),
    )  # fmt: skip

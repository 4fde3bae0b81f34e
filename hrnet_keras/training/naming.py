"""Before the first step: the recipe, both splits and the weights to start from must mean the same classes or points."""

import json
import logging
import os
import zipfile
from collections.abc import Sequence
from typing import Any

import keras

from hrnet_keras.datasets import Dataset
from hrnet_keras.datasets.matching import difference, in_words, places_in, say_nothing
from hrnet_keras.datasets.sides import without_partner
from hrnet_keras.layers.model_info import ModelInfo, info_of
from hrnet_keras.recipe import Recipe
from hrnet_keras.tasks import TASKS
from hrnet_keras.tasks.agreement import KINDS, names_of, places_of

logger = logging.getLogger(__name__)


def check_counts(recipe: Recipe, data: Dataset) -> None:
    """Raises `ValueError` where a recipe asks for another number of classes or points than its data set has."""
    count, _, names = _learnt(recipe, data)
    what = KINDS[count][0]
    asked = getattr(recipe.model, count)
    if not names:
        raise ValueError(
            f"data set {data.info.name!r} has no {what}: expected one with {what} for task {recipe.model.task!r}"
        )
    if asked is not None and asked != len(names):
        raise ValueError(
            f"model.{count}={asked}: data set {data.info.name!r} has {len(names)} {what} ({in_words(names)}): leave "
            f"model.{count} out, it follows from the data"
        )


def check_splits(recipe: Recipe, data: Dataset, held_out: Dataset) -> None:
    """Raises `ValueError` where the held-out split can't be scored with what is learnt from the training split.

    Args:
        recipe: for the task and the names of the splits.
        data, held_out: the `Dataset` of each.
    """
    count, word, names = _learnt(recipe, data)
    learnt: dict[str, Any] = {count: len(names), word: tuple(names)}
    try:
        places_of(ModelInfo(recipe.model.task, **learnt), held_out.info)
    except ValueError as error:
        raise ValueError(
            f"split {recipe.data.evaluate!r} does not go with split {recipe.data.train!r}, whose "
            f"{KINDS[count][0]} the model learns: {error}"
        ) from error


def check_resumed(output: str, model: keras.Model) -> None:
    """Raises `ValueError` where a run that goes on has other classes or points than the model it left.

    Args:
        output: folder of the run, with its `best.keras` where there was a score already.
        model: the one built anew, with the names of the data set as it is today.
    """
    path = os.path.join(output, "best.keras")
    before = info_in_file(path)
    if before is None:
        return
    (what, _, then), (_, _, now) = names_of(before), names_of(info_of(model))
    if then != now and not (say_nothing(then) or say_nothing(now)):
        raise ValueError(
            f"output {output}: the data set's {what} are not those that the run began with: "
            f"{difference('the run', then, 'the data set', now)}: put them back, or choose another output"
        )


def fit_last_layer(model: keras.Model, weights: str | None, names: Sequence[str]) -> None:
    """Brings the last layer of a model that started from named weights into the order of a data set's names.

    Where the weights' names are others, the last layer starts anew, and both lists are logged.

    Args:
        model: as its builder left it, the names of published weights in its info.
        weights: what the builder was given; the names of a `.keras` file are read from it.
        names: of the data set's classes or points.
    """
    info = info_of(model)
    before = _info_before(info, weights)
    if before is None or before.task != info.task or before.codec == "udp_combined":
        return  # the last layer is new already, or has maps of another kind
    what, _, own = names_of(before)
    if len(own) != len(names) or say_nothing(own) or say_nothing(names):
        return
    places = places_in(names, own)
    task = TASKS[info.task]
    layers = [model.get_layer(name) for name in task.last_layers[info.head]]
    if None in places:
        _start_anew(layers)
        logger.info(
            "%s: %s: these %s can't be matched, so the last layer starts at random",
            weights, difference("it", own, "the data set", names), what,
        )  # fmt: skip
        return
    found = [place for place in places if place is not None]
    if found != list(range(len(own))):
        for layer in layers:
            columns = task.columns(layer.name, found, info.lineage)
            layer.set_weights([value[..., columns] for value in layer.get_weights()])
        logger.info("%s: its %s are in another order than the data set's: the last layer is reordered", weights, what)


def _info_before(info: ModelInfo, weights: str | None) -> ModelInfo | None:
    """That of the weights a model started from: a `.keras` file holds its own, published ones are in the model's."""
    if str(weights or "").endswith(".keras"):
        return info_in_file(weights)
    return info


def tell_sides(data: Dataset, recipe: Recipe) -> None:
    """Says which classes change places in mirrored pictures, and which names have a side but no partner."""
    flip = recipe.augment.flip
    if not flip:
        return
    _, word, names = _learnt(recipe, data)
    pairs = data.info.flip_pairs
    if word == "class_names":
        pairs = data.info.label_flip_pairs
    if pairs and word == "class_names":
        swapped = in_words([f"{names[a]} and {names[b]}" for a, b in pairs])
        logger.info("mirrored pictures (augment.flip=%g) exchange %s", flip, swapped)
    lonely = without_partner(names, pairs)
    if lonely:
        logger.info(
            "no partner on the other side: %s: in mirrored pictures (augment.flip=%g) they keep their names; name the "
            "partners alike, or set augment.flip to 0",
            in_words(lonely), flip,
        )  # fmt: skip


def _learnt(recipe: Recipe, data: Dataset) -> tuple[str, str, Sequence[str]]:
    """The words for the number and the names of what a task learns, and these names of a data set."""
    task = TASKS[recipe.model.task]
    return task.counts, task.names, getattr(data.info, task.names)


def info_in_file(path: Any) -> ModelInfo | None:
    """The `ModelInfo` in a `.keras` file, without building its model; `None` where there is none."""
    try:
        with zipfile.ZipFile(path) as file:
            layers = json.loads(file.read("config.json"))["config"]["layers"]
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError):
        return None  # whoever loads it says what is wrong
    for layer in layers:
        if layer.get("class_name") in ("ModelInfoLayer", "Answer"):  # the latter in files of version 1
            config = layer["config"]
            return ModelInfo.from_dict(config.get("info") or config["facts"])
    return None


def _start_anew(layers: list[keras.layers.Layer]) -> None:
    for layer in layers:
        layer.kernel.assign(layer.kernel_initializer(layer.kernel.shape, layer.kernel.dtype))
        if layer.bias is not None:
            layer.bias.assign(layer.bias_initializer(layer.bias.shape, layer.bias.dtype))

"""A model and a data set -> the task's official figures."""

import itertools
import logging
import os
import sys
from typing import Any

import keras

from hrnet_keras import datasets
from hrnet_keras.checkpoints import zoo
from hrnet_keras.datasets.published import scored_on
from hrnet_keras.layers.model_info import ModelInfo, info_of
from hrnet_keras.loading import load
from hrnet_keras.logs import plain_lines
from hrnet_keras.predictor import HELD, open_predictor
from hrnet_keras.runtime import saved_info
from hrnet_keras.tasks import TASKS, task_named
from hrnet_keras.tasks.agreement import in_data_order, places_of
from hrnet_keras.tasks.processing import PredictOptions
from hrnet_keras.writing import stems_inside

logger = logging.getLogger(__name__)


def evaluate(
    model: keras.Model | str | os.PathLike[str] | None = None, dataset: datasets.Dataset | str | None = None, *,
    weights: str | None = None, split: str | None = None, root: str | os.PathLike[str] | None = None,
    limit: int | None = None, protocol: Any = None, save: str | os.PathLike[str] | None = None, verbose: bool = True,
    **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """Scores a model by its task's official protocol.

    Classes and points are matched by name: where the data set has them in another order than the model, the model's
    answers are brought into the data set's order, also those that are saved.

    Args:
        model: `keras.Model`, path of a `.keras` file or checkpoint, SavedModel directory, or published name.
        dataset: a `Dataset`, or the name of one; default: the one that the model was trained on.
        weights: instead of a model: a published name, or that of a data set: its best published weights.
        split: of a data set given by name; default: the one that its published scores are of, mostly `"val"`.
        root: folder of its files.
        limit: number of pictures, from the front; default all.
        protocol: how pictures are shown to the net; for segmentation a `tasks.segmentation.protocol.Protocol`, or a
            dict of what is to be different from the default: that of the weights' published score, else of the
            data set's (single scale). For points a dict with `flip`: whether the mirrored crop is looked at, too.
            For detection a `tasks.detection.protocol.Protocol` or a dict of its fields: `sizes`, `flip`, `soft`.
        save: folder that gets every answer as a file, named like its example: label maps in the data set's own coding,
            points and boxes as JSON; for detection also `results.bbox.json` and, with masks, `results.segm.json`, as
            COCO's evaluator and server take them. Answers of an earlier run are replaced, files of the data set never;
            names that lead out of the folder (`../x`) are taken from their common folder on.
        verbose: shows progress and the table.
        **options: of the data set given by name. Where lineages read a set differently (COCO, COFW), it is read as the
            model learnt it, unless `lineage` says otherwise.

    Returns:
        The metric's result as a dict; for segmentation `mIoU`, `pixel_accuracy`, `mean_accuracy`, and per class `IoU`
        and `accuracy`; for faces `NME` and what goes with it, in percent; for persons `AP` and COCO's other figures,
        0..1, or `PCKh` or `PCK`, in percent; for objects `AP` and COCO's other figures, 0..1, of boxes and (`mask_AP`
        ...) of masks, and per class `class_AP` and `class_AP50`.

    Raises:
        ValueError: a model of other classes or points than the data set's, unknown names, bad files, no data set for a
            model that does not say what it was trained on, an answer that is no finite number, answers that can't be
            told apart or would overwrite the data set's files (before anything is scored).
    """
    _check_limit(limit)  # before a model is loaded
    model = _what_to_score(model, dataset, weights)
    if dataset is not None and not isinstance(dataset, str):
        if options:
            raise TypeError(f"options {sorted(options)} belong to a data set given by name")
    else:
        model, dataset = _opened(model, dataset, split, root, options)
    predictor = open_predictor(model, PredictOptions(protocol=protocol, data=dataset.info))
    task = task_named(predictor.info.task)
    places = places_of(predictor.info, dataset.info)
    metric = task.module("metrics").Metric(dataset.info)
    count = len(dataset)
    if limit is not None:
        count = min(limit, count)
    stems = None
    if save is not None:
        stems = _stems(save, dataset, task)
    requests = _requests(predictor, task, itertools.islice(datasets.read_ahead(dataset), count))
    for i, (example, result) in enumerate(predictor(requests)):
        words = in_data_order(result, places).to_dict()
        metric.update(words, example)
        if stems is not None:
            task.module("inference").write(words, stems[i], dataset.to_file)
        if verbose:
            _print_progress(i + 1, count)
    if save is not None and hasattr(metric, "save"):
        metric.save(save)
    figures = metric.result()
    if verbose:
        with plain_lines():
            logger.info("%s", task.module("metrics").table(figures))
            _log_published(predictor.info, dataset, options)
    return figures


def _print_progress(done, count):
    if sys.stderr.isatty():
        print(f"\r{done}/{count} pictures", end="\n" if done == count else "", file=sys.stderr, flush=True)


def _requests(predictor, task, examples):
    """What the net is to be shown of every example, and the example without its picture, of which many may wait."""
    held = 0
    for example in examples:
        prompts = {word: example[word] for word in task.input_keys if word in example}
        request = predictor.preprocess(example["image"], **prompts)
        held += example["image"].nbytes
        yield {word: value for word, value in example.items() if word != "image"}, request
        if held > HELD:
            yield None
            held = 0


def _check_limit(limit):
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit}: expected a number of pictures, 1 or more")


def _what_to_score(model, dataset, weights):
    """The model, or the name of the published weights that are asked for."""
    if weights is not None and model is not None:
        raise ValueError("evaluate: expected a model or --weights, not both")
    if weights is not None:
        return zoo.best(weights, tasks=tuple(TASKS)).name
    if model is None:
        raise ValueError("evaluate: expected MODEL and DATASET, or --weights NAME")
    return model


def _stems(folder, dataset, task):
    """Where the answers about the examples of a data set go, in its order: paths without their ending."""
    if task.saved_as is None:
        raise ValueError(f"save={str(folder)!r}: a model of task {task.name!r} writes no answers: expected None")
    keep = [file for file in dataset.files if isinstance(file, (str, os.PathLike))]
    return stems_inside(os.fspath(folder), dataset.names, task.saved_as, keep=keep)


def _opened(model, name, split, root, options) -> tuple[Any, datasets.Dataset]:
    """The model, loaded where it was a file, and the data set that it is to be scored on."""
    if isinstance(model, (str, os.PathLike)):
        model, info = _model_and_info(os.fspath(model))
    else:
        info = info_of(model)
    name = name or info.data
    if name is None:
        raise ValueError("dataset=None: expected one, as the model does not say what it was trained on")
    name = task_named(info.task).scored_with.get(name, name)
    name, usual, own = scored_on(name, info.convention or info.lineage)
    return model, datasets.load(name, split or usual, root, **{**own, **options})


def _model_and_info(source):
    """A model that is named, loaded where its info can't be had otherwise, and its info."""
    entry = next((entry for entry in zoo.entries() if entry.name == source), None)
    # The model is loaded later: a data set that isn't there is said before hundreds of megabytes are fetched.
    if entry is not None:
        zoo.check_built(entry)
        return source, ModelInfo(entry.task, data=entry.data, lineage=entry.lineage)
    if os.path.isdir(source):
        return source, saved_info(source)
    model = load(source)
    return model, info_of(model)


def _log_published(info, dataset, options):
    """The published score of published weights, under the measured one."""
    published = info.published
    task = task_named(info.task)
    is_of_boxes = "boxes" in task.input_keys  # what is found in boxes that are given
    if published and is_of_boxes and dataset.info.name == "coco" and "detections" not in options:
        logger.info("on the annotated boxes; the published score is of a detector's: --option '{detections: FILE}'")
    if published and info.data == dataset.info.name:
        score = ", ".join(f"{name} {value * task.published_unit:g}" for name, value in published["score"].items())
        note = f" ({published['note']})" if published["note"] else ""
        logger.info("published: %s%s", score, note)

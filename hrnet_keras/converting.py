"""A checkpoint of PyTorch, or a `.keras` file -> a model of this package, and files to take away."""

import os
from typing import Any

import keras

from hrnet_keras import builders
from hrnet_keras.checkpoints.checkpoint import Source, open_checkpoint, read_keras
from hrnet_keras.checkpoints.lineages import naming_for
from hrnet_keras.checkpoints.loading import LoadReport, load_checkpoint, report_of, save_torch_weights
from hrnet_keras.checkpoints.model_weights import lineage_of, task_of, tensors_of
from hrnet_keras.checkpoints.torch_file import CheckpointError
from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.folder import read_classes
from hrnet_keras.datasets.published import published
from hrnet_keras.layers.model_info import ModelInfo, find_info, info_of

ENDINGS = (".keras", ".weights.h5", ".safetensors")


def convert(
    source: Source, destination: str | os.PathLike, *, task: str | None = None, classes: str | None = None,
    lineage: str | None = None, align_corners: bool | None = None, state: str | None = None,
) -> tuple[keras.Model, LoadReport]:  # fmt: skip
    """Turns a checkpoint into a file that Keras, or another program, reads.

    Net, width, task, lineage and counts are found in the checkpoint.

    Args:
        source: path of a `.pth`, `.pt` or `.safetensors` file, or of a `.keras` file of this package; a published name,
            or a dict of arrays.
        destination: `.keras` (the whole model), `.weights.h5` (Keras's weights) or `.safetensors` (PyTorch's names).
        task: what the checkpoint is for: a check; default: what it says.
        classes: names for the classes: a published data set's (`"cityscapes"`), or the path of a text file with a name
            per line, with a colour behind it if wanted (`hrnet_keras.datasets.folder.read_classes`).
        lineage: whose net it is, where the names leave a choice.
        align_corners: `True` for nets of the official OCR branch that were trained so.
        state: of a file with several nets, where the one to take is, as in `load_torch_weights`.

    Returns:
        The model and its `LoadReport`.

    Raises:
        ValueError: another ending, another task than the checkpoint's, or names that do not fit its classes.
        CheckpointError: the file can't be read.
        OSError: the destination can't be written.
    """
    destination = os.fspath(destination)
    if not destination.endswith(ENDINGS):
        raise ValueError(f"{destination}: expected a name that ends in {', '.join(ENDINGS)}")
    model, report = _load(source, task=task, lineage=lineage, align_corners=align_corners, state=state)
    if classes is not None:
        builders.name_outputs(model, _names(classes, info_of(model)))
    _write(model, destination, report.lineage)
    return model, report


def _load(source: Any, *, state: str | None, **options: Any) -> tuple[keras.Model, LoadReport]:
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if path.endswith(".keras"):
            return from_keras(path, **options)
        problem = None
        if os.path.isdir(path):
            problem = "is a folder"
        elif path.endswith(".weights.h5"):
            problem = "holds a net's numbers without the net"
        if problem is not None:
            raise ValueError(f"{path}: {problem}: expected a .pth, .pt, .safetensors or .keras file")
    return from_checkpoint(source, state=state, **options)


def from_checkpoint(
    source: Source, *, task: str | None = None, lineage: str | None = None, align_corners: bool | None = None,
    state: str | None = None,
) -> tuple[keras.Model, LoadReport]:  # fmt: skip
    """Builds the model that a checkpoint is of, with its weights; arguments and errors as in `convert`.

    Returns:
        The model and its `LoadReport`.
    """
    checkpoint = open_checkpoint(source, lineage=lineage, state=state)
    if task not in (None, checkpoint.task):
        raise ValueError(
            f"{checkpoint.name}: task={task!r} was asked for, the checkpoint is of task {checkpoint.task!r}"
        )
    builder = getattr(builders, f"HRNet{checkpoint.representation}{checkpoint.width}")
    if checkpoint.has_head:
        model = builder(checkpoint.task, weights=checkpoint, align_corners=align_corners)
        return model, report_of(model, checkpoint)
    # The pyramid of a detector, or a trunk alone: what mixes its maps may be lacking, and stays random.
    model = builder(lineage=checkpoint.lineage)
    return model, load_checkpoint(model, checkpoint, strict=False)


def from_keras(
    path: str | os.PathLike, *, task: str | None = None, lineage: str | None = None, align_corners: bool | None = None
) -> tuple[keras.Model, LoadReport]:
    """Loads a `.keras` file of this package; arguments and errors as in `convert`.

    Returns:
        The model and its `LoadReport`: every weight is loaded.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise CheckpointError(f"{path}: no such file")
    model = read_keras(path, path)
    own_task = task_of(model)
    info = find_info(model)
    aligned = info is not None and info.align_corners
    _check_asked(path, "task", task, own_task)
    _check_asked(path, "align_corners", align_corners, aligned)
    report = LoadReport(
        lineage=lineage or lineage_of(model), naming=naming_for(lineage_of(model), own_task), task=own_task,
        loaded=tuple(tensors_of(model)), missing=(), unused=(),
    )  # fmt: skip
    return model, report


def _check_asked(path: str, word: str, asked: Any, own: Any) -> None:
    if asked not in (None, own):
        raise ValueError(f"{path}: {word}={asked!r} was asked for, the file's net has {own!r}")


def _names(classes: str, info: ModelInfo) -> DatasetInfo:
    data = published(classes)
    if data is None:
        if not os.path.isfile(classes):
            raise ValueError(f"classes={classes!r}: neither a published data set nor a file of names")
        names, palette = read_classes(classes)
        data = DatasetInfo(os.path.splitext(os.path.basename(classes))[0], class_names=names, palette=palette)
    if len(data.class_names) != info.num_classes:
        raise ValueError(f"classes={classes!r}: {len(data.class_names)} names for {info.num_classes} classes")
    return data


def _write(model: keras.Model, destination: str, lineage: str) -> None:
    try:
        if destination.endswith(".safetensors"):
            save_torch_weights(model, destination, lineage=lineage)
        elif destination.endswith(".keras"):
            model.save(destination)
        else:
            model.save_weights(destination)
    except OSError as error:
        raise OSError(f"can't write {destination}: {error.strerror or error}") from error

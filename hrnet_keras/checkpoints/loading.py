"""Tensors in PyTorch's names and layout <-> the weights of a finished Keras model."""

import json
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from hrnet_keras.checkpoints.checkpoint import Checkpoint, Source, open_checkpoint
from hrnet_keras.checkpoints.lineages import COUNTER, NAMINGS, check_lineage_name
from hrnet_keras.checkpoints.model_weights import (
    check_lineage,
    has_group_norms,
    in_one_order,
    not_in_pytorch,
    some,
    tensors_of,
    to_keras_layout,
    torch_names,
)
from hrnet_keras.checkpoints.torch_file import OWN_METADATA
from hrnet_keras.layers.model_info import find_info
from hrnet_keras.tasks import TASKS


@dataclass(frozen=True)
class LoadReport:
    """What became of a state dict.

    Attributes:
        lineage: whose conventions its net follows.
        naming: whose names it has, a key of `checkpoints.lineages.NAMINGS`.
        task: of the net it comes from; `None` for a trunk alone.
        loaded: names of tensors that went into the model.
        missing: names of tensors that the model has and the state dict lacks (or has in another shape): these weights
            are as before.
        unused: names that the model has no place for.
        state: where in the file it was, its keys with dots between; `""` where nothing is around it.
        notes: what had to be assumed, and how to say otherwise: a sentence each.
    """

    lineage: str
    naming: str
    task: str | None
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    state: str = ""
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Returns the report as readable text: layers, not every tensor."""
        task = self.task or "none: trunk alone"
        lines = [f"{len(self.loaded)} tensors loaded (a net of {self.naming}, task {task})"]
        if self.missing:
            lines.append(f"{len(self.missing)} not in the file, unchanged: {_groups(self.missing)}")
        if self.unused:
            lines.append(f"{len(self.unused)} not used: {_groups(self.unused)}")
        return "\n".join([*lines, *self.notes])


def load_torch_weights(
    model: keras.Model, source: Source, *, lineage: str | None = None, strict: bool = True, state: str | None = None
) -> LoadReport:
    """Loads tensors that carry PyTorch's names and layout into a model.

    Args:
        model: a model of this package, or any part of one cut out by `keras.Model(inputs, outputs)`.
        source: path of a checkpoint (`.pth`, `.pt`, `.safetensors`, `.keras`), a published name, or
            `{name: numpy array}` in PyTorch's layout (convolutions out, in, height, width; linear out, in).
        lineage: whose net it is, where the names don't tell; default: found from the names.
        strict: `True` refuses a state dict in which a tensor of the model is missing or misshapen, of another task, or
            of a lineage that resizes otherwise than the model; `False` takes what fits.
        state: of a file with several nets, where the one to take is: its keys with dots between, or a part of them
            (`"state_dict_ema"`, `"student"`); default: plain weights before averaged ones, and `state_dict`, `model`
            and their like before other keys.

    Returns:
        A `LoadReport`. Step counters (`num_batches_tracked`) are neither loaded nor reported.

    Raises:
        CheckpointError: the file can't be read, or has several nets and nothing that tells which.
        TypeError: `source` is neither a path nor a mapping of names.
        ValueError: no such lineage; names of no HRNet or of two programs; under `strict` another task or lineage than
            the model's, or a tensor missing or misshapen; nothing fits at all. The model is then unchanged.

    Warns:
        UserWarning: where something had to be assumed (`LoadReport.notes`).
    """
    if lineage is not None:
        check_lineage_name(lineage)
    checkpoint = open_checkpoint(source, lineage=lineage, state=state)
    report = load_checkpoint(model, checkpoint, strict=strict)
    for note in report.notes:
        warnings.warn(f"{checkpoint.name}: {note}", stacklevel=2)
    return report


def load_checkpoint(model: keras.Model, checkpoint: Checkpoint, *, strict: bool = True) -> LoadReport:
    """Loads an opened checkpoint into a model; arguments, errors and what is returned as in `load_torch_weights`."""
    if checkpoint.weights_file is not None:
        raise ValueError(f"{checkpoint.name}: holds a net's numbers without the net, which the model itself loads")
    if strict:
        _check_kind(model, checkpoint)
    elif not in_one_order(model, checkpoint.lineage):
        checkpoint = checkpoint.without_last_layers()
    match = _matched(model, checkpoint)
    problems = _problems(model, match) if strict else ""
    if not match.values and not problems:
        problems = f"none of the {len(checkpoint.tensors)} tensors fits a layer of {model.name!r}"
    if problems:
        raise ValueError(f"{checkpoint.name}: {checkpoint.naming} net: {problems}")
    for variable, value in match.values.values():
        variable.assign(value)
    return _report(checkpoint, match)


def report_of(model: keras.Model, checkpoint: Checkpoint) -> LoadReport:
    """What `load_checkpoint` says of a model and a checkpoint, with nothing loaded."""
    return _report(checkpoint, _matched(model, checkpoint))


@dataclass(frozen=True)
class _Match:
    """Which tensors go where.

    Attributes:
        values: `{tensor's name: (variable, what it is to hold)}`.
        missing: names of tensors that the model has and the checkpoint lacks.
        misshapen: `{name: both shapes, in words}` of tensors that do not fit their variable.
    """

    values: dict[str, tuple[keras.Variable, np.ndarray]]
    missing: list[str]
    misshapen: dict[str, str]


def _matched(model: keras.Model, checkpoint: Checkpoint) -> _Match:
    tensors = checkpoint.tensors
    match = _Match({}, list(not_in_pytorch(model)), {})
    # Numbers that come from Keras have the scales in effect already.
    scales = "official" if checkpoint.from_keras else checkpoint.lineage
    without_biases = NAMINGS[checkpoint.naming].without_biases
    for name, variable in torch_names(model, checkpoint.naming):
        if name not in tensors and name.endswith(".bias") and name.startswith(without_biases):
            match.values[name] = (variable, np.zeros(variable.shape, np.float32))
            continue
        if name not in tensors or name in tensors.beside or name.startswith(checkpoint.left_out):
            match.missing.append(name)
            continue
        value = to_keras_layout(np.asarray(tensors[name]), name, variable, scales)
        expected = tuple(variable.shape)
        if tuple(value.shape) == expected:
            match.values[name] = (variable, value)
        else:
            given = np.shape(tensors[name])
            match.misshapen[name] = f"given {given} (PyTorch layout), the model has {expected} (Keras layout)"
    return match


def _report(checkpoint: Checkpoint, match: _Match) -> LoadReport:
    tensors = checkpoint.tensors
    left = [name for name in tensors if not name.endswith(COUNTER) and not name.startswith(checkpoint.left_out)]
    unused = [name for name in left if name not in match.values]
    return LoadReport(
        lineage=checkpoint.lineage, naming=checkpoint.naming, task=checkpoint.task,
        loaded=tuple(name for name in match.values if name in tensors),
        missing=(*match.missing, *match.misshapen), unused=tuple(unused), state=tensors.key, notes=checkpoint.notes,
    )  # fmt: skip


def save_torch_weights(model: keras.Model, path: str | os.PathLike, *, lineage: str = "official") -> tuple[str, ...]:
    """Writes a model's weights with PyTorch's names and layout, for the program that the lineage belongs to.

    Args:
        model: a model of this package.
        path: of a `.safetensors` file; read it in PyTorch with `safetensors.torch.load_file` and `load_state_dict`.
        lineage: `"official"`, `"official_torch04"`, `"mmlab"` or `"timm"`.

    Returns:
        The names written.

    Raises:
        ValueError: another ending; no such lineage, or one whose nets compute otherwise than this model; a layer
            whose weights no such net has (group norms, layers of your own).
        OSError: the file can't be written.
    """
    path = os.fspath(path)
    if not path.endswith(".safetensors"):
        raise ValueError(f"path={path!r}: expected a name that ends in .safetensors")
    check_lineage_name(lineage)
    check_lineage(model, lineage, f"saving {path}")
    tensors = tensors_of(model, lineage)
    info = find_info(model)
    aligned = info is not None and info.align_corners
    _write(path, tensors, {"lineage": lineage, "align_corners": aligned})
    return tuple(tensors)


def _check_kind(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Refuses a net of another task, normalisation or lineage than the model's."""
    name = checkpoint.name
    has_batch_norms = any(tensor.endswith(".running_var") for tensor in checkpoint.tensors)
    if has_batch_norms and has_group_norms(model):
        raise ValueError(
            f"{name}: a net of batch norms, {model.name!r} normalises by groups of channels, where such weights mean "
            "something else: load them into the model before convert_to_group_norm, or strict=False"
        )
    info = find_info(model)
    if info is None:
        return
    if checkpoint.task != info.task:
        kind = f"task {checkpoint.task!r}" if checkpoint.task else "no task (a trunk alone)"
        raise ValueError(
            f"{name}: a net for {kind}, the model is for task {info.task!r}; strict=False loads what they share"
        )
    aligned = checkpoint.align_corners
    if TASKS[info.task].may_align_corners and aligned not in (None, info.align_corners):
        raise ValueError(
            f"{name}: saved from a net with align_corners={aligned}, the model was built with "
            f"align_corners={info.align_corners}: build it with align_corners={aligned}"
        )
    check_lineage(model, checkpoint.lineage, name)


def _problems(model: keras.Model, match: _Match) -> str:
    lines = []
    if match.missing:
        lines.append(f"{len(match.missing)} tensors of {model.name!r} are missing: {some(match.missing)}")
    if match.misshapen:
        shapes = [f"{name}: {shapes}" for name, shapes in match.misshapen.items()]
        lines.append(f"{len(shapes)} tensors are of another shape (another width or class count?): {some(shapes, 4)}")
    return "; ".join(lines)


def _groups(names: Sequence[str]) -> str:
    """Names, cut to the part of the net they belong to, with counts."""
    counts = Counter(map(_group, names))
    return some([f"{part} ({count})" for part, count in counts.items()], 12)


def _group(name: str) -> str:
    words = name.split(".")
    if words[0] in ("backbone", "roi_head"):
        return ".".join(words[:3])
    if len(words) > 2 and words[1].isdigit():
        return ".".join(words[:2])
    return words[0]


def _write(path: str, tensors: Mapping[str, np.ndarray], says: dict[str, str | bool]) -> None:
    """Writes a `.safetensors` file whole or not at all; `says`: what the tensors themselves don't tell.

    Written here, as the library puts two entries of metadata in an order of chance and the same weights are to give
    the same bytes. Source: the format of github.com/huggingface/safetensors.
    """
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))  # so every tensor is aligned
    header: dict[str, dict] = {"__metadata__": {"format": "pt", OWN_METADATA: json.dumps(says)}}
    start = 0
    for name, value in ordered:
        kind = {"float32": "F32", "int64": "I64"}[value.dtype.name]
        end = start + value.nbytes
        header[name] = {"dtype": kind, "shape": value.shape, "data_offsets": [start, end]}
        start = end
    # The safetensors format: the header's length in eight bytes, JSON padded with blanks, the numbers.
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    half = f"{path}.part"
    try:
        with open(half, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for _, value in ordered:
                file.write(value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes())
        os.replace(half, path)
    except OSError as error:
        if os.path.exists(half):
            os.remove(half)
        raise OSError(f"can't write {path}: {error.strerror or error}") from error

"""Tensors in PyTorch's names and layout <-> the weights of a finished Keras model."""

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hrnet_keras.architecture import LINEAGES
from hrnet_keras.checkpoints.lineages import COUNTER, NAMINGS, Identity, identify, is_trunk, naming_for
from hrnet_keras.checkpoints.model_weights import (
    check_lineage,
    has_group_norms,
    is_group_norm,
    pytorch_weights,
    some,
    tensors_of,
    to_keras_layout,
    torch_names,
)
from hrnet_keras.checkpoints.pickled import CheckpointError
from hrnet_keras.checkpoints.states import State, choose, places_in, state_of
from hrnet_keras.checkpoints.torch_file import OWN_METADATA, read_state
from hrnet_keras.layers.model_info import find_info


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

    def summary(self):
        """Returns the report as readable text: layers, not every tensor."""
        lines = [f"{len(self.loaded)} tensors loaded (a net of {self.naming}, task {self.task or 'none: trunk alone'})"]
        for title, names in (("not in the file, unchanged", self.missing), ("not used", self.unused)):
            lines += [f"{len(names)} {title}: {_groups(names)}"] if names else []
        return "\n".join([*lines, *self.notes])


def load_torch_weights(model, source, *, lineage=None, strict=True, state=None):
    """Loads tensors that carry PyTorch's names and layout into a model.

    Args:
        model: a model of this package, or any part of one cut out by `keras.Model(inputs, outputs)`.
        source: path of a checkpoint (`.pth`, `.pt`, `.safetensors`), or `{name: numpy array}` in PyTorch's layout
            (convolutions out, in, height, width; linear out, in).
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
    if lineage is not None and lineage not in LINEAGES:
        raise ValueError(f"lineage={lineage!r}: expected one of {', '.join(map(repr, LINEAGES))}")
    tensors, where = open_source(source, state)
    report = load_tensors(model, tensors, where, lineage=lineage, strict=strict)
    for note in report.notes:
        warnings.warn(f"{where}: {note}", stacklevel=2)
    return report


def load_tensors(model, tensors, where, *, lineage=None, strict=True, identity=None):
    """`load_torch_weights` for a `State` that `open_source` has opened; `identity`: whose net it is, where known."""
    found = identity or identity_of(tensors, lineage, where)
    if strict:
        _check_kind(model, found, tensors, where)
    scales = "official" if tensors.exact else found.lineage
    loaded, missing, misshapen = {}, list(_not_in_pytorch(model)), []
    for name, variable in torch_names(model, found.naming):
        if name not in tensors or name in tensors.beside:
            missing.append(name)
            continue
        value = to_keras_layout(np.asarray(tensors[name]), name, variable, scales)
        if tuple(value.shape) != tuple(variable.shape):
            given, expected = np.shape(tensors[name]), tuple(variable.shape)
            misshapen.append(f"{name}: given {given} (PyTorch layout), the model has {expected} (Keras layout)")
            continue
        loaded[name] = (variable, value)
    problems = _problems(model, missing if strict else [], misshapen if strict else [])
    if not loaded and not problems:
        problems = f"none of the {len(tensors)} tensors fits a layer of {model.name!r}"
    if problems:
        raise ValueError(f"{where}: {found.naming} net: {problems}")
    for variable, value in loaded.values():
        variable.assign(value)
    missing += [line.split(":")[0] for line in misshapen]
    unused = [name for name in tensors if name not in loaded and not name.endswith(COUNTER)]
    kind = (found.lineage, found.naming, found.task)
    notes = _notes(tensors, found, lineage)
    return LoadReport(*kind, tuple(loaded), tuple(missing), tuple(unused), tensors.key, notes)


def load_trunk(model, tensors, where):
    """Loads a trunk from the tensors of any task, as the papers start from ImageNet; heads are left as they are.

    Returns:
        A `LoadReport`.

    Raises:
        ValueError: the trunk is of another net, or there is none.
    """
    report = load_tensors(model, tensors, where, strict=False)
    trunk = NAMINGS[report.naming].trunk
    lacking = [name for name in report.missing if name.startswith(trunk) and is_trunk(name.removeprefix(trunk))]
    if lacking:
        raise ValueError(f"{where}: {len(lacking)} tensors of the trunk are missing or misshapen: {some(lacking)}")
    return report


def save_torch_weights(model, path, *, lineage="official"):
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
    if lineage not in LINEAGES:
        raise ValueError(f"lineage={lineage!r}: expected one of {', '.join(map(repr, LINEAGES))}")
    check_lineage(model, lineage, f"saving {path}")
    tensors = tensors_of(model, lineage)
    info = find_info(model)
    aligned = info is not None and info.align_corners
    _write(path, tensors, {"lineage": lineage, "align_corners": aligned})
    return tuple(tensors)


def open_source(source, state=None):
    """A path or a dict -> the net's `State`, and what to call the source in messages."""
    where = _where(source)
    if isinstance(source, State):
        return source, where
    if isinstance(source, (str, os.PathLike)):
        return read_state(source, state=state), where
    if not hasattr(source, "keys"):
        raise TypeError(
            f"source: expected the path of a checkpoint, or a dict of names and arrays, given {type(source).__name__}"
        )
    content = source if isinstance(source, Mapping) else {name: source[name] for name in source.keys()}  # noqa: SIM118
    places = places_in(content, lambda value: hasattr(value, "shape"))
    if not places:
        return State(), where
    try:
        net = choose(places, state)
        return state_of(net, net.place.tensors), where
    except CheckpointError as error:
        raise ValueError(f"{where}: {error}") from error


def identity_of(tensors, lineage=None, where="the tensors"):
    """Whose net a `State` is; a lineage that is given, or that the file states, decides where names leave a choice.

    Raises:
        ValueError: no HRNet's names, those of two programs, or not those of the given lineage.
    """
    found = _identity(tensors, where)
    lineage = lineage or tensors.says.get("lineage")
    if lineage is None or lineage == found.lineage:
        return found
    alike = {"official", "official_torch04", "timm"}  # the same names; what they mean differs
    trunk_alone = found.task is None and found.naming in ("official", "mmdet")
    if {lineage, found.lineage} <= alike or trunk_alone:
        return Identity(naming_for(lineage, found.task), found.task) if not trunk_alone else found
    raise ValueError(f"{where}: names of {found.naming} (lineage {found.lineage!r}), lineage={lineage!r} was asked for")


def _identity(tensors, where):
    """What the tensors themselves show."""
    if tensors.exact:  # a model of this package, which says it
        lineage, task = tensors.says.get("lineage", "official"), tensors.says["task"]
        return Identity(naming_for(lineage, task), task)
    try:
        found = identify([name for name in tensors if name not in tensors.beside])
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    plain = found.naming == "official_torch04" and not _in_place(tensors)
    return Identity("official", found.task) if plain else found


def _in_place(tensors):
    """Whether a net without step counters comes from the in-place batch norms of PyTorch 0.4.1.

    PyTorch's own batch norms note version 2 beside their weights, other modules 1. Without a note: their scales in
    effect are absolute, so a training that has pushed some below zero shows both kinds alike; where none is below zero
    both mean the same but for 1e-5, and the plain reading is exact for the plain net.
    """
    if tensors.versions:
        return max(tensors.versions) < 2
    return _lowest_scale(tensors) < 0


def _lowest_scale(tensors):
    scales = [np.asarray(value) for name, value in tensors.items() if name.endswith(".weight") and np.ndim(value) == 1]
    return min((float(scale.min()) for scale in scales if scale.size), default=0.0)


def _notes(tensors, found, lineage):
    """What was assumed of a net, as sentences."""
    notes = []
    if tensors.others:
        others = ", ".join(map(repr, tensors.others))
        notes.append(f"taken from {tensors.key!r}; there is also {others}: state={tensors.others[0]!r} takes that")
    stated = lineage or tensors.says.get("lineage") or tensors.versions
    if found.naming == "official_torch04" and not stated:
        notes.append(
            "it has no step counters and scales below zero, so it was taken for a net of PyTorch 0.4.1, whose scales "
            "in effect are abs(weight) + 1e-5 (lineage 'official_torch04'); where the counters of a later net were "
            "left out, say lineage='official'"
        )
    return tuple(notes)


def _not_in_pytorch(model):
    """Names of the weights of a model's layers that no state dict can fill."""
    for layer in model.layers:
        if not pytorch_weights(layer) and not is_group_norm(layer):
            yield from (f"{layer.name}.{variable.name}" for variable in layer.weights)


def _check_kind(model, found, tensors, where):
    if has_group_norms(model) and any(name.endswith(".running_var") for name in tensors):
        raise ValueError(
            f"{where}: a net of batch norms, {model.name!r} normalises by groups of channels, where such weights mean "
            "something else: load them into the model before convert_to_group_norm, or strict=False"
        )
    info = find_info(model)
    if info is None:
        return
    if found.task != info.task:
        kind = f"task {found.task!r}" if found.task else "no task (a trunk alone)"
        raise ValueError(
            f"{where}: a net for {kind}, the model is for task {info['task']!r}; strict=False loads what they share"
        )
    aligned = info.align_corners
    if info.task == "seg" and bool(tensors.says.get("align_corners", aligned)) != aligned:
        raise ValueError(
            f"{where}: saved from a net with align_corners={not aligned}, the model was built with "
            f"align_corners={aligned}: build it with align_corners={not aligned}"
        )
    check_lineage(model, found.lineage, where)


def _problems(model, missing, misshapen):
    lines = [f"{len(missing)} tensors of {model.name!r} are missing: {some(missing)}"] if missing else []
    if misshapen:
        lines.append(
            f"{len(misshapen)} tensors are of another shape (another width or class count?): {some(misshapen, 4)}"
        )
    return "; ".join(lines)


def _where(source):
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the given tensors"


def _groups(names):
    """Names, cut to the part of the net they belong to, with counts."""
    counts = {}
    for name in names:
        words = name.split(".")
        whole = words[:2] if len(words) > 2 and words[1].isdigit() else words[:1]
        key = ".".join(words[:3]) if words[0] in ("backbone", "roi_head") else ".".join(whole)
        counts[key] = counts.get(key, 0) + 1
    return some([f"{key} ({count})" for key, count in counts.items()], 12)


def _write(path, tensors, says):
    """Writes a `.safetensors` file whole or not at all; `says`: what the tensors themselves don't tell.

    Written here, as the library puts two entries of metadata in an order of chance and the same weights are to give
    the same bytes. Source: the format of github.com/huggingface/safetensors.
    """
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))  # so every tensor is aligned
    header, end = {"__metadata__": {"format": "pt", OWN_METADATA: json.dumps(says)}}, 0
    for name, value in ordered:
        start, end = end, end + value.nbytes
        kind = {"float32": "F32", "int64": "I64"}[value.dtype.name]
        header[name] = {"dtype": kind, "shape": value.shape, "data_offsets": [start, end]}
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

"""Tensors in PyTorch's names and layout <-> the weights of a finished Keras model."""

import os
from dataclasses import dataclass

import keras
import numpy as np

from hrnet_keras.architecture import LINEAGES, conventions
from hrnet_keras.checkpoints.lineages import (
    COUNTER,
    NAMINGS,
    Identity,
    identify,
    is_trunk,
    naming_for,
    their_name,
    without_wrapper,
)
from hrnet_keras.checkpoints.torch_file import read_tensors
from hrnet_keras.layers import Answer, MixingConv2D

IN_PLACE_EPSILON = np.float32(1e-5)  # of the in-place batch norm of PyTorch 0.4.1: gamma in effect = |weight| + epsilon


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
    """

    lineage: str
    naming: str
    task: str | None
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    def summary(self):
        """Returns the report as readable text: layers, not every tensor."""
        lines = [f"{len(self.loaded)} tensors loaded (a net of {self.naming}, task {self.task or 'none: trunk alone'})"]
        for title, names in (("not in the file, unchanged", self.missing), ("not used", self.unused)):
            lines += [f"{len(names)} {title}: {_groups(names)}"] if names else []
        return "\n".join(lines)


def load_torch_weights(model, source, *, lineage=None, strict=True):
    """Loads tensors that carry PyTorch's names and layout into a model.

    Args:
        model: a model of this package, or any part of one cut out by `keras.Model(inputs, outputs)`.
        source: path of a checkpoint (`.pth`, `.pt`, `.safetensors`), or `{name: numpy array}` in PyTorch's layout
            (convolutions out, in, height, width; linear out, in).
        lineage: whose net it is, where the names don't tell; default: found from the names.
        strict: `True` refuses a state dict in which a tensor of the model is missing or misshapen, of another task, or
            of a lineage that resizes otherwise than the model; `False` takes what fits.

    Returns:
        A `LoadReport`. Step counters (`num_batches_tracked`) are neither loaded nor reported.

    Raises:
        CheckpointError: the file can't be read.
        TypeError: `source` is neither a path nor a mapping of names.
        ValueError: no such lineage; names of no HRNet or of two programs; under `strict` another task or lineage than
            the model's, or a tensor missing or misshapen; nothing fits at all. The model is then unchanged.
    """
    if lineage is not None and lineage not in LINEAGES:
        raise ValueError(f"lineage={lineage!r}: expected one of {', '.join(map(repr, LINEAGES))}")
    return load_tensors(model, *open_source(source), lineage=lineage, strict=strict)


def load_tensors(model, tensors, where, *, lineage=None, strict=True):
    """`load_torch_weights` for tensors that `open_source` has opened."""
    found = identity_of(tensors, lineage, where)
    if strict:
        _check_kind(model, found, where)
    loaded, missing, misshapen = {}, [], []
    for name, variable in torch_names(model, found.naming):
        if name not in tensors:
            missing.append(name)
            continue
        value = _to_keras_layout(np.asarray(tensors[name]), name, variable, found.lineage)
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
    unused = [name for name in tensors if name not in loaded and not name.endswith(COUNTER)]
    bad = [line.split(":")[0] for line in misshapen]
    return LoadReport(found.lineage, found.naming, found.task, tuple(loaded), tuple(missing + bad), tuple(unused))


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
        raise ValueError(f"{where}: {len(lacking)} tensors of the trunk are missing or misshapen: {_some(lacking)}")
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
        ValueError: another ending; no such lineage, or one whose nets compute otherwise than this model.
        OSError: the file can't be written.
    """
    path = os.fspath(path)
    if not path.endswith(".safetensors"):
        raise ValueError(f"path={path!r}: expected a name that ends in .safetensors")
    if lineage not in LINEAGES:
        raise ValueError(f"lineage={lineage!r}: expected one of {', '.join(map(repr, LINEAGES))}")
    _check_lineage(model, lineage, f"saving {path}")
    tensors = tensors_of(model, lineage)
    _write(path, tensors)
    return tuple(tensors)


def tensors_of(model, lineage=None):
    """A model's weights as `{PyTorch name: array in PyTorch's layout}`, step counters included.

    Args:
        model: a model of this package.
        lineage: whose names; default: the one that the model was built with.
    """
    lineage = lineage or (_facts(model) or {}).get("lineage", "official")
    naming = naming_for(lineage, task_of(model))
    tensors = {name: _to_torch_layout(variable, name, lineage) for name, variable in torch_names(model, naming)}
    if NAMINGS[naming].counters:
        counted = [name for name in tensors if name.endswith(".running_var")]
        tensors |= {name.replace("running_var", COUNTER): np.zeros((), np.int64) for name in counted}
    return tensors


def torch_names(model, naming):
    """Lists `(PyTorch name, Keras variable)` of every weight of a model, under a key of `NAMINGS`."""
    found = []
    for layer in model.layers:
        theirs = their_name(layer.name, naming)
        if isinstance(layer, keras.layers.BatchNormalization):
            found += [
                (f"{theirs}.weight", layer.gamma),
                (f"{theirs}.bias", layer.beta),
                (f"{theirs}.running_mean", layer.moving_mean),
                (f"{theirs}.running_var", layer.moving_variance),
            ]
        elif isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense, MixingConv2D)):
            found.append((f"{theirs}.weight", layer.kernel))
            found += [(f"{theirs}.bias", layer.bias)] if layer.bias is not None else []
    return found


def task_of(model):
    """The task of a model; `"det"` for a pyramid, `None` for other feature maps."""
    facts = _facts(model)
    if facts:
        return facts["task"]
    return "det" if any(layer.name == "reduction_conv" for layer in model.layers) else None


def open_source(source):
    """A path or a dict -> the tensors by plain name, and what to call the source in messages."""
    if isinstance(source, (str, os.PathLike)):
        tensors = read_tensors(source)
    elif hasattr(source, "keys"):
        tensors = source
    else:
        raise TypeError(
            f"source: expected the path of a checkpoint, or a dict of names and arrays, given {type(source).__name__}"
        )
    plain = without_wrapper(tensors)
    if len(set(plain.values())) < len(plain):
        twice = next(name for name in plain.values() if list(plain.values()).count(name) > 1)
        raise ValueError(f"{_where(source)}: {twice!r} is there twice, inside a wrapper and outside")
    return {plain[name]: value for name, value in tensors.items()}, _where(source)


def identity_of(tensors, lineage=None, where="the tensors"):
    """Whose net these tensors are; a lineage that is given decides where the names leave a choice.

    Raises:
        ValueError: no HRNet's names, those of two programs, or not those of the given lineage.
    """
    try:
        found = identify(tensors)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if lineage is None or lineage == found.lineage:
        return found
    alike = {"official", "official_torch04", "timm"}  # the same names; what they mean differs
    trunk_alone = found.task is None and found.naming in ("official", "mmdet")
    if {lineage, found.lineage} <= alike or trunk_alone:
        return Identity(naming_for(lineage, found.task), found.task) if not trunk_alone else found
    raise ValueError(f"{where}: names of {found.naming} (lineage {found.lineage!r}), lineage={lineage!r} was asked for")


def _facts(model):
    return next((layer.facts for layer in model.layers if isinstance(layer, Answer)), None)


def _check_kind(model, found, where):
    facts = _facts(model)
    if facts is None:
        return
    if found.task != facts["task"]:
        kind = f"task {found.task!r}" if found.task else "no task (a trunk alone)"
        raise ValueError(
            f"{where}: a net for {kind}, the model is for task {facts['task']!r}; strict=False loads what they share"
        )
    _check_lineage(model, found.lineage, where)


def _check_lineage(model, lineage, where):
    """Refuses weights of a lineage under which the same tensors give other numbers than in this model."""
    facts = _facts(model)
    if facts is None:
        return
    task, representation, head = facts["task"], facts["representation"], facts.get("head")
    ours = conventions(facts["lineage"], task, representation, head=head)
    try:
        theirs = conventions(lineage, task, representation, head=head)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if (ours.upsampling, ours.mixing_bias) != (theirs.upsampling, theirs.mixing_bias):
        raise ValueError(
            f"{where}: lineage {lineage!r} resizes and biases otherwise than the model, which was built with "
            f"lineage={facts['lineage']!r}: build it with lineage={lineage!r}"
        )


def _to_keras_layout(value, name, variable, lineage):
    value = value.astype(np.float32, copy=False)
    if value.ndim == 4 and len(variable.shape) == 4:
        return value.transpose(2, 3, 1, 0)
    if value.ndim == 2 and len(variable.shape) == 2:
        return value.T
    if lineage == "official_torch04" and value.ndim == 1 and name.endswith(".weight"):
        return np.abs(value) + IN_PLACE_EPSILON
    return value


def _to_torch_layout(variable, name, lineage):
    value = keras.ops.convert_to_numpy(variable).astype(np.float32)
    if value.ndim == 4:
        value = value.transpose(3, 2, 0, 1)
    elif value.ndim == 2:
        value = value.T
    elif lineage == "official_torch04" and name.endswith(".weight"):
        value = _before_epsilon(value, name)
    return np.ascontiguousarray(value)


def _before_epsilon(gamma, name):
    """The weight w >= 0 with float32(w + epsilon) exactly gamma."""
    if (gamma < IN_PLACE_EPSILON).any():
        raise ValueError(
            f"{name} has a scale of {gamma.min():.3g}: in nets of PyTorch 0.4.1 it is at least 1e-05; save with "
            "lineage='official'"
        )
    weight = gamma - IN_PLACE_EPSILON
    for step in (np.inf, -np.inf):
        off = weight + IN_PLACE_EPSILON != gamma
        nudged = np.maximum(np.nextafter(gamma - IN_PLACE_EPSILON, np.float32(step)), np.float32(0))
        weight = np.where(off, nudged, weight)
    return weight


def _write(path, tensors):
    from safetensors.numpy import save_file

    half = f"{path}.part"
    try:
        save_file(tensors, half, metadata={"format": "pt"})
        os.replace(half, path)
    except Exception as error:
        if os.path.exists(half):
            os.remove(half)
        raise OSError(f"can't write {path}: {error}") from error


def _problems(model, missing, misshapen):
    lines = [f"{len(missing)} tensors of {model.name!r} are missing: {_some(missing)}"] if missing else []
    if misshapen:
        lines.append(
            f"{len(misshapen)} tensors are of another shape (another width or class count?): {_some(misshapen, 4)}"
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
    return _some([f"{key} ({count})" for key, count in counts.items()], 12)


def _some(names, count=8):
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more

"""Tensors in PyTorch's names and layout -> the weights of a finished Keras model."""

from dataclasses import dataclass

import keras
import numpy as np

from hrnet_keras.architecture import LINEAGES
from hrnet_keras.checkpoints.lineages import find_lineage, their_name
from hrnet_keras.layers import MixingConv2D

IN_PLACE_EPSILON = 1e-5  # of the in-place batch norm of PyTorch 0.4.1: gamma in effect = |weight| + epsilon


@dataclass(frozen=True)
class LoadReport:
    """What became of a state dict: names that were `loaded`, `missing` from it, and `unused`."""

    lineage: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    def summary(self):
        """Returns the report as readable text."""
        lines = [f"{len(self.loaded)} tensors loaded ({self.lineage})"]
        for title, names in (("missing", self.missing), ("unused", self.unused)):
            lines += [f"{len(names)} {title}: {_some(names)}"] if names else []
        return "\n".join(lines)


def load_torch_weights(model, source, *, lineage=None, strict=True):
    """Loads tensors that carry PyTorch's names and layout into a model.

    Args:
        model: a model of this package, or any part of one cut out by `keras.Model(inputs, outputs)`.
        source: `{name: numpy array}` in PyTorch's layout (convolutions out, in, height, width; linear out, in).
        lineage: whose names they are; default: found from the names.
        strict: `True` refuses a state dict in which a tensor of the model is missing or misshapen.

    Returns:
        A `LoadReport`. Step counters (`num_batches_tracked`) are neither loaded nor reported.

    Raises:
        TypeError: `source` is no mapping of names.
        ValueError: no such lineage; a tensor missing or misshapen under `strict`; nothing fits at all. The model is
            then unchanged.
    """
    if not hasattr(source, "keys"):
        raise TypeError(f"source: expected a dict of names and arrays, given {type(source).__name__}")
    lineage = find_lineage(source) if lineage is None else lineage
    if lineage not in LINEAGES:
        raise ValueError(f"lineage={lineage!r}: expected one of {', '.join(map(repr, LINEAGES))}")
    loaded, missing, misshapen = {}, [], []
    for name, variable in torch_names(model, lineage):
        if name not in source:
            missing.append(name)
            continue
        value = _to_keras_layout(np.asarray(source[name]), name, variable, lineage)
        if tuple(value.shape) != tuple(variable.shape):
            given, expected = np.shape(source[name]), tuple(variable.shape)
            misshapen.append(f"{name}: given {given} (PyTorch layout), the model has {expected} (Keras layout)")
            continue
        loaded[name] = (variable, value)
    problems = _problems(model, lineage, missing if strict else [], misshapen if strict else [])
    if not loaded and not problems:
        problems = f"none of the {len(source)} tensors fits a layer of {model.name!r} under lineage={lineage!r}"
    if problems:
        raise ValueError(problems)
    for variable, value in loaded.values():
        variable.assign(value)
    unused = [name for name in source if name not in loaded and not name.endswith("num_batches_tracked")]
    bad = [line.split(":")[0] for line in misshapen]
    return LoadReport(lineage, tuple(loaded), tuple(missing + bad), tuple(unused))


def torch_names(model, lineage):
    """Lists `(PyTorch name, Keras variable)` of every weight of a model."""
    found = []
    for layer in model.layers:
        theirs = their_name(layer.name, lineage)
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


def _to_keras_layout(value, name, variable, lineage):
    if value.ndim == 4 and len(variable.shape) == 4:
        return value.transpose(2, 3, 1, 0)
    if value.ndim == 2 and len(variable.shape) == 2:
        return value.T
    is_gamma = value.ndim == 1 and name.endswith(".weight")
    if lineage == "official_torch04" and is_gamma:
        return np.abs(value) + np.asarray(IN_PLACE_EPSILON, value.dtype)
    return value


def _problems(model, lineage, missing, misshapen):
    lines = [f"{len(missing)} tensors of {model.name!r} are missing: {_some(missing)}"] if missing else []
    if misshapen:
        lines.append(
            f"{len(misshapen)} tensors are of another shape (another width or class count?): {_some(misshapen, 4)}"
        )
    return f"lineage={lineage!r}: " + "; ".join(lines) if lines else ""


def _some(names, count=8):
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more

"""The weights of a finished Keras model under PyTorch's names and in its layout, and whose net it is."""

import keras
import numpy as np

from hrnet_keras.architecture import bare_conventions
from hrnet_keras.checkpoints.lineages import COUNTER, NAMINGS, naming_for, their_name
from hrnet_keras.checkpoints.states import State
from hrnet_keras.layers import AggregationConv2D
from hrnet_keras.layers.model_info import find_info
from hrnet_keras.layers.normalization import GroupNormalization
from hrnet_keras.tasks import TASKS

IN_PLACE_EPSILON = np.float32(1e-5)  # of the in-place batch norm of PyTorch 0.4.1: gamma in effect = |weight| + epsilon


def tensors_of(model, lineage=None):
    """A model's weights as `{PyTorch name: array in PyTorch's layout}`, step counters included.

    Args:
        model: a model of this package.
        lineage: whose names; default: the one that the model was built with.

    Raises:
        ValueError: a layer whose weights no net of PyTorch's has; it is named.
    """
    lineage = lineage or lineage_of(model)
    strange = [layer for layer in model.layers if layer.weights and not pytorch_weights(layer)]
    if strange:
        kinds = some([f"{layer.name!r} ({type(layer).__name__})" for layer in strange], 4)
        raise ValueError(
            f"{model.name!r}: the weights of {len(strange)} layers have no place in PyTorch's nets: {kinds}"
        )
    naming = naming_for(lineage, task_of(model))
    tensors = {name: to_torch_layout(variable, name, lineage) for name, variable in torch_names(model, naming)}
    if NAMINGS[naming].counters:
        counted = [name for name in tensors if name.endswith(".running_var")]
        tensors |= {name.replace("running_var", COUNTER): np.zeros((), np.int64) for name in counted}
    return tensors


def state_of_model(model):
    """A model's own weights as a `State`: what a `.keras` file starts another model with, group norms included.

    Raises:
        ValueError: a layer whose weights none of our models has; it is named.
    """
    groups = has_group_norms(model)
    strange = [la for la in model.layers if la.weights and not pytorch_weights(la) and not is_group_norm(la)]
    if strange:
        raise ValueError(f"layer {strange[0].name!r} ({type(strange[0]).__name__}) is none of this package")
    naming = naming_for(lineage_of(model), task_of(model))
    tensors = {name: to_torch_layout(variable, name, "official") for name, variable in torch_names(model, naming)}
    info = find_info(model)
    says = {
        "task": task_of(model), "lineage": lineage_of(model), "group_norms": groups, "info": info,
        "align_corners": info is not None and info.align_corners,
    }  # fmt: skip
    return State(tensors, says=says, exact=True)


def torch_names(model, naming):
    """Lists `(PyTorch name, Keras variable)` of every weight of a model, under a key of `NAMINGS`.

    Group norms are called as batch norms are; no published net has them.
    """
    found = []
    for layer in model.layers:
        theirs = their_name(layer.name, naming)
        weights = {"weight": layer.gamma, "bias": layer.beta} if is_group_norm(layer) else pytorch_weights(layer)
        found += [(f"{theirs}.{leaf}", variable) for leaf, variable in weights.items()]
    return found


def pytorch_weights(layer):
    """`{PyTorch's leaf: variable}` of a layer that PyTorch's nets have; empty where they have none like it."""
    if isinstance(layer, keras.layers.BatchNormalization):
        leaves = ("weight", "bias", "running_mean", "running_var")
        found = dict(zip(leaves, (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance), strict=True))
    elif isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense, AggregationConv2D)):
        found = {"weight": layer.kernel, **({"bias": layer.bias} if layer.bias is not None else {})}
    else:
        return {}
    whole = len(found) == len(layer.weights) and all(variable is not None for variable in found.values())
    return found if whole else {}


def is_group_norm(layer):
    """Whether a layer normalises by groups of channels."""
    return isinstance(layer, (GroupNormalization, keras.layers.GroupNormalization))


def has_group_norms(model):
    """Whether a model normalises by groups."""
    return any(is_group_norm(layer) for layer in model.layers)


def task_of(model):
    """The task of a model; `"det"` for a pyramid, `None` for other feature maps."""
    info = find_info(model)
    if info is not None:
        return info.task
    return "det" if any(layer.name == "reduction_conv" for layer in model.layers) else None


def lineage_of(model):
    """The lineage that a model was built with; of feature maps, which don't say it, as far as their layers show it."""
    info = find_info(model)
    if info is not None:
        return info.lineage
    mixing = next((layer for layer in model.layers if layer.name == "last_layer.0"), None)
    return "mmlab" if mixing is not None and not mixing.use_bias else "official"


def check_lineage(model, lineage, where):
    """Refuses weights of a lineage under which the same tensors give other numbers than in this model."""
    task, representation, head = _net_of(model)
    if representation is None:
        return
    ours = _conventions(lineage_of(model), task, representation, head)
    try:
        theirs = _conventions(lineage, task, representation, head)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if (ours.upsampling, ours.mixing_bias) != (theirs.upsampling, theirs.mixing_bias):
        raise ValueError(
            f"{where}: lineage {lineage!r} resizes and biases otherwise than the model, which was built with "
            f"lineage={lineage_of(model)!r}: build it with lineage={lineage!r}"
        )
    info = find_info(model)
    if lineage == "mmlab" and info is not None and info.align_corners:
        raise ValueError(
            f"{where}: nets of lineage 'mmlab' never align corners, the model was built with align_corners=True"
        )


def _conventions(lineage, task, representation, head):
    if task is None:
        return bare_conventions(lineage, representation)
    return TASKS[task].conventions_of(lineage, head)


def _net_of(model):
    """Task, representation and head of a model; the representation is `None` for a part of one."""
    info = find_info(model)
    if info is not None:
        return info.task, info.representation, info.head
    names = {layer.name for layer in model.layers}
    known = {"reduction_conv": "V2p", "last_layer.0": "V2"}
    return None, next((known[name] for name in known if name in names), None), None


def to_keras_layout(value, name, variable, lineage):
    """A tensor of PyTorch's, by its name and its lineage, as the Keras variable holds it."""
    value = value.astype(np.float32, copy=False)
    if value.ndim == 4 and len(variable.shape) == 4:
        return value.transpose(2, 3, 1, 0)
    if value.ndim == 2 and len(variable.shape) == 2:
        return value.T
    if lineage == "official_torch04" and value.ndim == 1 and name.endswith(".weight"):
        return np.abs(value) + IN_PLACE_EPSILON
    return value


def to_torch_layout(variable, name, lineage):
    """A Keras variable as a tensor of that name and lineage in PyTorch."""
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


def some(names, count=8):
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more

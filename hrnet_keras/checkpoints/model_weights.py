"""The weights of a finished Keras model under PyTorch's names and in its layout, and whose net it is."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from hrnet_keras.architecture import Conventions, bare_conventions
from hrnet_keras.checkpoints.lineages import COUNTER, NAMINGS, naming_for, to_torch_name
from hrnet_keras.layers import AggregationConv2D, GridDense, GroupNorm, Scale
from hrnet_keras.layers.model_info import find_info
from hrnet_keras.layers.normalization import GroupNormalization
from hrnet_keras.tasks import PYRAMID, TASKS

_WITH_KERNELS = (
    keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.Dense, AggregationConv2D, GridDense,
)  # fmt: skip
IN_PLACE_EPSILON = np.float32(1e-5)  # of the in-place batch norm of PyTorch 0.4.1: gamma in effect = |weight| + epsilon


def tensors_of(model: keras.Model, lineage: str | None = None) -> dict[str, np.ndarray]:
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
    naming = naming_for(lineage, task_of(model), variant_of(model))
    tensors = {name: to_torch_layout(variable, name, lineage) for name, variable in torch_names(model, naming)}
    if NAMINGS[naming].counters:
        for name in list(tensors):
            if name.endswith(".running_var"):
                tensors[name.replace("running_var", COUNTER)] = np.zeros((), np.int64)
    return tensors


def tensors_as_stored(model: keras.Model) -> dict[str, np.ndarray]:
    """A model's weights under its own lineage's names, with the numbers as they are in Keras, group norms included.

    Raises:
        ValueError: a layer whose weights none of our models has; it is named.
    """
    for layer in model.layers:
        if layer.weights and not pytorch_weights(layer) and not is_group_norm(layer):
            raise ValueError(f"layer {layer.name!r} ({type(layer).__name__}) is none of this package")
    naming = naming_for(lineage_of(model), task_of(model), variant_of(model))
    return {name: to_torch_layout(variable, name, "official") for name, variable in torch_names(model, naming)}


def torch_names(model: keras.Model, naming: str) -> list[tuple[str, keras.Variable]]:
    """Lists `(PyTorch name, Keras variable)` of every weight of a model, under a key of `NAMINGS`.

    Group norms that stand in for batch norms are called as these are.
    """
    names = []
    for layer in model.layers:
        beginning = to_torch_name(layer.name, naming)
        weights = {"weight": layer.gamma, "bias": layer.beta} if is_group_norm(layer) else pytorch_weights(layer)
        names += [(f"{beginning}.{leaf}", variable) for leaf, variable in weights.items()]
    return names


def not_in_pytorch(model: keras.Model) -> Iterator[str]:
    """Names of the weights of a model's layers that no state dict can fill."""
    for layer in model.layers:
        if not pytorch_weights(layer) and not is_group_norm(layer):
            yield from (f"{layer.name}.{variable.name}" for variable in layer.weights)


def pytorch_weights(layer: keras.Layer) -> dict[str, keras.Variable]:
    """`{PyTorch's leaf: variable}` of a layer that PyTorch's nets have; empty where they have none like it."""
    if isinstance(layer, keras.layers.BatchNormalization):
        weights = {
            "weight": layer.gamma, "bias": layer.beta,
            "running_mean": layer.moving_mean, "running_var": layer.moving_variance,
        }  # fmt: skip
    elif isinstance(layer, GroupNorm):
        weights = {"weight": layer.gamma, "bias": layer.beta}
    elif isinstance(layer, Scale):
        weights = {"scale": layer.scale}
    elif isinstance(layer, _WITH_KERNELS):
        weights = {"weight": layer.kernel}
        if layer.bias is not None:
            weights["bias"] = layer.bias
    else:
        return {}
    if len(weights) != len(layer.weights) or any(variable is None for variable in weights.values()):
        return {}
    return weights


def is_group_norm(layer: keras.Layer) -> bool:
    """Whether a layer normalises by groups of channels in the place of a batch norm."""
    return isinstance(layer, (GroupNormalization, keras.layers.GroupNormalization))


def has_group_norms(model: keras.Model) -> bool:
    """Whether a model normalises by groups where published ones have batch norms."""
    return any(is_group_norm(layer) for layer in model.layers)


def task_of(model: keras.Model) -> str | None:
    """The task of a model, that of detectors for a pyramid; `None` for other feature maps."""
    info = find_info(model)
    if info is not None:
        return info.task
    return PYRAMID if _has_layer(model, "reduction_conv") else None


def variant_of(model: keras.Model) -> str | None:
    """The variant of a model's head; of feature maps `None`."""
    info = find_info(model)
    return None if info is None else info.head


def lineage_of(model: keras.Model) -> str:
    """The lineage that a model was built with; of feature maps, which don't say it, as far as their layers show it."""
    info = find_info(model)
    if info is not None:
        return info.lineage
    if _has_layer(model, "last_layer.0") and not model.get_layer("last_layer.0").use_bias:
        return "mmlab"
    return "official"


def check_lineage(model: keras.Model, lineage: str, source: str) -> None:
    """Refuses weights of a lineage under which the same tensors give other numbers than in this model.

    Args:
        model: a model of this package, or a part of one.
        lineage: of the weights.
        source: what to call the weights in messages.

    Raises:
        ValueError: the nets of the lineage resize, bias, align corners or order their classes otherwise.
    """
    ours = _conventions(model, lineage_of(model))
    try:
        theirs = _conventions(model, lineage)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    if ours is None or theirs is None:
        return
    if (ours.upsampling, ours.mixing_bias) != (theirs.upsampling, theirs.mixing_bias):
        raise ValueError(
            f"{source}: lineage {lineage!r} resizes and biases otherwise than the model, which was built with "
            f"lineage={lineage_of(model)!r}: build it with lineage={lineage!r}"
        )
    info = find_info(model)
    if not in_one_order(model, lineage):
        raise ValueError(
            f"{source}: nets of lineage {lineage!r} have their classes in another order than the model, which was "
            f"built with lineage={lineage_of(model)!r}"
        )
    if lineage == "mmlab" and info is not None and info.align_corners:
        raise ValueError(
            f"{source}: nets of lineage 'mmlab' never align corners, the model was built with align_corners=True"
        )


def in_one_order(model: keras.Model, lineage: str) -> bool:
    """Whether the last layers of a lineage's nets have their outputs in the order of the model's."""
    info = find_info(model)
    return info is None or info.lineage == lineage or TASKS[info.task].one_order


def _conventions(model: keras.Model, lineage: str) -> Conventions | None:
    """What a lineage expects of nets like this model; `None` for a part of one, which doesn't tell."""
    info = find_info(model)
    if info is not None:
        return TASKS[info.task].conventions_of(lineage, info.head)
    if _has_layer(model, "reduction_conv"):
        return bare_conventions(lineage, "V2p")
    if _has_layer(model, "last_layer.0"):
        return bare_conventions(lineage, "V2")
    return None


def _has_layer(model: keras.Model, name: str) -> bool:
    return any(layer.name == name for layer in model.layers)


def to_keras_layout(value: np.ndarray, name: str, variable: keras.Variable, lineage: str) -> np.ndarray:
    """A tensor of PyTorch's, by its name and its lineage, as the Keras variable holds it."""
    value = value.astype(np.float32, copy=False)
    if value.ndim == 4 and len(variable.shape) == 4:
        return value.transpose(2, 3, 1, 0)
    if value.ndim == 2 and len(variable.shape) == 2:
        return value.T
    if value.ndim == 2 and value.size == np.prod(variable.shape):  # over a grid of features, channels first
        height, width, channels, units = variable.shape
        return value.reshape(units, channels, height, width).transpose(2, 3, 1, 0)
    if lineage == "official_torch04" and value.ndim == 1 and name.endswith(".weight"):
        return np.abs(value) + IN_PLACE_EPSILON
    return value


def to_torch_layout(variable: keras.Variable, name: str, lineage: str) -> np.ndarray:
    """A Keras variable as a tensor of that name and lineage in PyTorch."""
    value = keras.ops.convert_to_numpy(variable).astype(np.float32)
    if value.ndim == 4:
        value = value.transpose(3, 2, 0, 1)
        if getattr(variable, GridDense.MATRIX, False):
            value = value.reshape(len(value), -1)
    elif value.ndim == 2:
        value = value.T
    elif lineage == "official_torch04" and name.endswith(".weight"):
        value = _before_epsilon(value, name)
    return np.require(value, requirements="C")  # ascontiguousarray makes a row of a single number


def _before_epsilon(gamma: np.ndarray, name: str) -> np.ndarray:
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


def some(names: Sequence[str], count: int = 8) -> str:
    """The first names of a list, and how many more there are."""
    text = ", ".join(names[:count])
    if len(names) > count:
        text += f" and {len(names) - count} more"
    return text

"""What the tests of detectors' parts share: weights by PyTorch's names, and RoIAlign written out sample by sample."""

import json
from pathlib import Path

import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts.roi_samples import ALIGNED

FOLDERS = (
    Path(__file__).parents[4] / "tests" / "golden" / "detection",
    Path(__file__).parents[5] / "shared" / "golden" / "detection",  # networks of several megabytes
)


def network_golden(case):
    """What a golden's json says, and its arrays."""
    for folder in FOLDERS:
        file = folder / f"{case}.npz"
        if file.exists():
            return json.loads(file.with_suffix(".json").read_text()), dict(np.load(file))
    pytest.skip(f"needs the golden detection/{case} in shared/ beside the checkout")


def fill(model, state, prefix):
    """Gives a model's layers the tensors of their names; all tensors under the prefix must find a place."""
    used = set()
    for layer in (layer for layer in model.layers if layer.weights):
        for leaf, variable in (("weight", layer.kernel), ("bias", layer.bias)):
            used.add(f"{layer.name}.{leaf}")
            variable.assign(keras_layout(state[f"{layer.name}.{leaf}"], variable.shape))
    assert used == {name for name in state if name.startswith(prefix)}


def keras_layout(tensor, shape):
    if len(shape) == 4 and tensor.ndim == 2:  # fully connected over a map
        height, width, channels, units = shape
        tensor = tensor.reshape(units, channels, height, width)
    return tensor.transpose({4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[tensor.ndim])


def state_of(meta, arrays, weights_rule):
    """A network golden's weights."""
    overrides = {name.removeprefix("override/"): value for name, value in arrays.items() if "override/" in name}
    return weights_rule.state_dict(meta, overrides)


def pyramid(arrays, levels=4):
    return [arrays[f"fpn_{i}"].transpose(0, 2, 3, 1) for i in range(levels)]


def samples_of(low, high, stride, length, size, sampling):
    """`(bin, cell, weight)` of every sample along an axis, one by one, in float64 but for the count."""
    offset = 0.5 if sampling.aligned else 0.0
    start, end = low / stride - offset, (high + sampling.plus_one) / stride - offset
    extent = max(end - start, sampling.min_size) / size
    count = sampling.sampling_ratio or int(np.ceil(np.float32(extent)))
    for index in range(size * count):
        position = start + (index + 0.5) * extent / count
        if position < -1 or position > length:
            continue
        position = min(max(position, 0.0), length - 1.0)
        cell = int(position)
        yield index // count, cell, (1 - position + cell) / count
        if cell + 1 < length:
            yield index // count, cell + 1, (position - cell) / count


def roi_matrix(box, stride, shape, size, sampling=ALIGNED):
    """RoIAlign of one box as a matrix `(size, size, height, width)`."""
    matrix = np.zeros((size, size, *shape))
    columns = list(samples_of(box[0], box[2], stride, shape[1], size, sampling))
    for row_bin, row, row_weight in samples_of(box[1], box[3], stride, shape[0], size, sampling):
        for column_bin, column, column_weight in columns:
            matrix[row_bin, column_bin, row, column] += row_weight * column_weight
    return matrix

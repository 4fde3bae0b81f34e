"""Whole files in the shape of published ones, in both formats, through the goldens of the networks they belong to."""

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.checkpoints import read_tensors
from hrnet_keras.checkpoints.checkpoint import open_checkpoint
from tests.checkpoints.published import CASES, filled
from tests.networks import NETWORKS, network_input, worst

_PYRAMID = []


def network_of(case):
    """The model, the tensors of the golden and our outputs for them."""
    if case in NETWORKS:
        network = NETWORKS[case]
        return network.build(), {network.output: network.build().output}, network.tolerance
    if not _PYRAMID:
        _PYRAMID.append(hk.HRNetV2pW18(include_preprocessing=False))
    model = _PYRAMID[0]
    outputs = {f"fpn_{i}": model.outputs[i] for i in range(1, 5)}
    return (
        model,
        outputs | {f"backbone_{i}": model.get_layer(f"stage4.2.fuse_layers.{i}").output for i in range(4)},
        1e-4,
    )


@pytest.mark.filterwarnings("ignore:.*taken for a net of PyTorch 0.4.1")
@pytest.mark.parametrize("published", CASES, ids=lambda case: case.name)
def test_a_published_file_gives_the_published_numbers(published, golden, weights_rule, tmp_path):
    meta, arrays = golden(published.kind, published.case)
    path = filled(published, meta, weights_rule, "zip", tmp_path)
    model, outputs, tolerance = network_of(published.case)
    for variable in model.weights:  # what another test loaded must not pass for what this one loads
        variable.assign(np.ones(variable.shape))
    report = hk.load_torch_weights(model, path)
    assert not report.missing
    heads = ("rpn_head.", "roi_head.", "bbox_head.")
    assert [name for name in report.unused if not name.startswith(heads)] == list(published.extra)
    x = keras.ops.convert_to_tensor(network_input(published.case, meta, weights_rule))
    found = keras.tree.flatten(keras.Model(model.input, list(outputs.values()))(x, training=False))
    differences = {name: worst(value, arrays[name]) for name, value in zip(outputs, found, strict=True)}
    assert max(differences.values()) < tolerance, differences

    legacy = read_tensors(filled(published, meta, weights_rule, "legacy", tmp_path))
    for name, value in read_tensors(path).items():
        np.testing.assert_array_equal(legacy[name], value, err_msg=name)
    assert len(legacy) == len(open_checkpoint(path).tensors)

"""Tensors by name: what is loaded, and what is said about what isn't."""

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.checkpoints.lineages import find_lineage, their_name
from hrnet_keras.checkpoints.loading import torch_names
from tests.networks import NETWORKS


@pytest.fixture(scope="module")
def model():
    return hk.HRNetV2W18SmallV1("seg", include_preprocessing=False)


@pytest.fixture
def tensors(golden, weights_rule):
    meta, _ = golden("segmentation", "seg_v11_w18_small_v1_64x96")
    return weights_rule.state_dict(meta)


@pytest.mark.parametrize("case", NETWORKS)
def test_nothing_of_a_reference_state_dict_is_missing_or_left_over(case, golden):
    network = NETWORKS[case]
    meta, _ = golden(network.kind, case)
    theirs = {name: tuple(shape) for name, shape in meta["state_dict"] if not name.endswith("num_batches_tracked")}
    lineage = find_lineage([name for name, _ in meta["state_dict"]])
    assert lineage == {"timm": "official"}.get(
        network.options.get("lineage"), network.options.get("lineage", "official")
    )
    ours = {name: variable for name, variable in torch_names(network.build(), lineage)}
    assert set(ours) == set(theirs)
    for name, variable in ours.items():
        assert np.prod(variable.shape) == np.prod(theirs[name]), name


def test_reports_what_it_did(model, tensors):
    tensors["loss.criterion.weight"] = np.ones(19, np.float32)
    report = hk.load_torch_weights(model, tensors)
    assert report.unused == ("loss.criterion.weight",) and report.missing == () and report.lineage == "official"
    assert "1 unused: loss.criterion.weight" in report.summary()
    kernel = tensors["stage2.0.branches.0.0.conv1.weight"]
    np.testing.assert_array_equal(model.get_layer("stage2.0.branches.0.0.conv1").kernel, kernel.transpose(2, 3, 1, 0))


def test_missing_tensors_are_named_and_nothing_is_changed(model, tensors):
    before = model.get_weights()
    del tensors["stage4.0.branches.3.1.bn2.running_var"], tensors["conv1.weight"]
    with pytest.raises(
        ValueError, match=r"2 tensors .* missing: conv1\.weight, stage4\.0\.branches\.3\.1\.bn2\.running"
    ):
        hk.load_torch_weights(model, {name: value + 1 for name, value in tensors.items()})
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    report = hk.load_torch_weights(model, tensors, strict=False)
    assert set(report.missing) == {"stage4.0.branches.3.1.bn2.running_var", "conv1.weight"}


def test_misshapen_tensors_are_named_with_both_shapes(model, tensors):
    tensors["last_layer.3.weight"] = np.zeros((20, 240, 1, 1), np.float32)
    with pytest.raises(ValueError, match=r"last_layer\.3\.weight: given \(20, 240, 1, 1\).*\(1, 1, 240, 19\)"):
        hk.load_torch_weights(model, tensors)
    report = hk.load_torch_weights(model, tensors, strict=False)
    assert report.missing == ("last_layer.3.weight",)


def test_a_checkpoint_of_another_width_is_refused(tensors):
    with pytest.raises(ValueError, match="of another shape"):
        hk.load_torch_weights(hk.HRNetV2W18("seg"), tensors)


def test_a_state_dict_of_something_else_is_refused(model):
    with pytest.raises(ValueError, match="none of the 1 tensors fits"):
        hk.load_torch_weights(model, {"encoder.weight": np.zeros(3)}, strict=False)
    with pytest.raises(ValueError, match="lineage='caffe': expected one of"):
        hk.load_torch_weights(model, {}, lineage="caffe")
    with pytest.raises(TypeError, match="expected a dict of names and arrays, given list"):
        hk.load_torch_weights(model, [np.zeros(3)])


def test_gammas_of_pytorch_04_are_absolute(model, tensors):
    tensors = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    tensors["bn1.weight"] = -tensors["bn1.weight"]
    assert find_lineage(tensors) == "official_torch04"
    hk.load_torch_weights(model, tensors)
    np.testing.assert_allclose(model.get_layer("bn1").gamma, np.abs(tensors["bn1.weight"]) + 1e-5, rtol=1e-6)


def test_mmlabs_names():
    assert their_name("stage2.0.branches.0.0.conv1", "mmlab") == "backbone.stage2.0.branches.0.0.conv1"
    assert their_name("last_layer.3", "mmlab") == "decode_head.conv_seg"
    names = [name for name, _ in torch_names(hk.HRNetV2W18SmallV1("seg", head="ocr", lineage="mmlab"), "mmlab")]
    for name in ("decode_head.0.conv_seg.bias", "decode_head.1.bottleneck.bn.weight", "decode_head.1.conv_seg.weight",
                 "decode_head.1.object_context_block.query_project.1.conv.weight",
                 "decode_head.1.object_context_block.bottleneck.conv.weight"):  # fmt: skip
        assert name in names
    assert "decode_head.1.bottleneck.conv.bias" not in names

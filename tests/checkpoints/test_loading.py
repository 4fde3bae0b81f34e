"""Tensors by name: what is loaded, and what is said about what isn't."""

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.checkpoints.checkpoint import open_checkpoint
from hrnet_keras.checkpoints.lineages import NAMINGS, identify, to_torch_name
from hrnet_keras.checkpoints.model_weights import torch_names
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
    naming, task = identify([name for name, _ in meta["state_dict"]])
    stated = network.options.get("lineage", "official")
    assert NAMINGS[naming].lineage == {"timm": "official"}.get(stated, stated) and task == network.net[2]
    ours = {name: variable for name, variable in torch_names(network.build(), naming)}
    assert set(ours) == set(theirs)
    for name, variable in ours.items():
        assert np.prod(variable.shape) == np.prod(theirs[name]), name


def test_reports_what_it_did(model, tensors):
    tensors["loss.criterion.weight"] = np.ones(19, np.float32)
    report = hk.load_torch_weights(model, tensors)
    assert report.unused == ("loss.criterion.weight",) and report.missing == () and report.lineage == "official"
    assert "1 not used: loss (1)" in report.summary()
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
    with pytest.raises(ValueError, match=r"none of the 1 tensors is named as in an HRNet: found encoder\.weight"):
        hk.load_torch_weights(model, {"encoder.weight": np.zeros(3)}, strict=False)
    with pytest.raises(ValueError, match="lineage='caffe': expected one of"):
        hk.load_torch_weights(model, {}, lineage="caffe")
    with pytest.raises(TypeError, match="expected the path of a checkpoint, or a dict of names and arrays, given list"):
        hk.load_torch_weights(model, [np.zeros(3)])


def test_gammas_of_pytorch_04_are_absolute(model, tensors):
    tensors = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    tensors["bn1.weight"] = -tensors["bn1.weight"]
    assert identify(tensors) == ("official_torch04", "seg")
    with pytest.warns(UserWarning, match=r"taken for a net of PyTorch 0\.4\.1.* say lineage='official'"):
        report = hk.load_torch_weights(model, tensors)
    assert report.lineage == "official_torch04" and "say lineage='official'" in report.summary()
    np.testing.assert_allclose(model.get_layer("bn1").gamma, np.abs(tensors["bn1.weight"]) + 1e-5, rtol=1e-6)


def test_a_later_net_without_counters_is_not_one_of_pytorch_04(model, tensors, recwarn):
    tensors = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    tensors |= {name: np.abs(v) for name, v in tensors.items() if v.ndim == 1 and name.endswith(".weight")}
    assert hk.load_torch_weights(model, tensors).lineage == "official"
    np.testing.assert_array_equal(model.get_layer("bn1").gamma, tensors["bn1.weight"])
    tensors["bn1.weight"] = -tensors["bn1.weight"]
    hk.load_torch_weights(model, tensors, lineage="official")
    np.testing.assert_array_equal(model.get_layer("bn1").gamma, tensors["bn1.weight"])
    assert not [warning for warning in recwarn if "taken for" in str(warning.message)]


def test_which_of_two_nets_was_taken_is_said(model, tensors):
    other = {name: value + 1 for name, value in tensors.items()}
    wrapped = {"state_dict": {f"module.{name}": value for name, value in tensors.items()}, "state_dict_ema": other}
    with pytest.warns(
        UserWarning, match=r"taken from 'state_dict'; there is also 'state_dict_ema': state='state_dict_ema'"
    ):
        report = hk.load_torch_weights(model, wrapped)
    assert report.state == "state_dict" and "there is also 'state_dict_ema'" in report.summary()
    np.testing.assert_array_equal(model.get_layer("bn1").gamma, tensors["bn1.weight"])
    assert hk.load_torch_weights(model, wrapped, state="state_dict_ema").notes == ()
    np.testing.assert_array_equal(model.get_layer("bn1").gamma, other["bn1.weight"])


def test_mmlabs_names():
    assert to_torch_name("stage2.0.branches.0.0.conv1", "mmseg") == "backbone.stage2.0.branches.0.0.conv1"
    assert to_torch_name("last_layer.3", "mmseg") == "decode_head.conv_seg"
    names = [name for name, _ in torch_names(hk.HRNetV2W18SmallV1("seg", head="ocr", lineage="mmlab"), "mmseg")]
    for name in ("decode_head.0.conv_seg.bias", "decode_head.1.bottleneck.bn.weight", "decode_head.1.conv_seg.weight",
                 "decode_head.1.object_context_block.query_project.1.conv.weight",
                 "decode_head.1.object_context_block.bottleneck.conv.weight"):  # fmt: skip
        assert name in names
    assert "decode_head.1.bottleneck.conv.bias" not in names


@pytest.mark.parametrize(
    ("names", "naming", "task"),
    [
        (["conv1.weight", "classifier.weight", "final_layer.0.weight"], "official", "cls"),
        (["conv1.weight", "last_layer.3.weight", "bn1.num_batches_tracked"], "official", "seg"),
        (["conv1.weight", "last_layer.3.weight"], "official_torch04", "seg"),
        (["conv1.weight", "cls_head.weight", "bn1.num_batches_tracked"], "official", "seg"),
        (["conv1.weight", "head.0.weight", "head.3.weight"], "official", "landmark"),
        (["conv1.weight", "final_layer.weight"], "official", "pose"),
        (["conv1.weight", "stage4.2.fuse_layers.0.1.0.weight"], "official", None),
        (["backbone.conv1.weight"], "mmdet", None),
        (["backbone.conv1.weight", "decode_head.conv_seg.weight"], "mmseg", "seg"),
        (["backbone.conv1.weight", "head.final_layer.weight"], "mmpose", "pose"),
        (["backbone.conv1.weight", "head.conv_layers.0.weight", "head.final_layer.weight"], "mmpose", "landmark"),
        (["backbone.conv1.weight", "keypoint_head.final_layer.weight"], "mmpose 0.x", "pose"),
        (["backbone.conv1.weight", "keypoint_head.final_layer.0.weight"], "mmpose 0.x", "landmark"),
        (["backbone.conv1.weight", "neck.fpn_convs.0.conv.weight", "roi_head.bbox_head.fc_cls.bias"], "mmdet", "det"),
        (["backbone.conv1.weight", "neck.fpn_conv.0.weight", "bbox_head.fc_cls.bias"], "official detection", "det"),
        (["backbone.body.conv1.weight", "backbone.neck.fpn_conv.0.weight"], "official maskrcnn-benchmark", "det"),
        (["backbone.body.conv1.weight", "backbone.fpn.fpn_conv.0.weight"], "official FCOS", "det"),
    ],
)
def test_names_tell_program_and_task(names, naming, task):
    assert identify(names) == (naming, task)


def test_names_of_two_programs_are_refused():
    with pytest.raises(ValueError, match="fit 'official' and 'mmseg'"):
        identify(["conv1.weight", "backbone.conv1.weight", "decode_head.conv_seg.weight"])


def test_wrappers_are_taken_off():
    def names(*wrapped):
        return list(open_checkpoint({name: np.zeros(1) for name in wrapped}).tensors)

    found = names("module.model.conv1.weight", "module.model.last_layer.3.bias", "module.loss.criterion.weight")
    assert found == ["conv1.weight", "last_layer.3.bias", "loss.criterion.weight"]
    assert names("model.backbone.conv1.weight") == ["backbone.conv1.weight"]


def test_what_the_official_training_writes(model, tensors):
    wrapped = {f"model.{name}": value for name, value in tensors.items()} | {"loss.criterion.weight": np.ones(19)}
    report = hk.load_torch_weights(model, wrapped)
    assert report.unused == ("loss.criterion.weight",) and not report.missing
    with pytest.raises(ValueError, match=r"'conv1\.weight' is there twice"):
        hk.load_torch_weights(model, wrapped | {"conv1.weight": tensors["conv1.weight"]})


def test_another_task_is_refused_unless_asked_for_what_fits(tensors):
    model = hk.HRNetV2W18SmallV1("landmark")
    with pytest.raises(ValueError, match="a net for task 'seg', the model is for task 'landmark'; strict=False"):
        hk.load_torch_weights(model, tensors)
    report = hk.load_torch_weights(model, tensors, strict=False)
    assert {name.split(".")[0] for name in report.missing} == {"head"}
    assert {name.split(".")[0] for name in report.unused} == {"last_layer"}
    assert "head.0 (2), head.1 (4), head.3 (2)" in report.summary()


def test_another_lineage_is_refused(model, golden, weights_rule):
    meta, _ = golden("segmentation", "mmseg_fcn_hr18s_72x88")
    with pytest.raises(ValueError, match="built with lineage='official': build it with lineage='mmlab'"):
        hk.load_torch_weights(hk.HRNetV2W18SmallV2("seg"), weights_rule.state_dict(meta))
    with pytest.raises(ValueError, match=r"names of mmseg \(lineage 'mmlab'\), lineage='official' was asked for"):
        hk.load_torch_weights(model, weights_rule.state_dict(meta), lineage="official")

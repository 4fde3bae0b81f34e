"""The way back to PyTorch's names: bit for bit, for every task and lineage."""

import keras
import numpy as np
import pytest
from safetensors import safe_open

import hrnet_keras as hk
from hrnet_keras.checkpoints import read_tensors
from hrnet_keras.checkpoints.model_weights import tensors_of
from hrnet_keras.layers.normalization import convert_to_group_norm
from tests.networks import NETWORKS

NETS = [
    ("HRNetV2W18SmallV1", "cls", "official", {}),
    ("HRNetV2W18SmallV1", "cls", "timm", {}),
    ("HRNetV2W18SmallV1", "cls", "timm", {"head": "ssld"}),
    ("HRNetV2W18SmallV1", "seg", "official", {}),
    ("HRNetV2W18SmallV1", "seg", "official_torch04", {}),
    ("HRNetV2W18SmallV1", "seg", "official", {"head": "ocr"}),
    ("HRNetV2W18SmallV1", "seg", "mmlab", {}),
    ("HRNetV2W18SmallV1", "seg", "mmlab", {"head": "ocr"}),
    ("HRNetV2W18SmallV1", "landmark", "official", {}),
    ("HRNetV2W18SmallV1", "landmark", "mmlab", {}),
    ("HRNetV1W18SmallV1", "pose", "official", {}),
    ("HRNetV1W18SmallV1", "pose", "mmlab", {}),
    ("HRNetV2pW18SmallV1", None, "official", {}),
    ("HRNetV2pW18SmallV1", None, "mmlab", {}),
]


def randomise(model, seed):
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        low = 1e-4 if "gamma" in variable.path or "variance" in variable.path else -1
        variable.assign(rng.uniform(low, 1, variable.shape).astype(np.float32))


@pytest.mark.parametrize(("name", "task", "lineage", "options"), NETS)
def test_there_and_back_bit_for_bit(name, task, lineage, options, tmp_path):
    one, other = (getattr(hk, name)(task, lineage=lineage, **options) for _ in range(2))
    randomise(one, 0)
    randomise(other, 1)
    path = tmp_path / "weights.safetensors"
    names = hk.save_torch_weights(one, path, lineage=lineage)
    report = hk.load_torch_weights(other, path, lineage=lineage)
    assert not report.missing and not report.unused
    for before, after in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after), err_msg=before.path)
    assert set(names) == set(read_tensors(path))
    hk.save_torch_weights(other, tmp_path / "again.safetensors", lineage=lineage)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("case", ["seg_v11_w18_small_v1_64x96", "cls_w18_small_v1_64x64", "mmseg_fcn_hr18s_72x88",
                                  "seg_master_w18_small_v1_64x64", "landmark_w18_19pt_64x64"])  # fmt: skip
def test_names_shapes_and_values_are_the_originals(case, golden, weights_rule, tmp_path):
    network = NETWORKS[case]
    meta, _ = golden(network.kind, case)
    model = network.loaded(meta, weights_rule)
    lineage = network.options.get("lineage", "official")
    hk.save_torch_weights(model, tmp_path / "x.safetensors", lineage=lineage)
    found = read_tensors(tmp_path / "x.safetensors")
    expected = weights_rule.state_dict(meta)
    assert {name: value.shape for name, value in found.items()} == {n: v.shape for n, v in expected.items()}
    for name, value in expected.items():
        if lineage == "official_torch04" and value.ndim == 1 and name.endswith(".weight"):
            value = np.abs(value)  # the sign of an in-place batch norm's weight has no effect
            np.testing.assert_allclose(found[name], value, rtol=3e-7)
        else:
            np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_lineages_that_compute_otherwise_are_refused(tmp_path):
    model = hk.HRNetV2W18SmallV1("seg")
    with pytest.raises(ValueError, match="'mmlab' resizes and biases otherwise than the model"):
        hk.save_torch_weights(model, tmp_path / "x.safetensors", lineage="mmlab")
    with pytest.raises(ValueError, match="lineage='timm' has no nets for task='seg'"):
        hk.save_torch_weights(model, tmp_path / "x.safetensors", lineage="timm")
    with pytest.raises(ValueError, match="lineage='caffe': expected one of 'official'"):
        hk.save_torch_weights(model, tmp_path / "x.safetensors", lineage="caffe")
    with pytest.raises(ValueError, match=r"expected a name that ends in \.safetensors"):
        hk.save_torch_weights(model, tmp_path / "x.pth")
    with pytest.raises(OSError, match=r"can't write .*nowhere"):
        hk.save_torch_weights(model, tmp_path / "nowhere" / "x.safetensors")


def test_layers_that_pytorchs_nets_lack_are_named_and_nothing_is_written(tmp_path):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    own = keras.layers.LayerNormalization(name="mine")(model.output)
    for strange, name in (
        (convert_to_group_norm(model), r"'bn1' \(GroupNormalization\)"),
        (keras.Model(model.input, own), r"1 layers have no place .*'mine' \(LayerNormalization\)"),
        (keras.Sequential([keras.Input((32, 32, 3)), model]), r"'hrnetv2_w18smallv1_seg' \(Functional\)"),
    ):
        with pytest.raises(ValueError, match=name):
            hk.save_torch_weights(strange, tmp_path / "x.safetensors")
        assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"a net of batch norms, .* normalises by groups"):
        hk.load_torch_weights(convert_to_group_norm(model), tensors_of(model))
    extended = keras.Model(model.input, own)
    with pytest.raises(ValueError, match=r"2 tensors .* missing: mine\.gamma, mine\.beta"):
        hk.load_torch_weights(extended, tensors_of(model))
    assert hk.load_torch_weights(extended, tensors_of(model), strict=False).missing == ("mine.gamma", "mine.beta")


def test_a_net_is_not_saved_for_a_program_that_computes_otherwise(tmp_path):
    with pytest.raises(ValueError, match=r"'official' resizes and biases otherwise.*lineage='mmlab'"):
        hk.save_torch_weights(hk.HRNetV2W18SmallV1(lineage="mmlab"), tmp_path / "x.safetensors")
    aligned = hk.HRNetV2W18SmallV1("seg", lineage="mmlab", align_corners=True)
    with pytest.raises(ValueError, match="'mmlab' never align corners"):
        hk.save_torch_weights(aligned, tmp_path / "x.safetensors", lineage="mmlab")


def test_the_file_is_as_the_formats_own_library_reads_it(tmp_path):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3, align_corners=True)
    hk.save_torch_weights(model, tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        assert file.metadata()["format"] == "pt"
        expected = tensors_of(model)
        assert set(file.keys()) == set(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(file.get_tensor(name), value)


def test_scales_that_pytorch_04_cannot_hold_are_named(tmp_path):
    model = hk.HRNetV2W18SmallV1("seg")
    model.get_layer("bn1").gamma.assign(np.full(64, -0.5, np.float32))
    with pytest.raises(ValueError, match=r"bn1\.weight has a scale of -0\.5"):
        hk.save_torch_weights(model, tmp_path / "x.safetensors", lineage="official_torch04")

"""From a published file to files to take away, in Python and on the command line."""

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

import hrnet_keras as hk
from hrnet_keras.checkpoints import read_tensors
from hrnet_keras.cli import main
from hrnet_keras.converting import convert
from tests.checkpoints.published import CASES, filled

PUBLISHED = {case.name: case for case in CASES}


@pytest.fixture
def source(golden, weights_rule, tmp_path):
    def get(name, form="legacy"):
        case = PUBLISHED[name]
        return str(filled(case, golden(case.kind, case.case)[0], weights_rule, form, tmp_path))

    return get


def test_a_file_becomes_a_model_with_class_names(source, tmp_path, capsys):
    target = str(tmp_path / "city.keras")
    assert main(["convert", source("mmseg"), target, "--task", "seg", "--classes", "cityscapes"]) == 0
    printed = capsys.readouterr().out
    assert "hrnetv2_w18smallv2_seg" in printed and "lineage mmlab" in printed and "0 not" not in printed
    model = keras.saving.load_model(target, compile=False)
    assert model.get_layer("logits").info.class_names[0] == "road"
    assert main(["convert", source("mmseg"), str(tmp_path / "c.keras"), "--classes", "lip"]) == 1
    assert "classes='lip': 20 names for 19 classes" in capsys.readouterr().err


def test_a_file_goes_to_safetensors_and_to_keras_weights(source, tmp_path):
    path = source("seg")
    model, report = convert(path, tmp_path / "x.safetensors")
    assert report.unused == ("loss.criterion.weight",)
    original = {name.removeprefix("model."): value for name, value in read_tensors(path).items()}
    for name, value in read_tensors(tmp_path / "x.safetensors").items():
        np.testing.assert_array_equal(value, original[name])
    convert(path, tmp_path / "x.weights.h5")
    model.load_weights(tmp_path / "x.weights.h5")


def test_one_of_several_nets_is_chosen(source, tmp_path, capsys):
    tensors = {name: np.array(value) for name, value in read_tensors(source("seg")).items() if "model." in name}
    both = {f"student.{name}": value for name, value in tensors.items()}
    both |= {f"teacher.{name}": np.asarray(value + 1) for name, value in tensors.items()}
    save_file(both, tmp_path / "both.safetensors")
    words = ["convert", str(tmp_path / "both.safetensors"), str(tmp_path / "x.safetensors")]
    assert main(words) == 1
    assert "holds 2 nets: 'student.model' (435 tensors) and 'teacher.model'" in capsys.readouterr().err
    assert main([*words, "--state", "teacher"]) == 0
    found = read_tensors(tmp_path / "x.safetensors")["last_layer.3.bias"]
    np.testing.assert_array_equal(found, tensors["model.last_layer.3.bias"] + 1)


def test_detectors_give_their_pyramid(source, tmp_path):
    """Those whose heads this version lacks; the others are converted whole."""
    model, report = convert(source("mmdet"), tmp_path / "det.keras")
    assert model.name == "hrnetv2p_w18_det_faster_rcnn" and not report.missing and not report.unused
    tensors = read_tensors(source("mmdet"))
    cascade = {name.replace("bbox_head.", "bbox_head.0."): value for name, value in tensors.items()}
    model, report = convert(cascade, tmp_path / "pyramid.keras")
    assert model.name == "hrnetv2p_w18" and not report.missing
    assert all(name.startswith(("rpn_head.", "roi_head.")) for name in report.unused)
    assert "its heads, by the names of mmdet, are none that this version takes" in report.summary()


def test_what_cannot_be_converted_is_named(source, tmp_path, capsys):
    with pytest.raises(ValueError, match="task='pose' was asked for, the checkpoint is of task 'seg'"):
        convert(source("seg"), tmp_path / "x.keras", task="pose")
    with pytest.raises(ValueError, match=r"x\.onnx: expected a name that ends in \.keras"):
        convert(source("seg"), tmp_path / "x.onnx")
    with pytest.raises(ValueError, match="classes='towns': neither a published data set nor a file of names"):
        convert(source("seg"), tmp_path / "x.keras", classes="towns")
    with pytest.raises(OSError, match=r"can't write .*nowhere"):
        convert(source("seg"), tmp_path / "nowhere" / "x.safetensors")
    (tmp_path / "broken.pth").write_bytes(b"PK\x03\x04 broken")
    assert main(["convert", str(tmp_path / "broken.pth"), str(tmp_path / "x.keras")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"hrnet-keras: {tmp_path}/broken.pth: damaged") and error.count("\n") == 1


def test_the_list_of_weights(capsys):
    assert main(["models", "--task", "landmark"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12  # the head, and eleven files
    assert any("NME 3.98" in line and line.endswith("= 'wflw'") for line in lines)
    assert any("by hand" in line and "HR18-WFLW" in line for line in lines)
    assert main(["models", "--task", "poses"]) == 1
    assert "task='poses': expected one of" in capsys.readouterr().err


def test_a_keras_file_becomes_one_for_pytorch(tmp_path, capsys):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    path, target = str(tmp_path / "best.keras"), str(tmp_path / "net.safetensors")
    model.save(path)
    assert main(["convert", path, target, "--task", "seg"]) == 0
    assert f"{target}: hrnetv2_w18smallv1_seg" in capsys.readouterr().out
    tensors = read_tensors(target)
    kernel = model.get_layer("stage4.0.branches.0.0.conv1").kernel
    np.testing.assert_array_equal(tensors["stage4.0.branches.0.0.conv1.weight"], np.transpose(kernel, (3, 2, 0, 1)))
    again = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    hk.load_torch_weights(again, target)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert main(["convert", path, target, "--task", "pose"]) == 1
    assert "task='pose' was asked for, the file's net has 'seg'" in capsys.readouterr().err
    (tmp_path / "cut.keras").write_bytes((tmp_path / "best.keras").read_bytes()[:500])
    assert main(["convert", str(tmp_path / "cut.keras"), target]) == 1
    assert "cut.keras: not a readable .keras file" in capsys.readouterr().err

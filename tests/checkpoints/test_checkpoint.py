"""An opened checkpoint: whatever holds the weights is read once, and told once whose net it is."""

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.checkpoints import Checkpoint, checkpoint, open_checkpoint, read_tensors, zoo
from hrnet_keras.converting import convert
from hrnet_keras.layers.model_info import info_of, update_info
from tests.checkpoints.published import CASES, filled

PUBLISHED = {case.name: case for case in CASES}


@pytest.fixture
def file(golden, weights_rule, tmp_path):
    """`file("seg")` -> path of that published file."""

    def get(name):
        case = PUBLISHED[name]
        return filled(case, golden(case.kind, case.case)[0], weights_rule, "zip", tmp_path)

    return get


@pytest.mark.parametrize(
    ("name", "net", "head", "count"),
    [
        ("cls", ("official", "cls", "V2", "W18SmallV1"), None, 1000),
        ("seg_ocr", ("official", "seg", "V2", "W18"), "ocr", 19),
        ("mmseg", ("mmlab", "seg", "V2", "W18SmallV2"), None, 19),
        ("mmpose_landmark", ("mmlab", "landmark", "V2", "W18"), None, 19),
        ("pose", ("official", "pose", "V1", "W32"), None, 16),
        ("mmdet", ("mmlab", "det", "V2p", "W18"), "faster_rcnn", 80),
    ],
)
def test_it_says_what_net_it_is_of(file, name, net, head, count):
    opened = open_checkpoint(file(name))
    assert (opened.lineage, opened.task, opened.representation, opened.width) == net
    assert (opened.variant, opened.count) == (head, count)
    assert opened.info is None and opened.entry is None and not opened.lineage_is_stated


def test_it_is_read_and_identified_once(file, monkeypatch, tmp_path):
    path, calls = file("seg"), []
    for name in ("read_state", "identify"):
        original = getattr(checkpoint, name)
        monkeypatch.setattr(
            checkpoint,
            name,
            lambda *args, _name=name, _call=original, **more: calls.append(_name) or _call(*args, **more),
        )
    for use in (
        lambda: hk.HRNetV2W18SmallV1("seg", weights=path),
        lambda: hk.load(path),
        lambda: convert(path, tmp_path / "x.keras", lineage="official"),
        lambda: hk.load_torch_weights(hk.HRNetV2W18SmallV1("seg"), path),
    ):
        calls.clear()
        use()
        assert calls == ["read_state", "identify"]
    opened = open_checkpoint(path)
    assert isinstance(opened, Checkpoint) and open_checkpoint(opened) is opened


def test_it_opens_files_of_keras(tmp_path):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3, head="ocr", lineage="mmlab", align_corners=False)
    model.save(tmp_path / "net.keras")
    opened = open_checkpoint(tmp_path / "net.keras")
    assert opened.info == info_of(model) and (opened.naming, opened.variant, opened.count) == ("mmseg", "ocr", 3)
    assert opened.width == "W18SmallV1"
    other = hk.HRNetV2W18SmallV1("seg", num_classes=3, head="ocr", lineage="mmlab", align_corners=False)
    report = hk.load_torch_weights(other, tmp_path / "net.keras")
    assert len(report.loaded) == len(model.weights) and not report.missing
    for one, same in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    model.save_weights(tmp_path / "net.weights.h5")
    assert open_checkpoint(tmp_path / "net.weights.h5").weights_file.endswith("net.weights.h5")
    with pytest.raises(ValueError, match="numbers without the net"):
        hk.load_torch_weights(other, tmp_path / "net.weights.h5")


def test_it_opens_published_names(file, monkeypatch):
    path = file("mmdet")
    monkeypatch.setattr(zoo, "fetch", lambda entry: path)
    entry = zoo.find("coco", task="det", representation="V2p", width="W18", lineage="mmlab")
    opened = open_checkpoint(entry.name)
    assert opened.entry == entry and opened.lineage_is_stated and opened.name == str(path)
    kernel = read_tensors(path)["backbone.conv1.weight"].transpose(2, 3, 1, 0)
    detector, pyramid = hk.load(entry.name), hk.HRNetV2pW18(weights=entry.name)
    assert detector.name == "hrnetv2p_w18_det_faster_rcnn" and pyramid.name == "hrnetv2p_w18"
    for model in (detector, pyramid):
        np.testing.assert_array_equal(model.get_layer("conv1").kernel, kernel)


def test_a_lineage_decides_where_names_leave_a_choice(file):
    opened = open_checkpoint(file("seg_torch04"))
    assert opened.lineage == "official_torch04" and "taken for a net of PyTorch 0.4.1" in opened.notes[0]
    stated = open_checkpoint(opened, lineage="official")
    assert (stated.lineage, stated.naming, stated.notes) == ("official", "official", ())
    with pytest.raises(ValueError, match=r"names of official_torch04 .*, lineage='mmlab' was asked for"):
        opened.as_lineage("mmlab")
    with pytest.raises(ValueError, match="lineage='caffe': expected one of 'official'"):
        opened.as_lineage("caffe")


def test_a_trunk_alone_starts_feature_maps(file, capsys):
    tensors = {name: np.array(value) for name, value in read_tensors(file("cls")).items()}
    heads = ("classifier.", "final_layer.", "downsamp_modules.", "incre_modules.")
    opened = open_checkpoint({name: value for name, value in tensors.items() if not name.startswith(heads)})
    assert opened.task is None
    model = hk.HRNetV2W18SmallV1(weights=opened)
    np.testing.assert_array_equal(model.get_layer("conv1").kernel, tensors["conv1.weight"].transpose(2, 3, 1, 0))
    assert "not in the file, unchanged: last_layer.0" in capsys.readouterr().out


def test_a_start_for_another_task_brings_no_names(tmp_path, capsys):
    model = hk.HRNetV2W18SmallV1("cls", num_classes=3)
    update_info(model, class_names=("a", "b", "c"), input_size=(96, 96))
    model.save(tmp_path / "best.keras")
    other = info_of(hk.HRNetV2W18SmallV1("seg", num_classes=3, weights=tmp_path / "best.keras"))
    assert (other.task, other.class_names, other.input_size) == ("seg", (), None)

"""`weights=` of the builders: names, paths, other tasks, other counts."""

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.builders import facts_of
from hrnet_keras.checkpoints import zoo
from tests.checkpoints.published import CASES, filled

PUBLISHED = {case.name: case for case in CASES}


@pytest.fixture(scope="module")
def file(golden, weights_rule, tmp_path_factory):
    """`file("seg")` -> path of that published file and its golden's weights."""
    folder, made = tmp_path_factory.mktemp("published"), {}

    def get(name):
        if name not in made:
            case = PUBLISHED[name]
            meta, _ = golden(case.kind, case.case)
            made[name] = filled(case, meta, weights_rule, "zip", folder), weights_rule.state_dict(meta)
        return made[name]

    return get


def kernel(model, layer="conv1"):
    return np.asarray(model.get_layer(layer).kernel).transpose(3, 2, 0, 1)


def test_a_checkpoint_says_how_its_net_is_built(file, capsys):
    path, tensors = file("mmseg")
    model = hk.HRNetV2W18SmallV2("seg", weights=path)
    assert facts_of(model)["lineage"] == "mmlab" and facts_of(model)["num_classes"] == 19
    np.testing.assert_array_equal(kernel(model), tensors["backbone.conv1.weight"])
    assert capsys.readouterr().out == ""  # nothing stayed random, so there is nothing to say
    path, tensors = file("landmark")
    model = hk.HRNetV2W18("landmark", weights=str(path))
    assert facts_of(model)["num_keypoints"] == 19


def test_the_ocr_head_is_found(file):
    path, tensors = file("seg_ocr")
    model = hk.HRNetV2W18("seg", weights=path)
    assert facts_of(model)["head"] == "ocr"
    np.testing.assert_array_equal(kernel(model, "cls_head"), tensors["cls_head.weight"])


def test_another_class_count_keeps_all_but_the_last_layer(file, capsys):
    path, tensors = file("seg")
    model = hk.HRNetV2W18SmallV1("seg", num_classes=7, weights=path)
    assert model.output_shape[-1] == 7
    np.testing.assert_array_equal(kernel(model, "last_layer.0"), tensors["last_layer.0.weight"])
    printed = capsys.readouterr().out
    assert "2 not in the file, unchanged: last_layer.3 (2)" in printed and "1 not used: loss (1)" in printed


def test_a_classification_file_starts_any_task(file, capsys):
    path, tensors = file("cls")
    for builder, task in ((hk.HRNetV2W18SmallV1, "seg"), (hk.HRNetV2W18SmallV1, "landmark"),
                          (hk.HRNetV1W18SmallV1, "pose"), (hk.HRNetV2pW18SmallV1, None)):  # fmt: skip
        model = builder(task, weights=path)
        layer = "stage4.0.fuse_layers.0.3.0"
        np.testing.assert_array_equal(kernel(model, layer), tensors[f"{layer}.weight"])
        assert "not in the file, unchanged" in capsys.readouterr().out or task is None


def test_files_that_do_not_fit_are_refused(file, tmp_path):
    path, _ = file("cls")
    with pytest.raises(ValueError, match=r"cls_zip\.pth: .* tensors of the trunk are missing or misshapen"):
        hk.HRNetV2W18SmallV2("seg", weights=path)
    with pytest.raises(ValueError, match="of another shape"):
        hk.HRNetV2W18SmallV2("cls", weights=path)
    with pytest.raises(
        ValueError, match="a net for task 'seg'; for task 'pose' expected one of that task, or of 'cls'"
    ):
        hk.HRNetV1W18SmallV1("pose", weights=file("seg")[0])
    with pytest.raises(ValueError, match=r"weights='gone\.pth': no such file"):
        hk.HRNetV2W18("seg", weights="gone.pth")
    with pytest.raises(ValueError, match="names of mmseg"):
        hk.HRNetV2W18SmallV2("seg", weights=file("mmseg")[0], lineage="official")
    (tmp_path / "page.pth").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(ValueError, match=r"page\.pth: this is a web page"):
        hk.HRNetV2W18("seg", weights=tmp_path / "page.pth")


def test_published_names_bring_class_names_and_conventions(file, monkeypatch):
    path, _ = file("mmseg")
    fetched = []
    monkeypatch.setattr(zoo, "fetch", lambda entry: fetched.append(entry.name) or path)
    model = hk.HRNetV2W18SmallV2("seg", weights="cityscapes")
    facts = facts_of(model)
    assert fetched == ["fcn_hr18s_512x1024_160k_cityscapes"] and facts["weights"] == fetched[0]
    assert facts["class_names"][:2] == ["road", "sidewalk"] and facts["palette"][0] == [128, 64, 128]
    assert facts["lineage"] == "mmlab"
    found = hk.predict(model, np.zeros((48, 64, 3), np.uint8))[0]
    assert found.label_map.shape == (48, 64)


def test_imagenet_starts_the_papers_way(file, monkeypatch, capsys):
    path, tensors = file("timm")
    monkeypatch.setattr(zoo, "fetch", lambda entry: path)
    model = hk.HRNetV2W18SmallV2("seg", weights="imagenet", num_classes=5)
    assert facts_of(model)["lineage"] == "official" and "weights" not in facts_of(model)
    np.testing.assert_array_equal(kernel(model), tensors["conv1.weight"])
    assert "last_layer.3 (2)" in capsys.readouterr().out


@pytest.mark.parametrize("lineage", ["official", "official_torch04", "mmlab"])
def test_a_trained_model_starts_another(tmp_path, lineage, capsys):
    one = hk.HRNetV2W18SmallV1("seg", num_classes=3, lineage=lineage)
    one.get_layer("conv1").kernel.assign(np.random.default_rng(0).normal(size=(3, 3, 3, 64)))
    one.save(tmp_path / "best.keras")
    same = hk.HRNetV2W18SmallV1("seg", weights=tmp_path / "best.keras")
    assert facts_of(same)["lineage"] == lineage and capsys.readouterr().out == ""
    for before, after in zip(one.weights, same.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after), err_msg=before.path)
    other = hk.HRNetV2W18SmallV1("seg", num_classes=5, weights=tmp_path / "best.keras")
    np.testing.assert_array_equal(kernel(other), kernel(one))
    assert "not in the file, unchanged" in capsys.readouterr().out
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"broken\.keras': not a readable \.keras file"):
        hk.HRNetV2W18SmallV1("seg", weights=str(tmp_path / "broken.keras"))

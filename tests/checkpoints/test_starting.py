"""`weights=` of the builders: names, paths, other tasks, other counts."""

from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

import hrnet_keras as hk
from hrnet_keras.checkpoints import read_tensors, zoo
from hrnet_keras.checkpoints.model_weights import has_group_norms
from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import info_of, update_info
from hrnet_keras.layers.normalization import convert_to_group_norm
from hrnet_keras.recipe import DataRecipe, ModelRecipe, Recipe
from hrnet_keras.training.assemble import build
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
    assert info_of(model).lineage == "mmlab" and info_of(model).num_classes == 19
    np.testing.assert_array_equal(kernel(model), tensors["backbone.conv1.weight"])
    assert capsys.readouterr().out == ""  # nothing stayed random, so there is nothing to say
    path, tensors = file("landmark")
    model = hk.HRNetV2W18("landmark", weights=str(path))
    assert info_of(model).num_keypoints == 19


def test_the_ocr_head_is_found(file):
    path, tensors = file("seg_ocr")
    model = hk.HRNetV2W18("seg", weights=path)
    assert info_of(model).head == "ocr"
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
                          (hk.HRNetV1W18SmallV1, "pose"), (hk.HRNetV2pW18SmallV1, "det"),
                          (hk.HRNetV2pW18SmallV1, None)):  # fmt: skip
        model = builder(task, weights=path)
        layer = "stage4.0.fuse_layers.0.3.0"
        np.testing.assert_array_equal(kernel(model, layer), tensors[f"{layer}.weight"])
        assert "not in the file, unchanged" in capsys.readouterr().out or task is None


def test_a_trunk_alone_starts_any_task(file, tmp_path, capsys):
    """As timm's `features_only` nets are saved: with or without the modules that widen the maps, without a head."""
    tensors = {name: np.array(value) for name, value in read_tensors(file("cls")[0]).items()}
    heads = ("classifier.", "final_layer.", "downsamp_modules.")
    trunk = {name: value for name, value in tensors.items() if not name.startswith(heads)}
    save_file(trunk, tmp_path / "features.safetensors")
    model = hk.HRNetV2W18SmallV1("seg", weights=tmp_path / "features.safetensors")
    layer = "stage4.0.fuse_layers.0.3.0"
    np.testing.assert_array_equal(kernel(model, layer), tensors[f"{layer}.weight"])
    assert "task none: trunk alone" in capsys.readouterr().out


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
    info = info_of(model)
    assert fetched == ["fcn_hr18s_512x1024_160k_cityscapes"] and info.weights == fetched[0]
    assert info.class_names[:2] == ("road", "sidewalk") and info.palette[0] == (128, 64, 128)
    assert info.lineage == "mmlab"
    found = hk.predict(model, np.zeros((48, 64, 3), np.uint8))[0]
    assert found.label_map.shape == (48, 64)


def test_imagenet_starts_the_papers_way(file, monkeypatch, capsys, caplog):
    path, tensors = file("timm")
    monkeypatch.setattr(zoo, "fetch", lambda entry: path)
    with caplog.at_level("INFO"):
        model = hk.HRNetV2W18SmallV2("seg", weights="imagenet", num_classes=5)
    assert info_of(model).lineage == "official" and info_of(model).weights is None
    np.testing.assert_array_equal(kernel(model), tensors["conv1.weight"])
    assert "last_layer.3 (2)" in caplog.text and capsys.readouterr().out == ""  # left to a program that takes the lines


@pytest.mark.parametrize("lineage", ["official", "official_torch04", "mmlab"])
def test_a_trained_model_starts_another(tmp_path, lineage, capsys):
    one = hk.HRNetV2W18SmallV1("seg", num_classes=3, lineage=lineage)
    one.get_layer("conv1").kernel.assign(np.random.default_rng(0).normal(size=(3, 3, 3, 64)))
    one.save(tmp_path / "best.keras")
    same = hk.HRNetV2W18SmallV1("seg", weights=tmp_path / "best.keras")
    assert info_of(same).lineage == lineage and capsys.readouterr().out == ""
    for before, after in zip(one.weights, same.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after), err_msg=before.path)
    other = hk.HRNetV2W18SmallV1("seg", num_classes=5, weights=tmp_path / "best.keras")
    np.testing.assert_array_equal(kernel(other), kernel(one))
    assert "not in the file, unchanged" in capsys.readouterr().out
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"broken\.keras': not a readable \.keras file"):
        hk.HRNetV2W18SmallV1("seg", weights=str(tmp_path / "broken.keras"))


def grouped(**options):
    return convert_to_group_norm(hk.HRNetV2W18SmallV1("seg", num_classes=3, **options))


KERAS_FILES = {
    "aligned": lambda: hk.HRNetV2W18SmallV1("seg", num_classes=3, align_corners=True),
    "head's stride, normalised": lambda: hk.HRNetV2W18SmallV1(
        "seg", num_classes=3, align_corners=True, include_preprocessing=False, output_stride=4
    ),
    "ocr, not aligned": lambda: hk.HRNetV2W18SmallV1("seg", num_classes=3, head="ocr", align_corners=False),
    "group norms": grouped,
    "group norms, mmlab": lambda: grouped(lineage="mmlab"),
    "pose": lambda: hk.HRNetV1W18SmallV1("pose", num_keypoints=4),
    "landmark, mmlab": lambda: hk.HRNetV2W18SmallV1("landmark", num_keypoints=4, lineage="mmlab"),
    "features, mmlab": lambda: hk.HRNetV2W18SmallV1(lineage="mmlab"),
}


@pytest.mark.parametrize("kind", KERAS_FILES)
def test_a_keras_file_starts_a_model_of_the_same_outputs(kind, tmp_path, capsys):
    model = KERAS_FILES[kind]()
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if len(variable.shape) == 1:  # norms and biases that are not all alike
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    task = None
    if "features" not in kind:
        info = info_of(model)
        task = info.task
        codec = None if info.num_keypoints is None else "udp"
        update_info(model, data="mine", class_names=("a", "b", "c"), palette=((1, 2, 3),) * 3, codec=codec)
    path = tmp_path / "trained.keras"
    model.save(path)
    builder = hk.HRNetV1W18SmallV1 if task == "pose" else hk.HRNetV2W18SmallV1
    again = builder(task, weights=path)
    assert capsys.readouterr().out == ""
    if task:
        assert info_of(again) == info_of(model)
    x = rng.uniform(0, 255, (1, 64, 96, 3) if task == "pose" else (1, 61, 75, 3)).astype(np.float32)
    expected = np.asarray(model(x, training=False))
    assert np.isfinite(expected).all() and expected.std() > 0
    np.testing.assert_allclose(np.asarray(again(x, training=False)), expected, atol=1e-5 * expected.std())


def test_a_start_from_a_keras_file_can_be_given_another_form(tmp_path, capsys):
    path = tmp_path / "trained.keras"
    model = grouped(include_preprocessing=False)
    update_info(model, class_names=("a", "b", "c"))
    model.save(path)
    whole = hk.HRNetV2W18SmallV1("seg", weights=path, include_preprocessing=True)
    assert info_of(whole).include_preprocessing and info_of(whole).class_names == ("a", "b", "c")
    other = hk.HRNetV2W18SmallV1("seg", weights=path, num_classes=5)
    assert info_of(other).class_names == () and "last_layer.3 (2)" in capsys.readouterr().out
    assert has_group_norms(other)
    np.testing.assert_array_equal(kernel(other), kernel(model))


def test_a_file_that_says_otherwise_is_refused(tmp_path):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3, align_corners=True)
    for name in ("net.keras", "net.safetensors"):
        if name.endswith(".keras"):
            model.save(tmp_path / name)
        else:
            hk.save_torch_weights(model, tmp_path / name)
        with pytest.raises(ValueError, match=rf"{name}': of a net with align_corners=True, False was asked for"):
            hk.HRNetV2W18SmallV1("seg", weights=tmp_path / name, align_corners=False)
    assert info_of(hk.HRNetV2W18SmallV1("seg", weights=tmp_path / "net.safetensors")).align_corners
    plain = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    with pytest.raises(ValueError, match="saved from a net with align_corners=True, the model was built with"):
        hk.load_torch_weights(plain, tmp_path / "net.safetensors")


def test_scales_that_a_training_pushed_below_zero_come_back_as_they_are(tmp_path):
    """Nets that began as one of PyTorch 0.4.1, whose scales were absolute, are trained on with scales of any sign."""
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3, lineage="official_torch04")
    model.get_layer("bn1").gamma.assign(np.linspace(-1, 1, 64))
    model.save(tmp_path / "best.keras")
    again = hk.HRNetV2W18SmallV1("seg", weights=tmp_path / "best.keras")
    np.testing.assert_array_equal(again.get_layer("bn1").gamma, model.get_layer("bn1").gamma)
    assert info_of(again).lineage == "official_torch04"


def test_a_recipe_goes_on_from_group_norms(tmp_path):
    grouped().save(tmp_path / "best.keras")
    data = SimpleNamespace(info=DatasetInfo("mine", class_names=("a", "b", "c")))
    recipe = Recipe(ModelRecipe("HRNetV2W18SmallV1", weights=str(tmp_path / "best.keras")), DataRecipe("folder"))
    model = build(recipe, data)
    assert has_group_norms(model) and info_of(model).class_names == ("a", "b", "c")


def test_another_count_of_points_from_mmpose(file, capsys):
    path, tensors = file("mmpose_landmark")
    model = hk.HRNetV2W18("landmark", weights=path, num_keypoints=5)
    np.testing.assert_array_equal(kernel(model, "head.0"), tensors["head.0.weight"])
    assert "2 not in the file, unchanged: head (2)" in capsys.readouterr().out
    path, tensors = file("mmpose_pose")
    model = hk.HRNetV1W32("pose", weights=path, num_keypoints=5)
    np.testing.assert_array_equal(kernel(model), tensors["conv1.weight"])


def test_what_was_assumed_is_said(file, capsys):
    path, _ = file("seg_torch04")
    hk.HRNetV2W18SmallV1("seg", weights=path)
    assert "taken for a net of PyTorch 0.4.1" in capsys.readouterr().out
    hk.HRNetV2W18SmallV1("seg", weights=path, lineage="official_torch04")
    assert capsys.readouterr().out == ""

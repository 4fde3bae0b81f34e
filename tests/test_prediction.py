"""The prediction verb: what it takes, what it answers, what it refuses."""

import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras.checkpoints import zoo
from tests.checkpoints.published import CASES, filled


@pytest.fixture(scope="module")
def model():
    return hk.HRNetV2W18SmallV1("seg", num_classes=3)


@pytest.fixture
def pictures(tmp_path):
    for i, size in enumerate([(40, 60), (33, 47)]):
        Image.fromarray(np.full((*size, 3), 40 * i, np.uint8)).save(tmp_path / f"{i}.png")
    return tmp_path


def test_paths_patterns_arrays_and_lists(model, pictures):
    found = hk.predict(model, str(pictures / "*.png"))
    assert [prediction.label_map.shape for prediction in found] == [(40, 60), (33, 47)]
    image = np.zeros((20, 30, 3), np.uint8)
    assert [p.path for p in hk.predict(model, [image, pictures / "0.png"])] == [None, str(pictures / "0.png")]
    assert len(hk.predict(model, np.stack([image, image]))) == 2


def test_draws_and_saves(model, pictures, tmp_path):
    found = hk.predict(model, pictures / "0.png")[0]
    path = found.save(tmp_path / "drawn.png")
    drawn = np.asarray(Image.open(path))
    np.testing.assert_array_equal(drawn, found.draw())
    assert drawn.shape[1:] == (60, 3) and drawn.shape[0] > 40
    with pytest.raises(OSError, match="can't write"):
        found.save(tmp_path / "no" / "folder.png")
    with pytest.raises(AttributeError, match="label_map, not 'boxes'"):
        _ = found.boxes


def test_a_keras_file_brings_its_classes(model, tmp_path):
    from hrnet_keras.builders import name_answers
    from hrnet_keras.datasets import Facts

    named = hk.HRNetV2W18SmallV1("seg", num_classes=2)
    name_answers(named, Facts("two", class_names=("road", "sky"), palette=((1, 2, 3), (4, 5, 6))))
    named.save(tmp_path / "net.keras")
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    found = hk.predict(tmp_path / "net.keras", image)[0]
    assert found.facts["class_names"] == ["road", "sky"] and found.facts["palette"] == [[1, 2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(found.label_map, hk.predict(named, image)[0].label_map)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ("nothing.png", "picture nothing.png: no such file"),
        (np.zeros((4, 4), np.uint8), "uint8 array"),
        (np.zeros((4, 4, 3), np.float32), "given float32"),
        (np.zeros((0, 4, 3), np.uint8), "given uint8"),
    ],
)
def test_bad_pictures_are_named(model, images, expected):
    with pytest.raises(ValueError, match=expected):
        hk.predict(model, images)


def test_a_truncated_picture_is_named(model, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"cut\.jpg"):
        hk.predict(model, tmp_path / "cut.jpg")


def test_bad_models_are_named(tmp_path):
    image = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(ValueError, match=r"model net\.keras: expected a \.keras file"):
        hk.predict("net.keras", image)
    (tmp_path / "broken.keras").write_text("not a zip file")
    with pytest.raises(ValueError, match=r"broken\.keras: not a readable"):
        hk.predict(tmp_path / "broken.keras", image)
    with pytest.raises(ValueError, match="expected a SavedModel"):
        hk.predict(tmp_path, image)
    with pytest.raises(ValueError, match="answers no task"):
        hk.predict(hk.HRNetV1W18SmallV1(), image)
    with pytest.raises(ValueError, match="task='pose' has no 'inference' in this version"):
        hk.predict(hk.HRNetV1W18SmallV1("pose"), image)


def test_checkpoints_and_published_names_are_models(golden, weights_rule, tmp_path, monkeypatch):
    case = next(case for case in CASES if case.name == "mmseg")
    path = filled(case, golden(case.kind, case.case)[0], weights_rule, "zip", tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    one = hk.predict(path, image)[0]
    monkeypatch.setattr(zoo, "fetch", lambda entry: path)
    other = hk.predict("fcn_hr18s_512x1024_160k_cityscapes", image)[0]
    np.testing.assert_array_equal(one.label_map, other.label_map)
    assert one.facts["class_names"][0] == "class 0" and other.facts["class_names"][0] == "road"

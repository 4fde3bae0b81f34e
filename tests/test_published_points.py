"""Published weights of points: what they say of themselves, and the one-line check of their scores."""

import json
from dataclasses import replace

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.builders import _name_published, info_of
from hrnet_keras.checkpoints import zoo
from hrnet_keras.checkpoints.loading import save_torch_weights
from hrnet_keras.cli import main
from hrnet_keras.datasets.published import published
from hrnet_keras.layers.model_info import info_layer
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.keypoints.spec import KeypointSpec
from tests import point_files
from tests.checkpoints.published import CASES, filled

ENTRIES = [entry for entry in zoo.entries() if entry.task in ("landmark", "pose") and entry.count]
SMALL = {"landmark": hk.HRNetV2W18SmallV1, "pose": hk.HRNetV1W18SmallV1}


@pytest.fixture(scope="module")
def small_net():
    """`small_net(task, count, lineage)`, each built once."""
    known = {}

    def build(*key):
        task, count, lineage = key
        if key not in known:
            known[key] = SMALL[task](task, num_keypoints=count, lineage=lineage)
        return known[key]

    return build


def test_every_entry_says_how_it_is_read(small_net):
    for entry in ENTRIES:
        model = small_net(entry.task, entry.count, entry.lineage)
        before = info_of(model)
        _name_published(model, entry)
        info, names = info_of(model), published(entry.data)
        defaults = task_named(entry.task).module("inference").DEFAULTS
        spec = KeypointSpec.of(info, model.input_shape[1:3], defaults)
        assert spec.convention == entry.lineage and spec.codec == entry.codec, entry.name
        assert spec.size == entry.input_size and spec.flip == (entry.lineage == "mmlab" or entry.task == "pose")
        assert spec.flip_pairs == names.flip_pairs and len(spec.flip_pairs) > 5
        assert info.point_names == tuple(names.point_names) and info.data == entry.data
        assert len(names.point_names) * (3 if entry.codec == "udp_combined" else 1) == entry.count
        boxes = {("aflw", "official"): "aflw", ("aflw", "mmlab"): "aflw", ("cofw", "mmlab"): "cofw"}
        assert info.crop_box == boxes.get((entry.data, entry.lineage), "tight"), entry.name
        assert (info.published or {}).get("score", {}) == entry.score
        info_layer(model).info = before  # the net serves other entries, too


@pytest.mark.parametrize(
    ("case", "name", "data", "figure", "printed"),
    [
        ("landmark", "HR18-AFLW", "aflw", "NME", "published: NME 1.57"),
        ("mmpose_landmark", "hrnetv2_w18_aflw_256x256_dark", "aflw", "NME", "published: NME 1.34"),
        ("pose", "official_pose_hrnet_w32_256x256", "mpii", "PCKh", "published: PCKh 90.3"),
    ],
)
def test_the_one_line_check(case, name, data, figure, printed, tmp_path, monkeypatch, capsys, golden, weights_rule):
    case = next(one for one in CASES if one.name == case)
    path = filled(case, golden(case.kind, case.case)[0], weights_rule, "zip", tmp_path)
    monkeypatch.setattr(zoo, "fetch", lambda entry: path)
    root = point_files.MAKERS[data](tmp_path / "data", {"valid" if data == "mpii" else "test": 1})
    words = ["evaluate", "--weights", name, "--data", str(root)]
    assert main([*words, "--save", str(tmp_path / "out"), "--json", str(tmp_path / "result.json")]) == 0
    shown = capsys.readouterr().out
    assert figure in shown and printed in shown
    assert np.isfinite(json.loads((tmp_path / "result.json").read_text())[figure])
    (file,) = (tmp_path / "out").rglob("*.json")
    points = np.array(json.loads(file.read_text())["points"])
    whole = np.array_equal(points, np.round(points))  # the official landmark convention know whole pixels alone
    assert whole == (name == "HR18-AFLW")


def test_persons_are_scored_on_annotated_or_detected_boxes(tmp_path, monkeypatch, capsys, small_net):
    like = next(entry for entry in ENTRIES if entry.codec == "udp_combined")
    save_torch_weights(small_net("pose", 51, "mmlab"), tmp_path / "net.safetensors", lineage="mmlab")
    entry = replace(like, name="small", width="W18SmallV1", input_size=(128, 96))
    monkeypatch.setattr(zoo, "entries", lambda: (entry,))
    monkeypatch.setattr(zoo, "fetch", lambda entry: str(tmp_path / "net.safetensors"))
    root = point_files.coco(tmp_path / "data", {"val": 1})
    (root / "persons.json").write_text(json.dumps([
        {"image_id": 1, "category_id": 1, "bbox": [20, 10, 90, 70], "score": 0.9},
        {"image_id": 1, "category_id": 1, "bbox": [70, 30, 60, 70], "score": 0.2},
        {"image_id": 1, "category_id": 1, "bbox": [50, 30, 60, 70], "score": 0.6},
    ]))  # fmt: skip

    def check(*more):
        words = ["evaluate", "--weights", "coco", "--data", str(root), "--save", str(tmp_path / "out"), *more]
        assert main(words) == 0
        (file,) = (tmp_path / "out").rglob("*.json")
        return capsys.readouterr().out, json.loads(file.read_text())

    printed, answer = check()
    assert "AP_M" in printed and "published: AP 0.759" in printed and "on the annotated boxes" in printed
    assert np.shape(answer["points"]) == (2, 17, 2) and "box_scores" not in answer
    printed, found = check("--option", "{detections: persons.json}")
    assert "published: AP 0.759" in printed and "annotated" not in printed
    assert np.shape(found["points"]) == (3, 17, 2) and found["box_scores"] == [0.9, 0.2, 0.6]
    _, other = check("--option", "{lineage: official}")  # which takes a pixel off the boxes
    np.testing.assert_allclose(np.array(answer["boxes"]) - other["boxes"], [[0, 0, 1, 1]] * 2, atol=1e-3)
    _, still = check("--no-flip")
    assert still["points"] != answer["points"]

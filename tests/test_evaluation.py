"""The evaluation verb on a folder of pictures."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras import datasets
from hrnet_keras.builders import name_outputs
from hrnet_keras.checkpoints import zoo
from hrnet_keras.cli import main
from hrnet_keras.datasets.cityscapes import TRAINED_IDS
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.layers.model_info import update_info
from hrnet_keras.tasks.segmentation.protocol import Protocol
from tests import dots, point_files, published_sets, streets
from tests.checkpoints.published import CASES, filled


@pytest.fixture
def root(tmp_path):
    streets.draw(tmp_path, count=2, size=(40, 60))
    streets.draw(tmp_path / "more", count=1, size=(33, 47))
    return tmp_path


def test_scores_agree_with_predictions_counted_by_hand(root, capsys):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    result = hk.evaluate(model, "folder", root=root)
    dataset = datasets.load("folder", "val", root)
    examples = [dataset.example(i) for i in range(len(dataset))]
    found = np.concatenate([hk.predict(model, e["image"])[0].label_map.ravel() for e in examples])
    truth = np.concatenate([e["label_map"].ravel() for e in examples])
    assert result["pixel_accuracy"] == pytest.approx((found == truth).mean())
    hits = [((found == c) & (truth == c)).sum() / max(1, ((found == c) | (truth == c)).sum()) for c in range(3)]
    assert result["mIoU"] == pytest.approx(np.mean(hits))
    printed = capsys.readouterr().out
    assert "square" in printed and "pixel accuracy" in printed


def test_a_model_of_other_classes_is_refused(root):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5)
    with pytest.raises(ValueError, match=r"the model has 5 classes, data set .* has 3"):
        hk.evaluate(model, "folder", root=root)


def test_unknown_data_sets_are_named():
    with pytest.raises(ValueError, match="'cityscape': did you mean 'cityscapes'"):
        hk.evaluate(hk.HRNetV2W18SmallV1("seg"), "cityscape")


def test_published_protocols_are_taken_and_changed(tmp_path, capsys):
    root = published_sets.cityscapes(tmp_path, {"val": 2})
    model = hk.HRNetV2W18SmallV1("seg")
    whole = Protocol()
    plain = hk.evaluate(model, "cityscapes", root=root, partial=True, protocol=whole, verbose=False)
    scaled = hk.evaluate(model, "cityscapes", root=root, partial=True, limit=1, verbose=False)  # long side 2048
    assert plain["pixel_accuracy"] != scaled["pixel_accuracy"]
    both = {"scales": (0.5, 1.0), "flip": True, "base_size": 128, "window": (64, 128)}  # the rule stays Cityscapes'
    hk.evaluate(model, "cityscapes", root=root, partial=True, protocol=both, save=tmp_path / "out", verbose=False)
    written = np.asarray(Image.open(tmp_path / "out" / "aachen_000000_000019.png"))
    assert written.shape == (64, 128) and set(np.unique(written)) <= set(TRAINED_IDS)  # ready for the test server


def test_the_one_line_check_of_a_published_score(tmp_path, monkeypatch, capsys, golden, weights_rule):
    case = next(case for case in CASES if case.name == "mmseg")
    path = filled(case, golden(case.kind, case.case)[0], weights_rule, "zip", tmp_path)
    monkeypatch.setattr(zoo, "fetch", lambda entry: path)
    root = published_sets.cityscapes(tmp_path / "data", {"val": 1})
    command = ["evaluate", "--weights", "fcn_hr18s_512x1024_160k_cityscapes", "--data", str(root), "--base-size", "128"]
    assert main([*command, "--option", "{partial: true}"]) == 0
    printed = capsys.readouterr().out
    assert "traffic_light" in printed and "published: mIoU 76.31" in printed
    assert main(["evaluate", "--weights", "mars", "--data", str(root)]) == 1
    assert (
        "weights='mars': expected a published name for cls or seg or landmark or pose or det, or one of 300w, ade20k"
        in capsys.readouterr().err
    )
    assert main(["evaluate", "--data", str(root)]) == 1
    assert "expected MODEL and DATASET, or --weights NAME" in capsys.readouterr().err


def points_root(root, count=3):
    """Pictures of dots with one or two faces each, as a person would hand them in."""
    rng, rows = np.random.default_rng(6), []
    for i in range(count):
        boxes = np.array([[30.0, 20, 110, 100], [180, 60, 250, 130]])[: 1 + i % 2]
        points = dots.instances(rng, boxes)
        (root / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(dots.picture((160, 290), points)).save(root / "images" / f"{i}.png")
        rows += [[f"{i}.png", *face.ravel().tolist(), *box] for face, box in zip(points, boxes, strict=True)]
    names = [f"{name}_{axis}" for name in dots.NAMES for axis in "xy"]
    header = ["file", *names, "box_left", "box_top", "box_right", "box_bottom"]
    point_files.write_csv(root / "val.csv", [header, *rows], header=False)
    return root


def by_hand(model, dataset, kind):
    """Mean errors over the longer side of the box (landmark), or shares within a fifth of it (pose), of predictions."""
    values = []
    for i in range(len(dataset)):
        example = dataset.example(i)
        shown = {"landmark": dataset_squares(example), "pose": example["boxes"]}[kind]
        more = {"refine_iterations": 0} if kind == "landmark" else {}
        found = hk.predict(model, example["image"], boxes=shown, **more)[0].points
        longer = (example["boxes"][:, 2:] - example["boxes"][:, :2]).max(1)
        values.append(np.linalg.norm(found - example["points"], axis=-1) / longer[:, None])
    values = np.concatenate(values)
    return 100 * values.mean() if kind == "landmark" else 100 * (values <= 0.2).mean()


def dataset_squares(example):
    half = 100 * example["scales"][:, None]
    return np.concatenate([example["centers"] - half, example["centers"] + half], 1)


@pytest.mark.parametrize(("task", "main_figure"), [("landmark", "NME"), ("pose", "PCK")])
def test_scores_of_points_agree_with_predictions_counted_by_hand(tmp_path, capsys, task, main_figure):
    dataset = datasets.load("points", "val", points_root(tmp_path / "data"))
    model = dots.model(task, (128, 128), "udp")
    result = hk.evaluate(model, "points", root=tmp_path / "data", save=tmp_path / "answers")
    assert result[main_figure] == pytest.approx(by_hand(model, dataset, task), rel=1e-4, abs=1e-6)
    assert result["NME"] < 0.5 if task == "landmark" else result["PCK"] == 100
    assert result["faces" if task == "landmark" else "persons"] == 4 and main_figure in capsys.readouterr().out
    written = json.loads((tmp_path / "answers" / "1.json").read_text())
    assert np.abs(np.array(written["points"]) - dataset.annotations(1)["points"]).max() < 0.5
    folder = hk.export(model, tmp_path / "net")
    served = hk.evaluate(folder, dataset, verbose=False)
    assert served[main_figure] == pytest.approx(result[main_figure], rel=0.02, abs=1e-3)
    assert hk.evaluate(model, dataset, limit=1, verbose=False)["faces" if task == "landmark" else "persons"] == 1


def test_models_of_other_points_are_refused(tmp_path):
    dataset = datasets.load("points", "val", points_root(tmp_path))
    with pytest.raises(ValueError, match=r"the model has 68 points, data set .* has 3"):
        hk.evaluate(hk.HRNetV2W18SmallV1("landmark"), dataset)
    with pytest.raises(ValueError, match=r"the model has 3 classes, data set .* has 0"):
        hk.evaluate(hk.HRNetV2W18SmallV1("seg", num_classes=3), dataset)
    with pytest.raises(ValueError, match=r"the model has 3 points, data set 'toytown' has 17"):
        hk.evaluate(dots.model("pose", (64, 64)), datasets.load("toytown", "val", count=1, annotation="figures"))
    with pytest.raises(ValueError, match="expected a dict with flip alone"):
        hk.evaluate(dots.model("pose", (64, 64)), dataset, protocol={"flops": 3})


def test_three_maps_of_a_point_are_a_point(tmp_path):
    dataset = datasets.load("points", "val", points_root(tmp_path))
    assert hk.evaluate(dots.model("pose", (128, 128), "udp_combined"), dataset, verbose=False)["PCK"] == 100


def of_maps(count, size):
    """A model of any number of points, all of them the brightest place of the crop."""
    image = keras.Input((*size, 3))
    layer = keras.layers.Conv2D(count, 4, strides=4, kernel_initializer="ones")
    return keras.Model(image, ModelInfoLayer({"task": "pose", "num_keypoints": count})(layer(image) / 1e4))


def test_coco_is_scored_on_annotated_boxes_and_on_a_detectors(samples, tmp_path):
    root = point_files.from_samples(samples, "coco", tmp_path)
    model, boxes = of_maps(17, (64, 64)), samples / "mmpose" / "coco" / "test_coco_det_AP_H_56.json"
    annotated = hk.evaluate(model, "coco", root=root, verbose=False)
    assert annotated["pictures"] == 4 and annotated["persons"] == 12 and 0 <= annotated["AP"] < 0.2
    detected = hk.evaluate(model, "coco", root=root, detections=str(boxes), verbose=False)
    assert detected["pictures"] == 4 and 12 < detected["persons"] <= 118
    certain = hk.evaluate(model, "coco", root=root, detections=str(boxes), score_threshold=0.9, verbose=False)
    assert certain["persons"] < detected["persons"]


def test_mpii_is_scored_by_head_lengths(tmp_path):
    root = point_files.mpii(tmp_path, {"valid": 2})
    result = hk.evaluate(of_maps(16, (64, 64)), "mpii", split="valid", root=root, verbose=False)
    assert result["persons"] == 4 and 0 <= result["PCKh"] <= 100
    folder = hk.export(of_maps(16, (64, 64)), tmp_path / "net")
    assert hk.evaluate(folder, "mpii", split="valid", root=root, verbose=False)["persons"] == 4


def test_pictures_with_nobody_count_nobody():
    dataset = datasets.load("toytown", "val", count=2, annotation="faces", smallest=1000)
    image = keras.Input((64, 64, 3))
    maps = keras.layers.Conv2D(68, 4, strides=4)(image)
    model = keras.Model(image, ModelInfoLayer({"task": "landmark", "num_keypoints": 68})(maps))
    result = hk.evaluate(model, dataset, verbose=False)
    assert result["faces"] == 0 and np.isnan(result["NME"])


def test_classes_in_another_order_are_scored_by_name(root):
    """The same pictures and the same model: only the order of the classes changes, and with it no figure."""
    image = keras.Input((None, None, 3))
    logits = keras.layers.Conv2D(3, 5, padding="same")(image / 64)
    model = keras.Model(
        image, ModelInfoLayer({"task": "seg", "num_classes": 3, "output_stride": 1}, name="logits")(logits)
    )
    name_outputs(model, datasets.load("folder", "val", root).info)
    before = hk.evaluate(model, "folder", root=root, verbose=False, save=root / "before")
    names = ("Bar", "ground", "SQUARE")
    (root / "classes.txt").write_text("\n".join(names))
    ids = np.array([1, 2, 0], np.uint8)  # of ground, square and bar among them
    for file in (root / "labels").glob("*.png"):
        Image.fromarray(ids[np.asarray(Image.open(file))]).save(file)
    after = hk.evaluate(model, "folder", root=root, verbose=False, save=root / "after")
    assert after["mIoU"] == pytest.approx(before["mIoU"], rel=1e-12) and len(set(before["IoU"].values())) > 1
    assert {name.lower(): value for name, value in after["IoU"].items()} == before["IoU"]
    saved = [np.asarray(Image.open(root / folder / "0.png")) for folder in ("before", "after")]
    np.testing.assert_array_equal(ids[saved[0]], saved[1])
    served = hk.evaluate(hk.export(model, root / "net"), "folder", root=root, verbose=False)
    assert served["pixel_accuracy"] == pytest.approx(before["pixel_accuracy"], abs=0.01)
    (root / "classes.txt").write_text("bar\nground\ncircle\n")
    with pytest.raises(ValueError, match=r"the model has ground, square, bar; .* has bar, ground, circle; only"):
        hk.evaluate(model, "folder", root=root, verbose=False)


@pytest.mark.parametrize("task", ["landmark", "pose"])
def test_columns_in_another_order_are_scored_by_name(tmp_path, task):
    model, root = dots.model(task, (128, 128), "udp"), points_root(tmp_path / "data")
    before = hk.evaluate(model, "points", root=root, verbose=False)
    header, *rows = [line.split(",") for line in (root / "val.csv").read_text().splitlines()]
    moved = [0, 5, 6, 1, 2, 3, 4, *range(7, 11)]  # the right eye first
    (root / "val.csv").write_text("\n".join(",".join(row[i] for i in moved) for row in [header, *rows]))
    after = hk.evaluate(model, "points", root=root, verbose=False)
    main = "NME" if task == "landmark" else "PCK"
    assert after[main] == pytest.approx(before[main], rel=1e-9, abs=1e-9)
    (root / "val.csv").write_text((root / "val.csv").read_text().replace("nose", "tail"))
    with pytest.raises(ValueError, match=r"the model has nose, left_eye, right_eye; .* has right_eye, tail, left_eye"):
        hk.evaluate(model, "points", root=root, verbose=False)


def test_answers_stay_in_their_folder_and_leave_the_data_alone(root, tmp_path):
    model, dataset = hk.HRNetV2W18SmallV1("seg", num_classes=3), datasets.load("folder", "val", root)
    truth = {path: path.read_bytes() for path in (root / "labels").iterdir()}
    asked = []
    answered = lambda example: asked.append(example["name"])  # noqa: E731
    with pytest.raises(ValueError, match=r"labels/0\.png: was given and would be overwritten"):
        hk.evaluate(model, Watched(dataset, answered), save=root / "labels", verbose=False)
    assert not asked and {path: path.read_bytes() for path in (root / "labels").iterdir()} == truth
    dataset.names = ("../one/0", "../two/0")
    hk.evaluate(model, Watched(dataset, answered), save=tmp_path / "deep" / "out", verbose=False)
    written = sorted(str(path.relative_to(tmp_path / "deep")) for path in (tmp_path / "deep").rglob("*.png"))
    assert written == ["out/one/0.png", "out/two/0.png"] and sorted(asked) == ["../one/0", "../two/0"]
    dataset.names = ("0", "x/../0")
    with pytest.raises(ValueError, match="the answer about '0' would have the name of another one's"):
        hk.evaluate(model, dataset, save=tmp_path / "out", verbose=False)
    classes = hk.HRNetV2W18SmallV1("cls", num_classes=3)
    with pytest.raises(ValueError, match="a model of task 'cls' writes no answers"):
        hk.evaluate(classes, dataset, save=tmp_path / "out", verbose=False)


class Watched(datasets.MaskSet):
    """A data set that says which of its examples are read."""

    def __init__(self, dataset, said):
        super().__init__(dataset.info, "val", dataset.names, dataset.image_files, dataset.label_files, dataset.ids)
        self.said = said

    def example(self, i):
        example = super().example(i)
        self.said(example)
        return example


def test_a_served_classifier_is_scored_as_the_keras_model(tmp_path):
    """Pictures wider than high, whose middle the net has to see: what lies beside it would be another class."""
    root = tmp_path / "data"
    for name, middle, border in (("blue", (20, 20, 230), (230, 20, 20)), ("red", (230, 20, 20), (20, 20, 230))):
        (root / "val" / name).mkdir(parents=True)
        for i, (height, width) in enumerate(((64, 192), (75, 301), (200, 90))):
            image = np.full((height, width, 3), border, np.uint8)
            side, top, left = min(height, width), max(0, height - width) // 2, max(0, width - height) // 2
            image[top : top + side, left : left + side] = middle
            Image.fromarray(image).save(root / "val" / name / f"{i}.png")
    image = keras.Input((None, None, 3))
    layer = keras.layers.Dense(2, use_bias=False)
    logits = layer(keras.layers.GlobalAveragePooling2D()(image))
    layer.set_weights([np.array([[-1.0, 1], [0, 0], [1, -1]]) / 255])  # blue, red
    info = {"task": "cls", "num_classes": 2, "input": [48, 48], "crop": 1.0}
    model = keras.Model(image, ModelInfoLayer(info)(logits))
    folder = hk.export(model, tmp_path / "net")
    found = [hk.evaluate(net, "imagenet", root=root, verbose=False) for net in (model, folder)]
    assert [one["top1"] for one in found] == [100, 100] and found[0] == found[1]


def test_the_set_and_the_split_are_the_customary_ones_unless_said(tmp_path, monkeypatch):
    asked = []

    def load(name, split, root=None, **options):
        asked.append((name, split, options))
        raise ValueError("asked")

    monkeypatch.setattr(datasets, "load", load)
    model = of_maps(17, (64, 64))
    update_info(model, data="mpii", lineage="mmlab")
    folder = hk.export(model, tmp_path / "net")
    for net in (model, folder, "HR18-WFLW"):
        with pytest.raises(ValueError, match="asked"):
            hk.evaluate(net)
    with pytest.raises(ValueError, match="asked"):
        hk.evaluate(folder, "coco", split="train", detections="x.json")
    assert asked == [
        ("mpii", "valid", {}), ("mpii", "valid", {}), ("wflw", "test", {}),
        ("coco", "train", {"lineage": "mmlab", "detections": "x.json"}),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="dataset=None: expected one, as the model does not say"):
        hk.evaluate(of_maps(17, (64, 64)))

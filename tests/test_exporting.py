"""SavedModels: loaded by a program that imports only TensorFlow, and by the prediction verb."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras import datasets
from hrnet_keras.builders import name_outputs
from hrnet_keras.datasets import DatasetInfo
from tests import dots, point_files

CLIENT = """
import json, sys
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
data = tf.io.read_file(sys.argv[2])[None]
found = {"served": model.signatures["serving_default"](image_bytes=data)["label_map"]}
scored = model.signatures["scores"](image_bytes=data)
found["again"], found["scores"] = scored["label_map"], scored["scores"]
pixels = tf.io.decode_image(tf.io.read_file(sys.argv[2]), expand_animations=False)[None]
found["pixels"] = model.signatures["images"](images=pixels)["label_map"]
found["raw"] = model.signatures["raw"](image=tf.cast(pixels, tf.float32))["logits"]
np.savez(sys.argv[3], **{name: value.numpy() for name, value in found.items()})
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] == "hrnet_keras")))
"""


@pytest.fixture(scope="module")
def model():
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    name_outputs(model, DatasetInfo("three", class_names=("a", "b", "c"), palette=((1, 2, 3), (4, 5, 6), (7, 8, 9))))
    return model


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return hk.export(model, tmp_path_factory.mktemp("base") / "three")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_program_of_tensorflow_alone_gets_the_keras_models_answers(model, exported, tmp_path, suffix):
    picture = tmp_path / f"street.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(picture)
    command = [sys.executable, "-c", CLIENT, exported, picture, tmp_path / "found.npz"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert json.loads(done.stdout) == []
    found = np.load(tmp_path / "found.npz")
    assert found["served"].shape == (1, 50, 70) and found["served"].dtype == np.uint8
    np.testing.assert_array_equal(found["served"], found["again"])
    assert found["scores"].min() >= 1 / 3 - 1e-6 and found["scores"].max() <= 1
    if suffix == "png":  # two JPEG decoders may differ by a grey level
        logits = np.asarray(model(np.asarray(Image.open(picture))[None].astype(np.float32)))
        assert np.abs(found["raw"] - logits).max() < 3e-5 * logits.std()
        expected = hk.predict(model, str(picture))[0].label_map
        assert (found["served"][0] == expected).mean() > 0.999  # ties within rounding may fall either way
        np.testing.assert_array_equal(found["served"], found["pixels"])


def test_predict_takes_the_folder_with_and_without_its_version(exported):
    image = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    one, other = (hk.predict(path, image)[0] for path in (exported, os.path.dirname(exported)))
    np.testing.assert_array_equal(one.label_map, other.label_map)
    assert one.info.class_names == ("a", "b", "c")
    assert hk.predict(exported, image, scores=True)[0].scores.shape == (40, 60)


def test_versions_count_up_and_are_not_overwritten(model, tmp_path, monkeypatch):
    monkeypatch.setattr("hrnet_keras.exporting.saved_model.write", lambda net, folder: open(f"{folder}/x", "w").close())
    paths = [hk.export(model, tmp_path / "net") for _ in range(2)] + [hk.export(model, tmp_path / "net", version=7)]
    assert [os.path.basename(path) for path in paths] == ["1", "2", "7"]
    with pytest.raises(ValueError, match="version=7 exists"):
        hk.export(model, tmp_path / "net", version=7)
    with pytest.raises(ValueError, match="version=0: expected a positive"):
        hk.export(model, tmp_path / "net", version=0)
    with pytest.raises(ValueError, match="format='onnx': expected 'saved_model'"):
        hk.export(model, tmp_path / "net", format="onnx")


def test_a_folder_that_cannot_be_made_is_named(model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"can't export to .*file"):
        hk.export(model, tmp_path / "file" / "net")


def test_a_full_disk_leaves_nothing_half_written(model, tmp_path, monkeypatch):
    def fill(deployable, folder):
        with open(f"{folder}/half", "w") as file:
            file.write("x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hrnet_keras.exporting.saved_model.write", fill)
    with pytest.raises(OSError, match="No space left on device"):
        hk.export(model, tmp_path / "net")
    assert os.listdir(tmp_path / "net") == []


def test_feature_maps_export_raw(tmp_path):
    import tensorflow as tf

    model = hk.HRNetV2pW18SmallV1(input_shape=(64, 64, 3))
    loaded = tf.saved_model.load(hk.export(model, tmp_path / "pyramid"))
    found = loaded.signatures["serving_default"](image=np.zeros((1, 64, 64, 3), np.float32))
    assert [tuple(found[f"fpn_convs_{i}"].shape) for i in range(5)] == [(1, 16 >> i, 16 >> i, 256) for i in range(5)]


@pytest.mark.parametrize("signature", ["pictures", "served"])
def test_the_model_of_the_clone_labels_streets(samples, signature):
    """The tracked SavedModel beside CamVid's own labels, which its card says it meets in 0.91 of the pixels."""
    import tensorflow as tf

    root = Path(__file__).parent.parent / "saved_models" / "camvid_hrnetv2_w18_small_v1"
    pictures = sorted((samples / "camvid" / "val" / "images").glob("*.jpg"))[::10]
    if signature == "pictures":
        found = [one.label_map for one in hk.predict(root, [str(picture) for picture in pictures])]
    else:
        serve = tf.saved_model.load(str(root / "1")).signatures["serving_default"]
        found = [serve(image_bytes=tf.constant([picture.read_bytes()]))["label_map"][0].numpy() for picture in pictures]
    labels = samples / "camvid" / "val" / "labels"
    truth = [np.asarray(Image.open(labels / f"{picture.stem}.png")) for picture in pictures]
    hits, pixels = np.sum(
        [[((f == t) & (t != 255)).sum(), (t != 255).sum()] for f, t in zip(found, truth, strict=True)], axis=0
    )
    assert hits / pixels > 0.85


def test_the_detector_of_the_clone_finds_raccoons(samples):
    """The tracked SavedModel on pictures that its training kept out, beside their own boxes."""
    root = Path(__file__).parent.parent / "saved_models" / "raccoon_faster_rcnn_hrnetv2p_w18_small_v1"
    assert sum(file.stat().st_size for file in root.rglob("*") if file.is_file()) < 20e6
    unseen = datasets.load("boxes", "val", samples / "raccoon", val_part=30).subset(range(0, 30, 4))
    found = hk.predict(root, [unseen.image(i) for i in range(len(unseen))])
    hits = 0
    for i, one in enumerate(found):
        truth = unseen.annotations(i)["boxes"]
        low, high = np.maximum(truth[:, :2], one.boxes[0, :2]), np.minimum(truth[:, 2:], one.boxes[0, 2:])
        inside = np.prod(np.maximum(high - low, 0), axis=1)
        both = np.prod(truth[:, 2:] - truth[:, :2], axis=1) + np.prod(one.boxes[0, 2:] - one.boxes[0, :2]) - inside
        hits += (inside / both).max() > 0.5
    assert len(found) == 8 and hits >= 6


POINTS_CLIENT = """
import json, sys
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
data, boxes = tf.io.read_file(sys.argv[2]), tf.constant(json.loads(sys.argv[3]), tf.float32)
pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
count = boxes.shape[0]
asked = {
    "serving_default": {"image_bytes": tf.fill([count], data), "boxes": boxes},
    "picture": {"image_bytes": data, "boxes": boxes},
    "images": {"images": tf.tile(pixels[None], (count, 1, 1, 1)), "boxes": boxes},
}
found = {name: model.signatures[name](**takes) for name, takes in asked.items()}
np.savez(sys.argv[4], **{f"{name} {word}": value.numpy() for name, one in found.items() for word, value in one.items()})
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] == "hrnet_keras")))
"""
FACES = np.array([[40.0, 30, 140, 130], [200, 60, 260, 120]])
TRUTH = dots.instances(np.random.default_rng(4), FACES)


CODECS = {"landmark": "official", "pose": "dark"}


@pytest.fixture(scope="module")
def exported_points(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    return {task: hk.export(dots.model(task, (128, 128), codec), folder / task) for task, codec in CODECS.items()}


@pytest.mark.parametrize("task", CODECS)
def test_a_program_of_tensorflow_alone_finds_the_points(exported_points, tmp_path, task):
    model, picture = dots.model(task, (128, 128), CODECS[task]), tmp_path / "people.png"
    Image.fromarray(dots.picture((180, 300), TRUTH)).save(picture)
    command = [
        sys.executable,
        "-c",
        POINTS_CLIENT,
        exported_points[task],
        picture,
        json.dumps(FACES.tolist()),
        tmp_path / "found.npz",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert json.loads(done.stdout) == []
    found = np.load(tmp_path / "found.npz")
    expected = hk.predict(model, picture, boxes=FACES)[0]
    for signature in ("serving_default", "picture", "images"):
        points, scores = found[f"{signature} points"], found[f"{signature} scores"]
        assert points.dtype == scores.dtype == np.float32 and points.shape == (2, 3, 2)
        assert np.abs(points - TRUTH).max() < 2.5  # a pixel of the maps shows 4, and is halved or quartered
        np.testing.assert_allclose(points, expected.points, atol=0.05)
        np.testing.assert_allclose(scores, expected.scores, atol=2e-3)


@pytest.mark.parametrize("task", CODECS)
def test_predict_asks_a_saved_model_of_points_as_it_asks_a_keras_model(exported_points, task):
    image = dots.picture((180, 300), TRUTH)
    found = hk.predict(exported_points[task], [image, image], boxes=[FACES, []])
    assert np.abs(found[0].points - TRUTH).max() < 2.5 and found[0].points.dtype == np.float64
    expected = hk.predict(dots.model(task, (128, 128), CODECS[task]), image, boxes=FACES)[0]
    np.testing.assert_allclose(found[0].boxes, expected.boxes)  # of faces: the squares of the second look
    np.testing.assert_allclose(found[0].points, expected.points, atol=0.05)
    assert found[1].points.shape == (0, 3, 2) and found[1].boxes.shape == (0, 4)
    assert found[0].info.point_names == tuple(dots.NAMES) and found[0].info.flip_pairs == ((1, 2),)
    assert (found[0].draw() != image).any()
    with pytest.raises(ValueError, match=r"boxes\[0\] = \(9, 9, 9, 20\): has no area"):
        hk.predict(exported_points[task], image, boxes=[9, 9, 9, 20])
    for flip in (False, True):  # an export knows what the model knew, and is looked at by the same rules
        one, other = (hk.predict(net, image, boxes=FACES, protocol={"flip": flip})[0] for net in
                      (exported_points[task], dots.model(task, (128, 128), CODECS[task])))  # fmt: skip
        np.testing.assert_allclose(one.points, other.points, atol=0.05)


def test_a_saved_model_of_landmarks_looks_for_faces_too(exported_points, monkeypatch):
    from hrnet_keras.tasks.landmark import inference

    larger = FACES + [[-5, -20, 5, 0]] * 2
    monkeypatch.setattr(inference, "find_faces", lambda image: (larger, np.ones(2)))
    found = hk.predict(exported_points["landmark"], dots.picture((180, 300), TRUTH))[0]
    assert np.abs(found.points - TRUTH).max() < 4
    with pytest.raises(ValueError, match="pose needs the boxes of the persons"):
        hk.predict(exported_points["pose"], dots.picture((180, 300), TRUTH))


@pytest.mark.parametrize(
    ("name", "task", "codec"),
    [("wflw", "landmark", "official"), ("300w", "landmark", "dark"), ("coco", "pose", "official")],
)
def test_points_in_sample_pictures_are_those_of_the_keras_model(samples, tmp_path, name, task, codec):
    """Measured: all alike to 0.02 pixels. A grey level in a crop might choose the other of two peaks as high."""
    size = (256, 192) if task == "pose" else (256, 256)
    model = dots.model(task, size, codec)
    dataset = datasets.load(
        name, "val" if name == "coco" else "test", point_files.from_samples(samples, name, tmp_path)
    )
    folder, moved = hk.export(model, tmp_path / "net"), []
    for i in range(len(dataset)):
        example = dataset.example(i)
        one, other = (hk.predict(net, example["image"], boxes=example["boxes"])[0].points for net in (model, folder))
        moved += np.abs(one - other).max(-1).ravel().tolist()
    assert len(moved) >= 6 and np.mean(np.array(moved) < 0.05) >= 0.95, sorted(moved)


def test_export_takes_what_predict_takes(model, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "hrnet_keras.exporting.saved_model.write",
        lambda deployable, folder: open(f"{folder}/{deployable.name}", "w").close(),
    )
    model.save(tmp_path / "net.keras")
    assert os.listdir(hk.export(tmp_path / "net.keras", tmp_path / "one")) == [model.name]
    monkeypatch.setattr("hrnet_keras.loading.from_checkpoint", lambda entry: (model, None))
    assert os.listdir(hk.export("HR18-WFLW", tmp_path / "two")) == [model.name]
    with pytest.raises(ValueError, match=r"is a folder, as of a SavedModel: expected the \.keras file"):
        hk.export(exported, tmp_path / "three")
    with pytest.raises(ValueError, match=r"model no\.keras: expected a \.keras file"):
        hk.export("no.keras", tmp_path / "three")
    assert not (tmp_path / "three").exists()

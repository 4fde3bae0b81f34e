"""Classification: preparation and accuracies against the official code (goldens), and the way through the verbs."""

import math
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.classification import pipeline
from hrnet_keras.tasks.classification.center_crop import CropParams, center_crop, cut_and_resize
from hrnet_keras.tasks.classification.decoding import decode
from hrnet_keras.tasks.classification.metrics import Metric, table
from hrnet_keras.transforms import order
from tests import published_sets


@pytest.mark.parametrize(
    ("image", "short", "how"),
    [(0, 256, "bilinear"), (1, 256, "bilinear"), (1, 256, "bicubic"), (1, 235, "bilinear"), (2, 256, "bilinear")],
)
def test_pictures_are_prepared_as_torchvision_does(golden, image, short, how):
    _, arrays = golden("classification", "cls_preprocess")
    params = CropParams(crop_ratio={256: 0.875, 235: 0.95}[short], interpolation=how)
    found = center_crop(arrays[f"image{image}"], params)
    np.testing.assert_array_equal(found, arrays[f"image{image}_r{short}_c224_{how}"])


def test_an_input_that_is_no_square_shows_the_middle_of_what_covers_it():
    """By hand: the picture is large enough already, so its rows or columns around the middle remain."""
    image = np.random.default_rng(0).integers(0, 256, (192, 96, 3), dtype=np.uint8)
    for size, crop, expected in (
        ((64, 96), 1.0, image[64:128]), ((192, 48), 1.0, image[:, 24:72]), ((48, 48), 0.5, image[72:120, 24:72]),
    ):  # fmt: skip
        np.testing.assert_array_equal(center_crop(image, CropParams(size, crop)), expected)


def test_an_interpolation_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="interpolation='lanczos': expected one of 'bilinear', 'bicubic'"):
        CropParams.of(ModelInfo("cls", interpolation="lanczos"), (None, None))


@pytest.mark.parametrize("image", [0, 1, 2])
def test_random_crops_are_resized_as_torchvision_does(golden, image):
    _, arrays = golden("classification", "cls_preprocess")
    found = cut_and_resize(arrays[f"image{image}"], (17, 23, 100, 120), (224, 224))
    np.testing.assert_array_equal(found, arrays[f"image{image}_rrc_17_23_100_120"])


def test_random_windows_keep_to_area_and_shape():
    rng = np.random.default_rng(0)
    windows = np.array([pipeline.random_window((300, 400), rng) for _ in range(2000)])
    top, left, height, width = windows.T
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= 300).all() and (left + width <= 400).all()
    area, aspect = height * width / (300 * 400), width / height
    assert 0.078 < area.min() < 0.1 and area.max() > 0.9
    assert math.isclose(aspect.min(), 3 / 4, rel_tol=0.02) and math.isclose(aspect.max(), 4 / 3, rel_tol=0.02)
    assert pipeline.random_window((10, 1000), rng) == (0, 493, 10, 13)  # what fits no draw: the middle


def test_accuracies_of_the_official_code(golden):
    meta, arrays = golden("segmentation", "seg_num_metrics")
    metric = Metric(datasets.DatasetInfo("thousand", class_names=tuple(map(str, range(1000)))))
    for scores, label in zip(arrays["cls_scores"], arrays["cls_target"], strict=True):
        metric.update({"labels": np.argsort(-scores)[:5]}, {"label": int(label), "name": "x"})
    result = metric.result()
    assert result["top1"] == meta["top1"] and result["top5"] == meta["top5"]
    assert "18.75" in table(result)


def test_folders_of_classes(tmp_path):
    root = published_sets.imagenet(tmp_path, {"train": 2, "val": 1})
    found = datasets.load("imagenet", "train", root)
    assert found.info.class_names == ("n00000000", "n00000001", "n00000002")
    assert [found.example(i)["label"] for i in range(6)] == [0, 0, 1, 1, 2, 2]
    assert found.names[0] == "n00000000/0_0" and not datasets.validate(found)
    found.image_files[3].write_bytes(b"nothing")
    rest = datasets.exclude(found, datasets.validate(found))
    assert len(rest) == 5 and rest.picture_labels == (0, 0, 1, 2, 2)
    (tmp_path / "flat").mkdir()
    with pytest.raises(DataError, match="flat: holds no folders: expected one per class"):
        datasets.load("imagenet", "flat", tmp_path)
    with pytest.raises(DataError, match="test: no such folder"):
        datasets.load("imagenet", "test", tmp_path)


def test_training_batches_are_the_same_under_a_seed(tmp_path):
    dataset = datasets.load("imagenet", "train", published_sets.imagenet(tmp_path, {"train": 2}))
    streams = [
        pipeline.training(dataset, batch=4, input_size=(32, 32), seed=3, first_epoch=e).take(2) for e in (0, 0, 1)
    ]
    one, again, later = ([(x.numpy(), y.numpy()) for x, y in stream] for stream in streams)
    np.testing.assert_array_equal(one[0][0], again[0][0])
    np.testing.assert_array_equal(one[1][0], later[0][0])  # an epoch has one batch of four here
    assert one[0][0].shape == (4, 32, 32, 3) and set(one[0][1]) <= {0, 1, 2}


SERVE = """
import sys, numpy as np, tensorflow as tf
found = tf.saved_model.load(sys.argv[1]).signatures["scores"](image_bytes=tf.io.read_file(sys.argv[2])[None])
print(found["labels"].numpy()[0].tolist())
"""


def test_from_pictures_to_a_served_answer(tmp_path, capsys):
    root = published_sets.imagenet(tmp_path / "data", {"val": 2})
    model = hk.HRNetV2W18SmallV1("cls", num_classes=3, input_shape=(224, 224, 3))
    result = hk.evaluate(model, "imagenet", root=root)
    assert result["pictures"] == 6 and result["top5"] == 100 and "top-1" in capsys.readouterr().out
    found = hk.predict(model, str(root / "val" / "n00000001" / "1_0.JPEG"), scores=True)[0]
    assert found.scores.sum() == pytest.approx(1, rel=1e-5) and sorted(found.labels) == [0, 1, 2]
    drawn = found.draw()
    assert drawn.shape[0] > found.image.shape[0] and drawn.shape[1] == found.image.shape[1]
    path = hk.export(model, tmp_path / "base")
    smooth = Image.fromarray(np.tile(np.linspace(0, 255, 300).astype(np.uint8)[None, :, None], (250, 1, 3)))
    smooth.save(tmp_path / "smooth.png")
    command = [sys.executable, "-c", SERVE, path, tmp_path / "smooth.png"]
    served = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert served == str(hk.predict(model, str(tmp_path / "smooth.png"))[0].labels.tolist())
    with pytest.raises(ValueError, match="looks at the middle of a picture once"):
        hk.evaluate(model, "imagenet", root=root, protocol="windows")


def test_a_split_has_the_class_ids_of_the_training_folders(tmp_path):
    root = published_sets.imagenet(tmp_path, {"train": 1, "val": 1})
    shutil.rmtree(root / "val" / "n00000000")
    (root / "val" / "n00000002").rename(root / "val" / "N00000002")
    found = datasets.load("imagenet", "val", root)
    assert found.info.class_names == ("n00000000", "n00000001", "n00000002")
    assert dict(zip(found.names, found.picture_labels, strict=True)) == {"N00000002/2_0": 2, "n00000001/1_0": 1}


def seeing(names):
    """A net that takes a picture's grey for its class: 0 is the first, 10 the second, and so on."""
    image = keras.Input((8, 8, 3))
    grey = keras.layers.GlobalAveragePooling2D()(image)
    logits = keras.layers.Dense(len(names))(grey)
    model = keras.Model(
        image, ModelInfoLayer({"task": "cls", "num_classes": len(names), "class_names": list(names)})(logits)
    )
    ids = np.arange(len(names))
    model.layers[-2].set_weights([np.tile(2 * 10.0 * ids / 3, (3, 1)), -((10.0 * ids) ** 2)])
    return model


def test_classes_are_scored_by_name(tmp_path):
    """The set has other folders than the model has classes, so its ids are others; every picture is known."""
    names = ("zebra", "horse", "cat", "dog")
    for name in ("cat", "dog", "Zebra"):
        (tmp_path / "test" / name).mkdir(parents=True)
        grey = 10 * names.index(name.lower())
        Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(tmp_path / "test" / name / "a.png")
    result = hk.evaluate(seeing(names), "imagenet", split="test", root=tmp_path, verbose=False)
    assert result == {"top1": 100, "top5": 100, "pictures": 3}
    (tmp_path / "test" / "dog").rename(tmp_path / "test" / "wolf")
    with pytest.raises(ValueError, match=r"has zebra, horse, cat, dog; .* has Zebra, cat, wolf; only the model"):
        hk.evaluate(seeing(names), "imagenet", split="test", root=tmp_path, verbose=False)


def test_mirrored_pictures_of_a_side_are_of_the_other(tmp_path):
    for name in ("left_turn", "right_turn", "straight"):
        (tmp_path / "train" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "train" / name / "a.png")
    dataset = datasets.load("imagenet", "train", tmp_path)
    assert dataset.info.label_flip_pairs == ((0, 1),)
    for flip, expected in ((0, [0, 1, 2]), (1, [1, 0, 2])):
        streams = pipeline.training(dataset, batch=3, input_size=(32, 32), flip=flip, seed=1).take(1)
        indices = order.sample_indices(3, 3, seed=1, first_epoch=0, worker=0, workers=1).take(3)
        shown = [int(index) for _, _, index in indices]
        ((_, labels),) = [(x.numpy(), y.numpy()) for x, y in streams]
        assert [expected[i] for i in shown] == labels.tolist()


def test_logits_that_are_no_numbers_are_refused():
    found = decode(np.array([[1, 2, 3], [1, np.nan, 3]], np.float32), scores=True)
    np.testing.assert_array_equal(found["labels"], [[2, 1, 0], [-1, -1, -1]])
    assert np.asarray(found["scores"])[1].tolist() == [0, 0, 0]
    metric = Metric(datasets.DatasetInfo("three", class_names=("a", "b", "c")))
    with pytest.raises(ValueError, match="street: the model's logits are no finite numbers"):
        metric.update({"labels": np.asarray(found["labels"])[1]}, {"label": 0, "name": "street"})

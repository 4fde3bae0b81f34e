"""A picture of any size -> objects in its pixels: by `predict`, as files, and by an exported model."""

import io
import json

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import hrnet_keras as hk
from hrnet_keras.layers.model_info import ModelInfo, update_info
from hrnet_keras.prediction import Finder
from hrnet_keras.prediction_files import write_predictions
from hrnet_keras.runtime import KerasRuntime
from hrnet_keras.tasks.detection.inference import least_side, padded, padded_size, processor, shown_size
from hrnet_keras.tasks.processing import PredictOptions
from hrnet_keras.transforms.linear import resize_linear
from tests.tasks.detection.tiny import decided, photograph


@pytest.fixture(scope="module")
def model():
    model = decided("mask_rcnn")
    update_info(model, input_size=(96, 160), class_names=("person", "dog"), data="pets")
    return model


def test_sizes():
    assert shown_size((480, 640), (800, 1333)) == (800, 1067)
    assert shown_size((640, 480), (800, 1333)) == (1067, 800)
    assert shown_size((100, 1000), (800, 1333)) == (133, 1333)
    assert padded_size((800, 1067)) == (800, 1088)
    assert padded_size((20, 30)) == (64, 64)
    info = ModelInfo("det", "V2p", "W18", "official", num_classes=2, head="fcos_6l")
    assert padded_size((20, 150), least=least_side(info)) == (128, 160)
    # A net of one size: the picture fits into it.
    assert shown_size((480, 640), (800, 1333), (320, 320)) == (240, 320)
    assert padded_size((240, 320), (320, 320)) == (320, 320)
    row = padded(np.ones((2, 3, 3), np.uint8), (4, 4))
    assert row[:2, :3].min() == 1 and row.sum() == 18 - (48 - 18)


def test_objects_lie_in_the_picture(model):
    image = photograph()
    (prediction,) = hk.predict(model, image, min_score=0.0)
    boxes = prediction.boxes
    assert len(boxes) and prediction.masks.shape == (len(boxes), 120, 180) and prediction.masks.dtype == bool
    assert boxes.min() >= 0 and (boxes[:, 2] <= 180.001).all() and (boxes[:, 3] <= 120.001).all()
    assert (np.diff(prediction.scores) <= 0).all()
    # A mask reaches no further than its box, but for the pixels that the box cuts.
    for box, mask in zip(boxes, prediction.masks, strict=True):
        rows, columns = np.nonzero(mask)
        if len(rows):
            assert columns.min() >= box[0] - 1 and columns.max() <= box[2] + 1
            assert rows.min() >= box[1] - 1 and rows.max() <= box[3] + 1
    (fewer,) = hk.predict(model, image, min_score=0.6)
    assert len(fewer.boxes) == (prediction.scores >= 0.6).sum()
    (default,) = hk.predict(model, image)
    assert len(default.boxes) == (prediction.scores >= 0.3).sum()
    assert default.draw().shape == image.shape


def test_the_mirrored_rows_of_a_turned_photograph_are_answered_as_stored(model, tmp_path):
    upright = photograph()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.png", exif=exif)
    (straight,) = hk.predict(model, upright)
    (turned,) = hk.predict(model, str(tmp_path / "turned.png"))
    assert turned.masks.shape[1:] == (180, 120)
    back = np.stack(
        [180 - turned.boxes[:, 3], turned.boxes[:, 0], 180 - turned.boxes[:, 1], turned.boxes[:, 2]], axis=1
    )
    np.testing.assert_allclose(back, straight.boxes, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (0, 5)}, r"size=\(0, 5\): expected \(short, long\) side"),
        ({"min_score": 2}, "min_score=2: expected 0 to 1"),
        ({"boxes": [[0, 0, 5, 5]]}, "boxes: a model of task 'det' looks at whole pictures"),
        ({"people": "x.keras"}, "people: a model of task 'det' needs no detector"),
    ],
)
def test_wrong_options(model, options, message):
    with pytest.raises(ValueError, match=message):
        hk.predict(model, photograph(), **options)


def test_people_are_found_for_a_model_of_poses(model):
    finder = Finder.of(model, ModelInfo("pose"))
    found = finder(photograph())
    (all_objects,) = hk.predict(model, photograph())
    is_person = all_objects.labels == 0
    np.testing.assert_array_equal(found["boxes"], all_objects.boxes[is_person])
    with pytest.raises(ValueError, match="expected a detector that knows 'person', given one that knows 'cat'"):
        knows_cats = decided(num_classes=1)
        update_info(knows_cats, class_names=("cat",))
        Finder.of(knows_cats, ModelInfo("pose"))


def test_files(model, tmp_path):
    Image.fromarray(photograph()).save(tmp_path / "a.png")
    model.save(tmp_path / "m.keras")
    written = list(
        write_predictions(str(tmp_path / "m.keras"), [str(tmp_path / "a.png")], str(tmp_path / "out"), points=True)
    )
    numbers = json.loads((tmp_path / "out" / "a.json").read_text())
    assert {"boxes", "scores", "labels", "names", "masks"} <= set(numbers)
    assert len(written) == 2 and set(numbers["names"]) <= {"person", "dog"}


def test_the_lineage_of_mmdet_1_ends_boxes_on_their_last_pixel():
    model = decided(lineage="official")
    runtime = KerasRuntime(model)
    processed = processor(runtime, PredictOptions(min_score=0.0))
    assert processed.is_v1
    request = processed.preprocess(photograph(64, 64))
    raw = {
        "boxes": np.array([[[0, 0, 799, 799.0]]]),
        "scores": np.ones((1, 1)),
        "labels": np.zeros((1, 1), int),
        "valid": [1],
    }
    result = processed.postprocess(raw, request.back)
    np.testing.assert_allclose(result.boxes, [[0, 0, 64 * 799 / 800 + 1, 64 * 799 / 800 + 1]])


def test_resizing_in_a_graph_is_opencvs():
    rng = np.random.default_rng(0)
    for size, new in (((45, 63), (80, 112)), ((80, 60), (40, 30)), ((100, 150), (33, 70)), ((31, 17), (64, 64))):
        picture = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        expected = cv2.resize(picture, new[::-1], interpolation=cv2.INTER_LINEAR).astype(int)
        found = resize_linear(picture, new).numpy().astype(int)
        assert np.abs(found - expected).max() <= 1
        assert (found != expected).mean() < 0.03


def contents_of(image, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", **options)
    return file.getvalue()


def test_an_exported_detector_answers_files_of_any_size(model, tmp_path):
    folder = hk.export(model, tmp_path / "served")
    loaded = tf.saved_model.load(folder)
    assert set(loaded.signatures) == {"serving_default", "images", "masks", "raw"}
    large, small = photograph(120, 180), photograph(90, 70, seed=3)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = contents_of(np.rot90(large), exif=exif)
    files = tf.constant([contents_of(large), contents_of(small), b"no picture", turned])
    answers = loaded.signatures["masks"](image_bytes=files)
    np.testing.assert_array_equal(answers["sizes"], [[120, 180], [90, 70], [0, 0], [180, 120]])
    assert answers["valid"][2] == 0 and not answers["boxes"][2].numpy().any()
    for place, image in ((0, large), (1, small)):
        (here,) = hk.predict(model, image, min_score=0.0)
        count = int(answers["valid"][place])
        assert abs(count - len(here.boxes)) <= 3
        # A grey level of the resized picture may differ: what is surely found, is found alike.
        sure = here.scores > 0.5
        served = answers["boxes"][place].numpy()[:count]
        distance = np.abs(served[None] - here.boxes[sure][:, None]).max(-1)
        assert distance.min(1).max() < 0.5
        first = int(distance[0].argmin())
        mask = answers["masks"][place, first].numpy()[: image.shape[0], : image.shape[1]]
        assert (mask.astype(bool) == here.masks[sure][0]).mean() > 0.98
    both = loaded.signatures["serving_default"](image_bytes=files)
    np.testing.assert_allclose(both["boxes"][:2], answers["boxes"][:2], atol=1e-3)
    again = hk.predict(folder, large)
    assert len(again[0].boxes) == len(hk.predict(model, large)[0].boxes)

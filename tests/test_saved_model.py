"""A SavedModel does with a picture what the Keras model does, whatever the picture: alone, in a batch, by the verbs."""

import io
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import hrnet_keras as hk
from hrnet_keras.builders import info_of
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.segmentation import inference, serving
from hrnet_keras.transforms import upright
from tests import dots

FACE = np.array([[[0.5, 0.45], [0.75, 0.35], [0.25, 0.3]]])  # dots, as shares of a picture's width and height


def picture(kind, size):
    """The bytes of a file of some kind: a smooth picture with the dots of a face."""
    height, width = size
    rows, columns = np.arange(height)[:, None], np.arange(width)
    smooth = np.stack(np.broadcast_arrays(rows * 90 // height, columns * 90 // width, (rows * columns) % 90), -1)
    face = dots.picture(size, FACE * [width, height], spread=max(1.0, min(size) / 20))
    image = Image.fromarray(np.maximum(smooth, face).astype(np.uint8))
    file, kind = io.BytesIO(), kind.split()
    if "alpha" in kind:
        image.putalpha(Image.fromarray((rows + columns).astype(np.uint8)))
    made = {
        "grey": lambda: image.convert("L"), "palette": lambda: image.quantize(32), "bits": lambda: image.convert("1"),
        "16": lambda: Image.fromarray((np.asarray(image.convert("L"), np.uint16) << 8) + 77),
    }.get(kind[0], lambda: image)()  # fmt: skip
    made.save(file, kind[-1], **({"quality": 95} if kind[-1] == "JPEG" else {}))
    return file.getvalue()


SIZES = {
    "a PNG": (1, 1), "b PNG": (1, 300), "c PNG": (300, 1), "grey JPEG": (700, 900), "d PNG": (5, 7),
    "alpha PNG": (61, 75), "palette PNG": (40, 90), "16 PNG": (50, 50), "e JPEG": (33, 47), "bits PNG": (310, 110),
}  # fmt: skip
PICTURES = {kind: picture(kind, size) for kind, size in SIZES.items()}
BAD = [b"", b"no picture", PICTURES["e JPEG"][:300], PICTURES["palette PNG"][:-40], PICTURES["palette PNG"][:60]]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    for i, (kind, data) in enumerate(PICTURES.items()):
        (folder / f"{i}.{kind.split()[-1].lower()}").write_bytes(data)
    return sorted(map(str, folder.iterdir()), key=lambda path: int(path.split("/")[-1].split(".")[0]))


def net(task, input_shape, count, **info):
    """A net of two layers whose answers hang on every pixel that it is shown; HRNets take the same way, only longer."""
    draw = keras.initializers.RandomNormal
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 64, offset=-1)(image)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", kernel_initializer=draw(0, 0.5, seed=1))(x)
    x = keras.layers.GlobalAveragePooling2D()(x) if task == "cls" else x
    x = keras.layers.Dense(count, kernel_initializer=draw(0, 4.0, seed=2))(x)
    return keras.Model(
        image, ModelInfoLayer({"task": task, "num_classes": count, **info}, name="logits")(x), name="small"
    )


CLASSIFIERS = {
    "any": lambda: net("cls", (None, None, 3), 7),
    "trained": lambda: net("cls", (None, None, 3), 7, input=[64, 96], crop=0.95, interpolation="bicubic"),
    "fixed": lambda: net("cls", (96, 64, 3), 3, crop=1.0),
    "wide": lambda: net("cls", (None, 50, 3), 7, input=[40, 40]),
}


@pytest.fixture(scope="module", params=CLASSIFIERS)
def a_classifier(request, tmp_path_factory):
    model = CLASSIFIERS[request.param]()
    return model, hk.export(model, tmp_path_factory.mktemp("cls"))


def test_a_served_classifier_answers_ten_odd_pictures_as_predict_does(a_classifier, files):
    model, folder = a_classifier
    expected = hk.predict(model, files)
    served = tf.saved_model.load(folder).signatures["scores"](image_bytes=tf.constant([*PICTURES.values(), *BAD]))
    served = {word: value.numpy() for word, value in served.items()}
    by_verb = hk.predict(folder, files)
    assert len(files) == 10
    for i, one in enumerate(expected):
        for labels, scores in ((served["labels"][i], served["scores"][i]), (by_verb[i].labels, by_verb[i].scores)):
            np.testing.assert_array_equal(labels, one.labels)
            np.testing.assert_allclose(scores, one.scores, atol=1e-5)
    assert len({tuple(one.labels) for one in expected}) > 1
    assert (served["labels"][10:] == -1).all() and (served["scores"][10:] == 0).all()


SEGMENTERS = {"any": (None, None, 3), "fixed": (64, 96, 3), "wide": (None, 64, 3)}


@pytest.fixture(scope="module", params=SEGMENTERS)
def a_segmenter(request, tmp_path_factory):
    model = net("seg", SEGMENTERS[request.param], 300 if request.param == "wide" else 5)
    return model, hk.export(model, tmp_path_factory.mktemp("seg"))


def test_a_served_segmenter_answers_ten_odd_pictures_as_predict_does(a_segmenter, files):
    model, folder = a_segmenter
    expected, by_verb = (hk.predict(net, files, scores=True) for net in (model, folder))
    order = [*PICTURES.values()]
    served = tf.saved_model.load(folder).signatures["scores"](image_bytes=tf.constant([*order[:3], *BAD, *order[3:]]))
    served = {word: np.delete(value.numpy(), range(3, 3 + len(BAD)), 0) for word, value in served.items()}
    assert served["sizes"].tolist() == [list(size) for size in SIZES.values()]
    assert served["label_map"].shape == served["scores"].shape == (10, 700, 900)
    for i, (one, verb, (height, width)) in enumerate(zip(expected, by_verb, SIZES.values(), strict=True)):
        label_map, scores = (served[word][i, :height, :width] for word in ("label_map", "scores"))
        assert (label_map == one.label_map).mean() > 0.9995 and (verb.label_map == one.label_map).mean() > 0.9995
        np.testing.assert_allclose(scores, one.scores, atol=1e-4)
        np.testing.assert_allclose(verb.scores, one.scores, atol=1e-4)
        outside = np.ones((700, 900), bool)
        outside[:height, :width] = False
        assert (served["label_map"][i][outside] == (255 if model.output_shape[-1] == 5 else -1)).all() and (
            served["scores"][i][outside] == 0
        ).all()


def test_pictures_of_one_size_are_answered_together_and_as_alone(a_segmenter):
    _, folder = a_segmenter
    ask = tf.saved_model.load(folder).signatures
    data = [PICTURES["palette PNG"], picture("PNG", SIZES["palette PNG"])]
    both = ask["serving_default"](image_bytes=tf.constant(data))
    alone = [ask["serving_default"](image_bytes=tf.constant([one]))["label_map"][0].numpy() for one in data]
    np.testing.assert_array_equal(both["sizes"], [[40, 90]] * 2)
    assert (both["label_map"].numpy() == np.stack(alone)).mean() > 0.9995
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in data])
    assert (ask["images"](images=tf.constant(pixels))["label_map"] == both["label_map"]).numpy().mean() > 0.9995


def test_bytes_that_are_no_picture_alone_are_answered_by_nothing(a_segmenter):
    found = tf.saved_model.load(a_segmenter[1]).signatures["scores"](image_bytes=tf.constant(BAD))
    assert found["label_map"].shape == found["scores"].shape == (len(BAD), 0, 0)
    assert (found["sizes"].numpy() == 0).all()


POINTS = [("landmark", "official"), ("landmark", "dark"), ("pose", "udp")]


@pytest.fixture(scope="module", params=POINTS, ids="-".join)
def a_pointer(request, tmp_path_factory):
    task, codec = request.param
    model = dots.model(task, (64, 64), codec)
    return model, hk.export(model, tmp_path_factory.mktemp("points"))


def test_served_points_of_ten_odd_pictures_are_those_of_predict(a_pointer, files):
    """Official crops of faces are equal to the last bit, affine crops differ by a grey level in one pixel of 10,000."""
    model, folder = a_pointer
    boxes = [np.array([[0.1 * w, 0.1 * h, 0.9 * w, 0.8 * h]], np.float32) for h, w in SIZES.values()]
    expected, by_verb = (hk.predict(net, files, boxes=boxes) for net in (model, folder))
    data = tf.constant([*PICTURES.values(), *BAD])
    found = tf.saved_model.load(folder).signatures["serving_default"](
        image_bytes=data, boxes=tf.constant(np.concatenate([*boxes, *boxes[: len(BAD)]]))
    )
    points, scores = found["points"].numpy(), found["scores"].numpy()
    for i, (one, verb) in enumerate(zip(expected, by_verb, strict=True)):
        np.testing.assert_allclose(verb.points, one.points, atol=0.02)
        np.testing.assert_allclose(points[i], one.points[0], atol=0.02)
        np.testing.assert_allclose(scores[i], one.scores[0], atol=2e-3)
        np.testing.assert_allclose(verb.boxes, one.boxes, atol=0.02)
    assert (points[10:] == 0).all() and (scores[10:] == 0).all()


def test_served_faces_are_cut_by_the_models_convention(tmp_path):
    """AFLW's crops are made of other boxes than the tight ones that are given."""
    model = dots.model("landmark", (64, 64), "udp", crop_box="aflw")
    image = Image.open(io.BytesIO(picture("PNG", (90, 120)))).convert("RGB")
    box = [[20.0, 10, 100, 70]]
    folder = hk.export(model, tmp_path / "net")
    expected = hk.predict(model, np.asarray(image), boxes=box)[0]
    ask = tf.saved_model.load(folder).signatures["images"]
    served = ask(images=tf.constant(np.asarray(image)[None]), boxes=tf.constant(box))["points"]
    np.testing.assert_allclose(served, expected.points, atol=0.02)
    np.testing.assert_allclose(hk.predict(folder, np.asarray(image), boxes=box)[0].points, expected.points, atol=0.02)


ORIENTATIONS = tuple(range(1, 9))


def photographs(folder, image, numbers=ORIENTATIONS, endings=("jpg",)):
    """Files of a picture, uint8 RGB, that are stored turned in all ways: their paths."""
    paths = []
    for number in numbers:
        exif = Image.Exif()
        exif[upright.TAG] = number
        stored = Image.fromarray(upright.turned(image, upright.BACK[number]))
        for ending in endings:
            paths.append(str(folder / f"{number}.{ending}"))
            stored.save(paths[-1], exif=exif, quality=95)
    return paths


def contents_of(paths):
    return tf.constant([Path(path).read_bytes() for path in paths])


def test_turned_photographs_are_segmented_as_predict_does(a_segmenter, tmp_path):
    """On the pixels as stored, several ways in one batch and one way in a batch of its own."""
    model, folder = a_segmenter
    image = np.asarray(Image.open(io.BytesIO(picture("JPEG", (70, 110)))))
    paths = photographs(tmp_path, image, endings=("jpg", "png"))
    expected, by_verb = (hk.predict(one, paths, scores=True) for one in (model, folder))
    assert [one.orientation for one in expected] == [number for number in range(1, 9) for _ in range(2)]
    ask = tf.saved_model.load(folder).signatures["scores"]
    served = {word: value.numpy() for word, value in ask(image_bytes=contents_of(paths)).items()}
    for i, (one, verb) in enumerate(zip(expected, by_verb, strict=True)):
        height, width = served["sizes"][i]
        assert (height, width) == one.image.shape[:2]
        label_map, scores = (served[word][i, :height, :width] for word in ("label_map", "scores"))
        assert (label_map == one.label_map).mean() > 0.999 and (verb.label_map == one.label_map).mean() > 0.999
        np.testing.assert_allclose(scores, one.scores, atol=1e-4)
    batch = ask(image_bytes=contents_of([paths[10]] * 2))  # orientation 6
    found = expected[10].label_map
    assert batch["label_map"].shape == (2, *found.shape) and (batch["sizes"].numpy() == (110, 70)).all()
    assert (batch["label_map"].numpy() == found).mean() > 0.999
    assert (found == upright.turned(upright.turned(found, 6), 6)).mean() < 0.95  # the direction can be seen


def test_turned_photographs_are_classified_as_predict_does(a_classifier, tmp_path):
    model, folder = a_classifier
    image = np.asarray(Image.open(io.BytesIO(picture("JPEG", (70, 110)))))
    paths = photographs(tmp_path, image)
    expected = hk.predict(model, paths)
    served = tf.saved_model.load(folder).signatures["scores"](image_bytes=contents_of(paths))
    for i, one in enumerate(expected):
        np.testing.assert_array_equal(served["labels"][i], one.labels)
        np.testing.assert_allclose(served["scores"][i], one.scores, atol=1e-5)


def test_points_of_turned_photographs_are_those_of_predict(a_pointer, tmp_path):
    """Boxes and points are in pixels as stored; a box that is none stays none."""
    model, folder = a_pointer
    ask = tf.saved_model.load(folder).signatures
    image = np.asarray(Image.open(io.BytesIO(picture("JPEG", (90, 120)))))
    paths = photographs(tmp_path, image)
    boxes = []
    for path in paths:
        number = upright.orientation_of(path)
        size = np.asarray(Image.open(path)).shape[:2]
        boxes.append(upright.turned_boxes([[12.0, 8, 110, 80]], upright.BACK[number], (90, 120)).astype(np.float32))
        assert (boxes[-1] >= 0).all() and (boxes[-1].reshape(2, 2) <= size[::-1]).all()
    expected, by_verb = (hk.predict(one, paths, boxes=boxes) for one in (model, folder))
    inside_out = boxes[5][:, [2, 1, 0, 3]]
    found = ask["serving_default"](
        image_bytes=contents_of([*paths, paths[5]]), boxes=tf.constant(np.concatenate([*boxes, inside_out]))
    )
    for i, (one, verb) in enumerate(zip(expected, by_verb, strict=True)):
        np.testing.assert_allclose(found["points"][i], one.points[0], atol=0.02)
        np.testing.assert_allclose(found["scores"][i], one.scores[0], atol=2e-3)
        np.testing.assert_allclose(verb.points, one.points, atol=0.02)
    for i in (0, 6):
        two = ask["picture"](image_bytes=contents_of(paths)[i], boxes=tf.constant(np.tile(boxes[i], (2, 1))))
        np.testing.assert_allclose(two["points"], np.tile(expected[i].points, (2, 1, 1)), atol=0.02)
    assert (found["points"][-1] == 0).numpy().all()


def test_a_file_of_many_pixels_is_shown_shrunk_as_by_predict(monkeypatch, tmp_path):
    """With fewer pixels for many; `images`, which has no bound, answers otherwise."""
    for module in (inference, serving):
        monkeypatch.setattr(module, "LARGEST", 5000)
    folder = hk.export(net("seg", (None, None, 3), 5), tmp_path / "net")
    image = np.random.default_rng(0).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(image).resize((130, 170)))
    (path,) = photographs(tmp_path, image, [8], ["png"])
    expected = hk.predict(folder, path)[0]
    shown = inference.shown_size((170, 130), None, 5000)
    assert shown == expected.shown_size == (80, 61)
    ask = tf.saved_model.load(folder).signatures
    batch = ask["serving_default"](image_bytes=contents_of([path, path]))
    np.testing.assert_array_equal(batch["label_map"], [expected.label_map] * 2)
    small = Image.fromarray(image).resize(shown[::-1], Image.BILINEAR)
    label_map = ask["images"](images=tf.constant(np.asarray(small)[None]))["label_map"][0].numpy()
    label_map = np.asarray(Image.fromarray(label_map).resize((130, 170), Image.NEAREST))
    np.testing.assert_array_equal(upright.turned(label_map, upright.BACK[8]), expected.label_map)
    whole = ask["images"](images=tf.constant(image[None]))["label_map"][0]
    assert (whole.numpy() == label_map).mean() < 0.9
    (larger,) = hk.predict(folder, path, scores=True, size=(100, 90))  # whoever names a size gets it
    assert larger.shown_size == (100, 90) and larger.scores.shape == larger.label_map.shape == image.shape[1::-1]


SESSION = """
import sys, numpy as np, tensorflow as tf
tf1 = tf.compat.v1
with tf1.Session(graph=tf.Graph()) as session:
    signature = tf1.saved_model.load(session, ["serve"], sys.argv[1]).signature_def["serving_default"]
    given = {signature.inputs["image_bytes"].name: [open(path, "rb").read() for path in sys.argv[2:]]}
    found = session.run({word: info.name for word, info in signature.outputs.items()}, given)
print(found["sizes"].tolist(), found["label_map"].shape)
print([name for name in sys.modules if name.split(".")[0] == "hrnet_keras"])
"""


def test_a_session_as_tensorflow_serving_has_one_answers_a_mixed_batch(files, tmp_path):
    folder = hk.export(net("seg", (None, None, 3), 5), tmp_path / "net")
    (tmp_path / "bad.png").write_bytes(BAD[3])
    (turned,) = photographs(tmp_path, np.zeros((20, 30, 3), np.uint8), [6])
    command = [sys.executable, "-c", SESSION, folder, files[4], str(tmp_path / "bad.png"), files[5], turned]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[[5, 7], [0, 0], [61, 75], [30, 20]] (4, 61, 75)", "[]"]


def test_a_net_at_stride_4_is_exported_raw_alone(tmp_path):
    model = net("seg", (None, None, 3), 3, output_stride=4)
    folder = hk.export(model, tmp_path / "net")
    assert set(tf.saved_model.load(folder).signatures) == {"raw", "serving_default"}
    for one in (model, folder):
        with pytest.raises(ValueError, match="build it with output_stride=1"):
            hk.predict(one, np.zeros((40, 40, 3), np.uint8))


def test_what_is_no_model_of_a_task_is_named(tmp_path):
    image = keras.Input((64, 64, 3))
    folder = hk.export(keras.Model(image, keras.layers.Conv2D(4, 3)(image)), tmp_path / "maps")
    with pytest.raises(ValueError, match="a SavedModel of feature maps: expected one of a task"):
        hk.predict(folder, np.zeros((64, 64, 3), np.uint8))
    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(ValueError, match="a SavedModel, but not of this package"):
        hk.predict(tmp_path / "other", np.zeros((64, 64, 3), np.uint8))


def written_before(folder, model, size):
    """A SavedModel of a net of one size as this package used to write it: pixels of that size alone, none prepared."""
    (name,) = (layer.name for layer in model.layers if isinstance(layer, ModelInfoLayer))
    task = task_named(info_of(model).task).module("decoding")
    pixels, raw = (tf.TensorSpec([None, *size, 3], kind, name=name) for kind, name in
                   ((tf.uint8, "images"), (tf.float32, "image")))  # fmt: skip

    def answer(images):
        return task.decode(model(tf.cast(images, tf.float32)))

    def scores(image_bytes):
        images = tf.map_fn(lambda data: tf.io.decode_image(data, 3, expand_animations=False), image_bytes, tf.uint8)
        return task.decode(model(tf.cast(tf.ensure_shape(images, (None, *size, 3)), tf.float32)), scores=True)

    signatures = {
        "raw": tf.function(lambda image: {name: model(image)}, input_signature=[raw]),
        "images": tf.function(answer, input_signature=[pixels]),
        "scores": tf.function(scores, input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")]),
    }
    module = tf.Module()
    module.kept = [variable.value for variable in model.variables]
    tf.saved_model.save(module, str(folder / "1"), signatures=signatures)
    (folder / "1" / "assets.extra").mkdir(exist_ok=True)
    (folder / "1" / "assets.extra" / "hrnet_keras.json").write_text(
        json.dumps({"name": "old", **info_of(model).to_dict()})
    )
    return str(folder)


@pytest.mark.parametrize(("task", "size"), [("cls", (48, 48)), ("cls", (None, None)), ("seg", (48, 32))])
def test_what_was_exported_before_is_asked_rightly(task, size, files, tmp_path):
    model = net(task, (*size, 3), 7, input=[40, 40])
    folder = written_before(tmp_path, model, size)
    for scores in (False, True):
        expected, found = (hk.predict(one, files, scores=scores) for one in (model, folder))
        for one, other in zip(expected, found, strict=True):
            word = "labels" if task == "cls" else "label_map"
            np.testing.assert_array_equal(getattr(other, word), getattr(one, word))
            if scores:
                np.testing.assert_allclose(other.scores, one.scores, atol=1e-5)

"""The prediction verb: what it takes, what it answers, what it refuses."""

import gc
import os
import weakref

import numpy as np
import pytest
from PIL import Image, ImageOps

import hrnet_keras as hk
from hrnet_keras import prediction, predictor
from hrnet_keras.checkpoints import zoo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.transforms import upright
from tests import dots
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


def test_the_old_name_of_the_info_still_works(model):
    answer = hk.predict(model, np.zeros((20, 30, 3), np.uint8))[0]
    with pytest.warns(DeprecationWarning, match="facts is deprecated: use info"):
        facts = answer.facts
    assert (facts["task"], facts["class_names"]) == ("seg", ["class 0", "class 1", "class 2"])


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
    from hrnet_keras.builders import name_outputs
    from hrnet_keras.datasets import DatasetInfo

    named = hk.HRNetV2W18SmallV1("seg", num_classes=2)
    name_outputs(named, DatasetInfo("two", class_names=("road", "sky"), palette=((1, 2, 3), (4, 5, 6))))
    named.save(tmp_path / "net.keras")
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    found = hk.predict(tmp_path / "net.keras", image)[0]
    assert found.info.class_names == ("road", "sky") and found.info.palette == ((1, 2, 3), (4, 5, 6))
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
    with pytest.raises(ValueError, match="pose needs the boxes of the persons"):
        hk.predict(hk.HRNetV1W18SmallV1("pose"), image)


def test_checkpoints_and_published_names_are_models(golden, weights_rule, tmp_path, monkeypatch):
    case = next(case for case in CASES if case.name == "mmseg")
    path = filled(case, golden(case.kind, case.case)[0], weights_rule, "zip", tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    one = hk.predict(path, image)[0]
    monkeypatch.setattr(zoo, "fetch", lambda entry: path)
    other = hk.predict("fcn_hr18s_512x1024_160k_cityscapes", image)[0]
    np.testing.assert_array_equal(one.label_map, other.label_map)
    assert one.info.class_names[0] == "class 0" and other.info.class_names[0] == "road"


PAIR = np.array([[[22.0, 26], [30, 20], [15, 22]], [[72.0, 30], [80, 24], [64, 22]]])
BOXES = np.array([[8.0, 8, 38, 40], [56, 8, 88, 44]])


@pytest.fixture(scope="module")
def points_model():
    return dots.model("pose", (64, 64), "udp")


@pytest.mark.parametrize(
    "boxes", [BOXES, BOXES.tolist(), [tuple(box) for box in BOXES], [BOXES], BOXES[None], [list(BOXES)]]
)
def test_boxes_of_one_picture_in_every_form(points_model, boxes):
    (found,) = hk.predict(points_model, dots.picture((60, 100), PAIR), boxes=boxes)
    assert np.abs(found.points - PAIR).max() < 0.5


def test_boxes_of_several_pictures_are_told_apart(points_model):
    images = [dots.picture((60, 100), PAIR[:1]), dots.picture((60, 100), PAIR), dots.picture((50, 90), PAIR[1:])]
    found = hk.predict(points_model, images, boxes=[BOXES[0], BOXES, []])
    assert [len(one.points) for one in found] == [1, 2, 0]
    assert max(np.abs(one.points - truth).max() for one, truth in zip(found[:2], (PAIR[:1], PAIR), strict=True)) < 0.5
    stacked = hk.predict(points_model, np.stack(images[:2]), boxes=np.stack([BOXES, BOXES]))
    assert np.abs(stacked[1].points - PAIR).max() < 0.5


@pytest.mark.parametrize(
    ("count", "boxes", "expected"),
    [
        (2, [BOXES], "boxes: 1 lists of boxes for 2 pictures: expected one list per picture"),
        (2, BOXES[0], "boxes: 4 lists of boxes for 2 pictures"),
        (1, [BOXES, BOXES], "boxes: 2 lists of boxes for 1 pictures"),
        (2, 7, "boxes: 0 lists of boxes for 2 pictures"),
        (1, 7, r"boxes of shape \(\): expected \(n, 4\)"),
        (1, "left", "boxes='left': expected"),
        (1, [[1, 2, 3]], r"boxes of shape \(1, 3\): expected \(n, 4\)"),
        (1, [[1, 2, 3, 4], [1, 2]], r"expected \(n, 4\)"),
        (1, [[5, 5, 5, 9]], "has no area"),
    ],
)
def test_boxes_that_do_not_fit_are_named(points_model, count, boxes, expected):
    with pytest.raises(ValueError, match=expected):
        hk.predict(points_model, [np.zeros((60, 100, 3), np.uint8)] * count, boxes=boxes)


def test_models_of_whole_pictures_take_no_boxes(model):
    with pytest.raises(ValueError, match="boxes: a model of task 'seg' looks at whole pictures: expected none"):
        hk.predict(model, np.zeros((40, 40, 3), np.uint8), boxes=BOXES)


def test_points_are_drawn_saved_and_told_by_a_keras_file(points_model, tmp_path):
    image = dots.picture((60, 100), PAIR)
    Image.fromarray(image).save(tmp_path / "people.png")
    points_model.save(tmp_path / "net.keras")
    found = hk.predict(tmp_path / "net.keras", tmp_path / "people.png", boxes=BOXES)[0]
    np.testing.assert_array_equal(found.points, hk.predict(points_model, image, boxes=BOXES)[0].points)
    assert found.info.point_names == tuple(dots.NAMES) and found.info.edges == ((0, 1), (0, 2))
    drawn = np.asarray(Image.open(found.save(tmp_path / "drawn.png", boxes=True)))
    assert drawn.shape == (60, 100, 3)
    for x, y in PAIR.reshape(-1, 2).astype(int):
        assert (drawn[y - 1 : y + 2, x - 1 : x + 2] == 255).all(-1).any()
    x, y = PAIR[0, :2].mean(0).round().astype(int)  # on the line from the nose to the left eye
    assert (drawn[y - 1 : y + 2, x - 1 : x + 2] != image[y - 1 : y + 2, x - 1 : x + 2]).any()
    with pytest.raises(AttributeError, match="this prediction has points, scores, boxes, areas, not 'label_map'"):
        _ = found.label_map


def test_a_stream_reads_pictures_shortly_before_their_turn(model, pictures, monkeypatch):
    for i in range(2, 8):
        Image.fromarray(np.full((40, 60, 3), i, np.uint8)).save(pictures / f"{i}.png")
    read = []
    real = prediction.datasets.read_image
    monkeypatch.setattr(prediction.datasets, "read_image", lambda path: read.append(path) or real(path))
    stream = hk.predict(model, str(pictures / "*.png"), stream=True)
    assert not read
    seen = 0
    for seen, found in enumerate(stream, start=1):
        assert len(read) <= seen + 2 and found.label_map.shape == found.image.shape[:2]
    assert seen == 8 == len(read)


def test_a_stream_forgets_what_it_has_given(model, pictures):
    alive = []
    for found in hk.predict(model, [str(pictures / "0.png")] * 6, stream=True):
        alive.append(weakref.ref(found))
        del found
        gc.collect()
        assert sum(one() is not None for one in alive) <= 1


def test_iterators_are_asked_for_a_picture_when_it_is_its_turn(model):
    given = []

    def frames():
        for i in range(3):
            given.append(i)
            yield np.full((32, 48, 3), i, np.uint8)

    for i, found in enumerate(hk.predict(model, frames(), stream=True)):
        assert given == list(range(i + 1)) and (found.image == i).all() and found.path is None
    assert [one.label_map.shape for one in hk.predict(model, frames())] == [(32, 48)] * 3


def test_a_long_list_holds_the_first_pictures_alone(model, pictures, monkeypatch):
    monkeypatch.setattr(prediction, "KEPT", 40 * 60 * 3)
    first, second = hk.predict(model, str(pictures / "*.png"))
    assert first._image is not None and second._image is None
    np.testing.assert_array_equal(second.image, np.full((33, 47, 3), 40))
    assert second.draw().shape[1] == 47
    images = [np.zeros((60, 90, 3), np.uint8)] * 2
    assert all(found.image is not None for found in hk.predict(model, images))  # nowhere to read them again
    (pictures / "1.png").unlink()
    with pytest.raises(ValueError, match=r"1\.png: no such file"):
        second.draw()


def test_unreadable_pictures_stop_or_are_left_out(model, pictures):
    (pictures / "05.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"05\.png: cannot be read"):
        hk.predict(model, str(pictures / "*.png"))
    with pytest.warns(UserWarning, match=r"left out: .*05\.png: cannot be read"):
        found = hk.predict(model, str(pictures / "*.png"), unreadable="skip")
    assert [os.path.basename(one.path) for one in found] == ["0.png", "1.png"]
    with pytest.raises(ValueError, match="unreadable='ignore': expected 'raise' or 'skip'"):
        hk.predict(model, [], unreadable="ignore")


def turned_file(path, image, orientation):
    """A file that a viewer shows as `image`; returns the pixels that it stores."""
    stored = upright.turned(image, upright.BACK[orientation])
    exif = Image.Exif()
    exif[upright.TAG] = orientation
    Image.fromarray(stored).save(path, exif=exif)
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(picture)), image)
    return stored


@pytest.mark.parametrize("orientation", [1, 3, 6, 7, 8])
def test_a_photograph_that_is_stored_turned_is_seen_upright(model, tmp_path, orientation):
    image = np.random.default_rng(3).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    stored = turned_file(tmp_path / "a.png", image, orientation)
    (found,) = hk.predict(model, tmp_path / "a.png", scores=True)
    (expected,) = hk.predict(model, image, scores=True)
    assert found.orientation == orientation
    np.testing.assert_array_equal(found.image, stored)
    for word in ("label_map", "scores"):  # on the pixels as stored
        assert getattr(found, word).shape == stored.shape[:2]
        np.testing.assert_array_equal(upright.turned(getattr(found, word), orientation), getattr(expected, word))
    np.testing.assert_array_equal(found.draw(), expected.draw())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_of_a_turned_photograph_are_of_its_pixels_as_stored(points_model, tmp_path, orientation):
    stored = turned_file(tmp_path / "a.png", dots.picture((60, 100), PAIR), orientation)
    size, back = (60, 100), upright.BACK[orientation]
    boxes = upright.turned_boxes(BOXES, back, size)
    (found,) = hk.predict(points_model, tmp_path / "a.png", boxes=boxes)
    assert np.abs(found.points - upright.turned_points(PAIR, back, size)).max() < 0.5
    for (x, y), channel in zip(found.points[0].round().astype(int), (0, 1, 1), strict=True):
        assert stored[y, x, channel] > 200  # there is a dot of its colour
    np.testing.assert_array_equal(found.boxes, boxes)
    assert found.draw().shape == (60, 100, 3)
    with pytest.raises(ValueError, match=r"a\.png: boxes\[0\] = .* has no area"):
        hk.predict(points_model, tmp_path / "a.png", boxes=[[9, 9, 5, 30]])


class Exported:
    """A stand-in for an exported model, whose logits are as large as its input."""

    info, input_size = ModelInfo("seg", num_classes=3), (None, None)

    def __init__(self, path):
        assert os.path.isdir(path)

    def __call__(self, batch):
        return {"logits": np.asarray(batch, np.float32)}


def test_sizes_are_for_segmentation(model, points_model, tmp_path, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    (found,) = hk.predict(model, image, size=(24, 36))
    assert found.label_map.shape == (40, 60) and found.shown_size == (24, 36)
    monkeypatch.setattr(predictor, "SavedModelRuntime", Exported)
    (served,) = hk.predict(tmp_path, image, size=(80, 120))
    assert served.label_map.shape == (40, 60) and served.shown_size == (80, 120)
    with pytest.raises(ValueError, match="size=64: a model of task 'pose' sees all pictures at its own size"):
        hk.predict(points_model, image, boxes=BOXES, size=64)


def test_drawings_are_whole_or_not_there(model, pictures, monkeypatch):
    (found,) = hk.predict(model, pictures / "0.png")
    (pictures / "drawn.png").write_text("of yesterday")

    def half(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("half of")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(OSError, match="disk full"):
        found.save(pictures / "drawn.png")
    assert (pictures / "drawn.png").read_text() == "of yesterday"
    assert sorted(os.listdir(pictures)) == ["0.png", "1.png", "drawn.png"]

"""Joints in pictures of any size, found by a model whose answers are known (`tests.dots`)."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras import datasets
from hrnet_keras.datasets.mpii import mpii_info
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.predictor import open_predictor
from hrnet_keras.tasks import TASKS
from hrnet_keras.tasks.processing import PredictOptions
from tests import dots, point_files

SIZE = (460, 580)
BOXES = np.array([[60, -40, 180, 140], [400, 60, 490, 220], [20, 300, 120, 430], [150, 330, 330, 450.0]])
POINTS = dots.instances(np.random.default_rng(0), BOXES)
IMAGE = dots.picture(SIZE, POINTS)


def pixels(boxes, size=(256, 192)):
    """Sides `(n,)` of the heat maps' pixels in the picture, by the rule: a quarter more than the box, widened."""
    wide, high = 1.25 * (boxes[:, 2:] - boxes[:, :2]).T
    return np.maximum(wide, high * size[1] / size[0]) / (size[1] / 4)


def errors(found, size=(256, 192)):
    """Largest error of every person, in pixels of its heat map."""
    return np.abs(found - POINTS).max((1, 2)) / pixels(BOXES, size)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("codec", "limit"), [("official", 0.3), ("msra", 0.3), ("dark", 0.02), ("udp", 0.02), ("udp_combined", 0.55)]
)  # quarters of a pixel of the map; the combined codec's stand-in knows whole ones
def test_every_codec_finds_the_joints_of_every_person(codec, limit, flip):
    """Mirrored maps of corner-matching codecs are a quarter of a pixel off, of which half counts."""
    more = 0.13 if flip and not codec.startswith("udp") else 0
    found = hk.predict(dots.model("pose", codec=codec), IMAGE, boxes=BOXES, protocol={"flip": flip})[0]
    assert (errors(found.points) < limit + more).all()
    assert found.points.dtype == np.float64 and found.scores.shape == (4, 3) and (found.scores > 0.01).all()
    np.testing.assert_array_equal(found.boxes, BOXES)


@pytest.mark.parametrize(("codec", "limit"), [("dark", 0.14), ("udp", 0.01), ("official", 0.25)])
def test_the_mirror_hardly_moves_the_joints(codec, limit):
    """Were maps moved that shouldn't be, or the other way round, it would be by 0.375 or more."""
    both = [hk.predict(dots.model("pose", codec=codec), IMAGE, boxes=BOXES, protocol={"flip": flip})[0].points
            for flip in (False, True)]  # fmt: skip
    moved = (both[1] - both[0]) / pixels(BOXES)[:, None, None]
    assert (np.abs(moved.mean((0, 1))) < limit).all()


def test_the_mirror_is_looked_into_unless_told_otherwise():
    model = dots.model("pose", codec="dark")
    points = {flip: hk.predict(model, IMAGE, boxes=BOXES, protocol=flip and {"flip": flip == "yes"})[0].points
              for flip in (None, "yes", "no")}  # fmt: skip
    np.testing.assert_array_equal(points[None], points["yes"])
    assert (points[None] != points["no"]).any()


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (384, 288)])
def test_other_inputs(size):
    found = hk.predict(dots.model("pose", size, "udp"), IMAGE, boxes=BOXES)[0]
    assert (errors(found.points, size) < (0.1 if min(size) < 100 else 0.03)).all()


@pytest.mark.parametrize("size", [(40, 30), (33, 470), (901, 77)])
def test_pictures_of_any_size(size):
    boxes = np.array([[4, 3, size[1] - 2, size[0] - 5.0]])
    points = dots.instances(np.random.default_rng(1), boxes)
    image = dots.picture(size, points, spread=max(1.0, pixels(boxes)[0] / 2))
    found = hk.predict(dots.model("pose", codec="udp"), image, boxes=boxes)[0].points
    assert np.abs(found - points).max() < 0.1 * pixels(boxes)[0] + 0.1


def test_many_persons_are_answered_in_their_order():
    boxes = np.concatenate([BOXES] * 10)[np.random.default_rng(0).permutation(40)]
    model = dots.model("pose", codec="udp")
    found = hk.predict(model, IMAGE, boxes=boxes)[0]
    one_by_one = [hk.predict(model, IMAGE, boxes=box)[0].points[0] for box in BOXES]
    for box, points in zip(boxes, found.points, strict=True):
        (k,) = np.flatnonzero((box == BOXES).all(1))
        np.testing.assert_allclose(points, one_by_one[k], atol=1e-3)


def test_areas_are_those_of_the_crops():
    found = hk.predict(dots.model("pose"), IMAGE, boxes=BOXES)[0]
    np.testing.assert_allclose(found.areas, (48 * pixels(BOXES)) ** 2 / 0.75)


def test_scores_of_boxes_go_along():
    predict = open_predictor(dots.model("pose", (64, 64))).predict_one
    assert predict(IMAGE, boxes=BOXES, box_scores=[0.1, 0.2, 0.3, 0.4]).box_scores.tolist() == [0.1, 0.2, 0.3, 0.4]
    nobody = predict(IMAGE, boxes=[], box_scores=[])
    assert nobody.box_scores.shape == (0,) and nobody.points.shape == (0, 3, 2)
    assert predict(IMAGE, boxes=BOXES).box_scores is None


def of_data(model, data):
    return open_predictor(model, PredictOptions(data=data))


def test_centres_count_in_mpii_alone():
    model, stated = dots.model("pose", (64, 64), "udp"), {"centers": [[120.0, 40.0]], "scales": [0.6]}
    plain = of_data(model, dots.INFO).predict_one(IMAGE, boxes=BOXES[:1], **stated)
    np.testing.assert_array_equal(plain.points, open_predictor(model).predict_one(IMAGE, boxes=BOXES[:1]).points)
    mpii = replace(dots.INFO, crop_drop=mpii_info().crop_drop)
    found = of_data(model, mpii).predict_one(IMAGE, boxes=BOXES[:1], **stated)
    np.testing.assert_allclose(found.areas, [(0.6 * 250) ** 2])
    assert np.abs(found.points - POINTS[:1]).max() < 1 and (found.points != plain.points).any()


def test_boxes_of_a_data_set_may_be_lines(tmp_path):
    """Points in a row have a box without a width, which evaluation must not stumble over; a person's must have one."""
    line, model = np.array([[100.0, -20, 100, 130]]), dots.model("pose", (64, 64))
    for net in (model, hk.export(model, tmp_path / "net")):
        found = of_data(net, dots.INFO).predict_one(IMAGE, boxes=line)
        assert np.isfinite(found.points).all() and (found.areas > 0).all()
    with pytest.raises(ValueError, match=r"boxes\[0\] = \(100, -20, 100, 130\): has no area"):
        hk.predict(model, IMAGE, boxes=line)


def test_an_exported_model_is_shown_the_same_persons(tmp_path):
    """Also where the data set states centres and scales, some of which are not known."""
    dataset = datasets.load("mpii", "train", point_files.mpii(tmp_path, {"train": 1}))
    example = dataset.example(0)
    prompts = {word: example[word] for word in TASKS["pose"].input_keys if word in example}
    image = keras.Input((64, 64, 3))
    maps = keras.layers.Conv2D(16, 4, strides=4)(image)
    model = keras.Model(image, ModelInfoLayer({"task": "pose", "num_keypoints": 16})(maps))
    one, other = (of_data(net, dataset.info).predict_one(example["image"], **prompts) for net in
                  (model, hk.export(model, tmp_path / "net")))  # fmt: skip
    np.testing.assert_allclose(other.points, one.points, atol=1e-3)
    np.testing.assert_array_equal(other.boxes, one.boxes)
    np.testing.assert_allclose(one.areas, [(200 * 0.5 * 1.25) ** 2] * 2)
    with pytest.raises(ValueError, match="pose needs the boxes of the persons"):
        of_data(model, dataset.info).predict_one(IMAGE)


def test_bad_input_is_named():
    model = dots.model("pose", (64, 64))
    with pytest.raises(ValueError, match=r"pose needs the boxes of the persons: expected boxes=\["):
        hk.predict(model, IMAGE)
    with pytest.raises(ValueError, match=r"boxes\[1\] = \(900, 0, 950, 9\): lies outside the picture of 580x460"):
        hk.predict(model, IMAGE, boxes=[[0, 0, 9, 9], [900, 0, 950, 9]])
    with pytest.raises(ValueError, match="expected a dict with flip alone"):
        hk.predict(model, IMAGE, boxes=BOXES, protocol={"window": (3, 3)})


def test_a_black_crop_has_joints_all_the_same():
    for codec in ("official", "msra", "dark", "udp", "udp_combined"):
        found = hk.predict(dots.model("pose", (64, 64), codec), np.zeros((50, 60, 3), np.uint8), boxes=[5, 5, 40, 40])[
            0
        ]
        assert np.isfinite(found.points).all() and found.scores.max() == 0

"""Points of faces in pictures of any size, found by a model whose answers are known (`tests.dots`)."""

import sys

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras import datasets
from hrnet_keras.predictor import open_predictor, predictor_of
from hrnet_keras.runtime import KerasRuntime
from hrnet_keras.tasks.landmark import faces, inference
from hrnet_keras.tasks.landmark.faces import boxes_to_centers_scales
from hrnet_keras.tasks.processing import PredictOptions
from tests import dots

SIZE = (470, 620)
BOXES = np.array([[40, -30, 180, 110], [300, 60, 400, 160], [180, 260, 250, 330], [350, 240, 570, 460.0]])
SIDES = (BOXES[:, 2:] - BOXES[:, :2]).max(1)
POINTS = dots.instances(np.random.default_rng(0), BOXES)
PIXEL = 1.25 * SIDES / 64  # of the heat map, in pixels of the picture
IMAGE = dots.picture(SIZE, POINTS)


def errors(found):
    """Largest error of every face, in pixels of its heat map."""
    return np.abs(found - POINTS).max((1, 2)) / PIXEL


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("codec", "limit"), [("official", 0.3), ("msra", 0.3), ("dark", 0.02), ("udp", 0.02)]
)  # official and msra answers are quarters of a pixel of the map
def test_every_codec_finds_the_points_of_every_face(codec, limit, flip):
    """Half counts of what mirrored maps are off: a quarter pixel (msra, dark: moved by one), or half (official)."""
    more = {"official": 0.25, "udp": 0}.get(codec, 0.13) if flip else 0
    found = hk.predict(
        dots.model("landmark", (256, 256), codec), IMAGE, boxes=BOXES, refine_iterations=0, protocol={"flip": flip}
    )
    whole = 1.5 / PIXEL if codec == "official" else 0  # of the picture: the crop begins at one, the answer is one
    assert (errors(found[0].points) < limit + more + whole).all()
    assert found[0].points.dtype == np.float64 and found[0].scores.shape == (4, 3) and (found[0].scores > 0.05).all()
    np.testing.assert_allclose(found[0].boxes, BOXES)


@pytest.mark.parametrize(("codec", "limit"), [("official", 0.35), ("msra", 0.25), ("dark", 0.13), ("udp", 0.01)])
def test_the_mirror_hardly_moves_the_points(codec, limit):
    """Were maps moved that shouldn't be, or the other way round, it would be by 0.375 (dark) to 0.75 (official)."""
    model = dots.model("landmark", (256, 256), codec)
    both = [
        hk.predict(model, IMAGE, boxes=BOXES, refine_iterations=0, protocol={"flip": flip})[0].points
        for flip in (False, True)
    ]
    assert (np.abs(((both[1] - both[0]) / PIXEL[:, None, None]).mean((0, 1))) < limit).all()


def test_official_answers_are_whole_pixels():
    found = hk.predict(dots.model("landmark", (256, 256)), IMAGE, boxes=BOXES, refine_iterations=0)[0].points
    assert (found == found.round()).all()


@pytest.mark.parametrize("size", [(128, 128), (192, 256)])
def test_other_inputs(size):
    found = hk.predict(dots.model("landmark", size, "udp"), IMAGE, boxes=BOXES, refine_iterations=0)[0]
    assert (errors(found.points) < 0.02).all()


@pytest.mark.parametrize("codec", ["official", "udp"])
def test_a_second_look_makes_up_for_a_box_that_is_off(codec):
    """What a look sees hangs on the box; a net that is drawn toward the crop's middle shows by how much."""
    model = dots.model("landmark", (256, 256), codec)
    rng = np.random.default_rng(1)
    points = BOXES[:, None, :2] + SIDES[:, None, None] * [[[0.5, 1.0], [1.0, 0.0], [0.0, 0.0]]]  # tight
    points[0, :, 1] += 40  # its box reaches beyond the picture, its points don't
    image, tight = dots.picture(SIZE, points), BOXES + [[0, 40, 0, 40], [0] * 4, [0] * 4, [0] * 4]
    off = tight + SIDES[:, None] * rng.uniform(-0.12, 0.12, (4, 4))
    shown = [hk.predict(model, image, boxes=off, refine_iterations=count)[0].boxes for count in range(3)]
    before, after, again = (np.abs(boxes - tight).max(1) / SIDES for boxes in shown)
    assert before.max() > 0.05 and (after < 0.03).all() and (after < before).all() and (again < 0.03).all()
    np.testing.assert_allclose(hk.predict(model, image, boxes=off)[0].boxes, shown[1])  # once unless told otherwise


class Blurred:
    """A stand-in runtime whose maps are drawn a fifth of the way toward the middle of their crop."""

    def __init__(self, model):
        self.runtime = KerasRuntime(model)
        self.info, self.input_size = self.runtime.info, self.runtime.input_size

    def __call__(self, crops):
        (maps,) = self.runtime(crops).values()
        pulled = np.clip(np.round(32 + (np.arange(64) - 32) / 0.8).astype(int), 0, 63)
        return {"heatmaps": maps[:, pulled][:, :, pulled]}


def test_points_come_nearer_when_the_first_box_was_off():
    runtime = Blurred(dots.model("landmark", (256, 256), "udp"))
    moved = BOXES[1:] + SIDES[1:, None] * [0.15, -0.15, 0.15, -0.15]
    found = []
    for count in range(3):
        predictor = predictor_of(runtime, PredictOptions(refine_iterations=count))
        found.append(predictor.predict_one(IMAGE, boxes=moved).points)
    first, second, third = (np.abs(points - POINTS[1:]).mean() for points in found)
    assert third < first and second < first


def test_centres_and_scales_are_taken_as_they_are_and_looked_at_once():
    model = dots.model("landmark", (256, 256), "udp")
    centers, scales = boxes_to_centers_scales(BOXES, "tight")
    predictor = open_predictor(model)
    found = predictor.predict_one(IMAGE, centers=centers, scales=scales)
    np.testing.assert_allclose(found.boxes, BOXES)
    assert (errors(found.points) < 0.02).all()
    np.testing.assert_array_equal(
        found.points, predictor.predict_one(IMAGE, centers=centers, scales=scales, boxes=[[0, 0, 1, 1]]).points
    )


@pytest.mark.parametrize(
    ("kind", "shift", "factor"), [("mtcnn", 0.12, 0.85), ("aflw", 0.054, 0.786), ("mmpose", 0, 1 / 1.2)]
)
def test_boxes_of_other_kinds_lead_to_the_same_crops(kind, shift, factor):
    """The kinds' numbers are those of `faces.BOXES`: how a tight box lies to a box of that kind."""
    sides = SIDES / factor
    centers = (BOXES[:, :2] + BOXES[:, 2:]) / 2 - np.stack([0 * sides, shift * sides], 1)
    other = np.concatenate([centers - sides[:, None] / 2, centers + sides[:, None] / 2], 1)
    found = hk.predict(
        dots.model("landmark", (256, 256), "udp"), IMAGE, boxes=other, box_format=kind, refine_iterations=0
    )[0]
    np.testing.assert_allclose(found.boxes, BOXES, atol=1e-9)
    assert (errors(found.points) < 0.02).all()


def test_a_model_of_another_convention_sees_its_own_crops():
    model = dots.model("landmark", (256, 256), "udp", crop_box="aflw")
    found = hk.predict(model, IMAGE, boxes=BOXES, refine_iterations=0)[0]
    centers, scales = boxes_to_centers_scales(BOXES, "tight", "aflw")
    np.testing.assert_allclose(found.boxes, inference.square_boxes(centers, scales))
    assert (errors(found.points) < 0.02).all()
    found = hk.predict(model, IMAGE, boxes=BOXES + [[5, 5, 5, 5]])[0]  # looked at again, around the points
    centers, scales = boxes_to_centers_scales(np.concatenate([POINTS.min(1), POINTS.max(1)], 1), "tight", "aflw")
    assert (np.abs(found.boxes - inference.square_boxes(centers, scales)).max(1) < 0.03 * SIDES).all()


def test_without_boxes_the_faces_are_looked_for(monkeypatch):
    asked = []

    def found(image):
        asked.append(image.shape)
        return BOXES, np.ones(4)

    monkeypatch.setattr(inference, "find_faces", found)
    model = dots.model("landmark", (256, 256), "udp")
    answer = hk.predict(model, IMAGE, refine_iterations=0)[0]
    centers, scales = boxes_to_centers_scales(BOXES, "mtcnn")
    np.testing.assert_allclose(answer.boxes, inference.square_boxes(centers, scales))
    assert asked == [IMAGE.shape]
    monkeypatch.setattr(inference, "find_faces", lambda image: (np.zeros((0, 4)), np.zeros(0)))
    assert hk.predict(model, IMAGE)[0].points.shape == (0, 3, 2)


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    faces._detector.cache_clear()
    with pytest.raises(ImportError, match=r"^finding faces needs mtcnn: pip install 'hrnet-keras\[faces\]'$"):
        hk.predict(dots.model("landmark", (64, 64)), IMAGE)
    assert hk.predict(dots.model("landmark", (64, 64)), IMAGE, boxes=BOXES)[0].points.shape == (4, 3, 2)


@pytest.mark.parametrize("count", [-1, 1.5, "two", True])
def test_impossible_refinements_are_refused(count):
    with pytest.raises(ValueError, match=r"refine_iterations=.*: expected a whole number, 0 or more"):
        hk.predict(dots.model("landmark", (64, 64)), IMAGE, boxes=BOXES, refine_iterations=count)


def test_the_earlier_words_still_work():
    model = dots.model("landmark", (64, 64), "udp")
    now = hk.predict(model, IMAGE, boxes=BOXES, refine_iterations=0, box_format="aflw")[0]
    with pytest.warns(DeprecationWarning) as warned:
        before = hk.predict(model, IMAGE, boxes=BOXES, passes=1, box_kind="aflw")[0]
    np.testing.assert_array_equal(before.points, now.points)
    assert [str(one.message).split(" is ")[0] for one in warned] == ["passes", "box_kind"]
    for passes in (0, -1, 1.5, "two"):
        with (
            pytest.warns(DeprecationWarning),
            pytest.raises(ValueError, match=r"passes=.*: expected a whole number, 1 or more"),
        ):
            hk.predict(model, IMAGE, boxes=BOXES, passes=passes)
    with pytest.raises(ValueError, match="box_format='aflw': means nothing to a model of task 'pose'"):
        hk.predict(dots.model("pose", (64, 64)), IMAGE, boxes=BOXES, box_format="aflw")


def test_other_bad_input_is_named():
    model = dots.model("landmark", (64, 64))
    with pytest.raises(ValueError, match="kind='haar': expected one of 'tight'"):
        hk.predict(model, IMAGE, boxes=BOXES, box_format="haar")
    with pytest.raises(ValueError, match=r"boxes\[0\] = \(700, 0, 800, 50\): lies outside the picture of 620x470"):
        hk.predict(model, IMAGE, boxes=[700, 0, 800, 50])
    with pytest.raises(ValueError, match="expected a dict with flip alone"):
        hk.predict(model, IMAGE, boxes=BOXES, protocol={"scales": [1]})


def test_a_dark_face_has_points_all_the_same():
    """Maps without a positive value: all points on one, and a second look at some pixels of it."""
    for codec in ("official", "dark", "udp"):
        found = hk.predict(
            dots.model("landmark", (64, 64), codec), np.zeros((50, 60, 3), np.uint8), boxes=[5, 5, 40, 40]
        )
        assert np.isfinite(found[0].points).all() and found[0].scores.max() == 0


def test_cofws_reading_is_that_of_the_set_or_of_the_training(monkeypatch):
    asked = []
    monkeypatch.setattr(
        inference, "crop", lambda *a, **k: asked.append(k["stretch_first"]) or np.zeros((64, 64, 3), np.uint8)
    )
    model = dots.model("landmark", (64, 64), stretch_first=False)
    prompts = {"centers": [[20.0, 20.0]], "scales": [0.1]}
    open_predictor(model).predict_one(IMAGE, **prompts)
    data = datasets.DatasetInfo("wflw", point_names=dots.NAMES)
    open_predictor(model, PredictOptions(data=data)).predict_one(IMAGE, **prompts)
    open_predictor(dots.model("landmark", (64, 64))).predict_one(IMAGE, **prompts)
    assert asked == [False, True, True]

"""Points of faces in pictures of any size, found by a model whose answers are known (`tests.dots`)."""

import sys

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras import datasets
from hrnet_keras.tasks.landmark import faces, inference
from hrnet_keras.tasks.landmark.faces import boxes_to_centers_scales
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
    found = hk.predict(dots.model("landmark", (256, 256), codec), IMAGE, boxes=BOXES, passes=1, protocol={"flip": flip})
    whole = 1.5 / PIXEL if codec == "official" else 0  # of the picture: the crop begins at one, the answer is one
    assert (errors(found[0].points) < limit + more + whole).all()
    assert found[0].points.dtype == np.float64 and found[0].scores.shape == (4, 3) and (found[0].scores > 0.05).all()
    np.testing.assert_allclose(found[0].boxes, BOXES)


@pytest.mark.parametrize(("codec", "limit"), [("official", 0.35), ("msra", 0.25), ("dark", 0.13), ("udp", 0.01)])
def test_the_mirror_hardly_moves_the_points(codec, limit):
    """Were maps moved that shouldn't be, or the other way round, it would be by 0.375 (dark) to 0.75 (official)."""
    model = dots.model("landmark", (256, 256), codec)
    both = [
        hk.predict(model, IMAGE, boxes=BOXES, passes=1, protocol={"flip": flip})[0].points for flip in (False, True)
    ]
    assert (np.abs(((both[1] - both[0]) / PIXEL[:, None, None]).mean((0, 1))) < limit).all()


def test_official_answers_are_whole_pixels():
    found = hk.predict(dots.model("landmark", (256, 256)), IMAGE, boxes=BOXES, passes=1)[0].points
    assert (found == found.round()).all()


@pytest.mark.parametrize("size", [(128, 128), (192, 256)])
def test_other_inputs(size):
    found = hk.predict(dots.model("landmark", size, "udp"), IMAGE, boxes=BOXES, passes=1)[0]
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
    shown = {passes: hk.predict(model, image, boxes=off, passes=passes)[0].boxes for passes in (1, 2, 3)}
    before, after, again = (np.abs(shown[passes] - tight).max(1) / SIDES for passes in (1, 2, 3))
    assert before.max() > 0.05 and (after < 0.03).all() and (after < before).all() and (again < 0.03).all()
    np.testing.assert_allclose(hk.predict(model, image, boxes=off)[0].boxes, shown[2])  # twice unless told otherwise


class Blurred:
    """A stand-in model whose answer is drawn a fifth of the way toward the middle of its crop."""

    def __init__(self, model):
        self.model, self.layers = model, model.layers
        self.input_shape, self.output_shape = model.input_shape, model.output_shape

    def predict_on_batch(self, crops):
        maps, grid = self.model.predict_on_batch(crops), np.arange(64)
        pulled = np.clip(np.round(32 + (grid - 32) / 0.8).astype(int), 0, 63)
        return np.asarray(maps)[:, pulled][:, :, pulled]


def test_points_come_nearer_when_the_first_box_was_off():
    model = Blurred(dots.model("landmark", (256, 256), "udp"))
    moved = BOXES[1:] + SIDES[1:, None] * [0.15, -0.15, 0.15, -0.15]
    answers = [inference.answerer(model, passes=passes)(IMAGE, boxes=moved)["points"] for passes in (1, 2, 3)]
    first, second, third = (np.abs(points - POINTS[1:]).mean() for points in answers)
    assert third < first and second < first


def test_centres_and_scales_are_taken_as_they_are_and_looked_at_once():
    model = dots.model("landmark", (256, 256), "udp")
    centers, scales = boxes_to_centers_scales(BOXES, "tight")
    answer = inference.answerer(model)
    found = answer(IMAGE, centers=centers, scales=scales)
    np.testing.assert_allclose(found["boxes"], BOXES)
    assert (errors(found["points"]) < 0.02).all()
    np.testing.assert_array_equal(
        found["points"], answer(IMAGE, centers=centers, scales=scales, boxes=[[0, 0, 1, 1]])["points"]
    )


@pytest.mark.parametrize(
    ("kind", "shift", "factor"), [("mtcnn", 0.12, 0.85), ("aflw", 0.054, 0.786), ("mmpose", 0, 1 / 1.2)]
)
def test_boxes_of_other_kinds_lead_to_the_same_crops(kind, shift, factor):
    """The kinds' numbers are those of `faces.BOXES`: how a tight box lies to a box of that kind."""
    sides = SIDES / factor
    centers = (BOXES[:, :2] + BOXES[:, 2:]) / 2 - np.stack([0 * sides, shift * sides], 1)
    other = np.concatenate([centers - sides[:, None] / 2, centers + sides[:, None] / 2], 1)
    found = hk.predict(dots.model("landmark", (256, 256), "udp"), IMAGE, boxes=other, box_kind=kind, passes=1)[0]
    np.testing.assert_allclose(found.boxes, BOXES, atol=1e-9)
    assert (errors(found.points) < 0.02).all()


def test_a_model_of_another_convention_sees_its_own_crops():
    model = dots.model("landmark", (256, 256), "udp", crop_box="aflw")
    found = hk.predict(model, IMAGE, boxes=BOXES, passes=1)[0]
    centers, scales = boxes_to_centers_scales(BOXES, "tight", "aflw")
    np.testing.assert_allclose(found.boxes, inference.squares(centers, scales))
    assert (errors(found.points) < 0.02).all()
    found = hk.predict(model, IMAGE, boxes=BOXES + [[5, 5, 5, 5]])[0]  # looked at again, around the points
    centers, scales = boxes_to_centers_scales(np.concatenate([POINTS.min(1), POINTS.max(1)], 1), "tight", "aflw")
    assert (np.abs(found.boxes - inference.squares(centers, scales)).max(1) < 0.03 * SIDES).all()


def test_without_boxes_the_faces_are_looked_for(monkeypatch):
    asked = []

    def found(image):
        asked.append(image.shape)
        return BOXES, np.ones(4)

    monkeypatch.setattr(inference, "find_faces", found)
    model = dots.model("landmark", (256, 256), "udp")
    answer = hk.predict(model, IMAGE, passes=1)[0]
    centers, scales = boxes_to_centers_scales(BOXES, "mtcnn")
    np.testing.assert_allclose(answer.boxes, inference.squares(centers, scales))
    assert asked == [IMAGE.shape]
    monkeypatch.setattr(inference, "find_faces", lambda image: (np.zeros((0, 4)), np.zeros(0)))
    assert hk.predict(model, IMAGE)[0].points.shape == (0, 3, 2)


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    faces._detector.cache_clear()
    with pytest.raises(ImportError, match=r"^finding faces needs mtcnn: pip install 'hrnet-keras\[faces\]'$"):
        hk.predict(dots.model("landmark", (64, 64)), IMAGE)
    assert hk.predict(dots.model("landmark", (64, 64)), IMAGE, boxes=BOXES)[0].points.shape == (4, 3, 2)


@pytest.mark.parametrize("passes", [0, -1, 1.5, "two"])
def test_impossible_passes_are_refused(passes):
    with pytest.raises(ValueError, match=r"passes=.*: expected a whole number, 1 or more"):
        hk.predict(dots.model("landmark", (64, 64)), IMAGE, boxes=BOXES, passes=passes)


def test_other_bad_input_is_named():
    model = dots.model("landmark", (64, 64))
    with pytest.raises(ValueError, match="kind='haar': expected one of 'tight'"):
        hk.predict(model, IMAGE, boxes=BOXES, box_kind="haar")
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
    where = {"centers": [[20.0, 20.0]], "scales": [0.1]}
    inference.answerer(model)(IMAGE, **where)
    inference.answerer(model, info=datasets.DatasetInfo("wflw"))(IMAGE, **where)
    inference.answerer(dots.model("landmark", (64, 64)))(IMAGE, **where)
    assert asked == [False, True, True]

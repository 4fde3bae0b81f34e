"""What a model's weights expect, and what is said of boxes that can't be."""

import json

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.boxes import checked_boxes
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.predictor import open_predictor
from hrnet_keras.tasks.keypoints.inference import write
from hrnet_keras.tasks.keypoints.spec import KeypointDefaults, KeypointSpec
from tests import dots

DEFAULTS = KeypointDefaults((256, 192), {"official": False, "mmlab": True}, ("udp",))


def bare(shape=(None, None), maps=4, **info):
    image = keras.Input((*shape, 3))
    return keras.Model(
        image, ModelInfoLayer({"task": "pose", "num_keypoints": maps, **info})(keras.layers.Conv2D(maps, 1)(image))
    )


def read(model, **options):
    return KeypointSpec.of(info_of(model), model.input_shape[1:3], DEFAULTS, **options)


@pytest.mark.parametrize(
    ("info", "convention", "codec"),
    [
        ({}, "official", "official"),
        ({"lineage": "official"}, "official", "official"),
        ({"lineage": "mmlab"}, "mmlab", "msra"),
        ({"lineage": "mmlab", "codec": "dark"}, "mmlab", "dark"),
        ({"lineage": "mmlab", "convention": "official", "codec": "official"}, "official", "official"),  # trained anew
        ({"lineage": "official", "convention": "mmlab", "codec": "udp"}, "mmlab", "udp"),
        ({"convention": "official", "codec": "msra"}, "official", "msra"),
    ],
)
def test_rules_and_codec_are_those_of_the_training_or_else_of_the_lineage(info, convention, codec):
    found = read(bare(**info))
    assert (found.convention, found.codec, found.unbiased, found.shift) == (
        convention,
        codec,
        codec == "udp",
        codec != "udp",
    )


def test_the_input_is_the_models_own_or_the_trainings_or_the_usual_one():
    assert read(bare((64, 96), input=[128, 128])).size == (64, 96)
    assert read(bare(input=[128, 160])).size == (128, 160)
    assert read(bare()).size == (256, 192) and read(bare()).aspect_ratio == 0.75


def test_three_maps_of_the_combined_codec_are_a_point():
    assert read(bare(maps=9, codec="udp_combined", convention="mmlab")).count == 3
    assert read(bare(maps=9)).count == 9


def test_mirroring_is_as_published_unless_asked_otherwise_or_nobody_knows_the_pairs():
    pairs, own = {"flip_pairs": [[0, 1]]}, DatasetInfo("own", flip_pairs=((2, 3),))
    assert not read(bare(**pairs)).flip and read(bare(convention="mmlab", **pairs)).flip
    assert read(bare(**pairs), protocol={"flip": True}).flip
    assert not read(bare(convention="mmlab", **pairs), protocol={"flip": False}).flip
    assert not read(bare(convention="mmlab")).flip
    assert read(bare(convention="mmlab"), data=own).flip_pairs == ((2, 3),)
    assert read(bare(convention="mmlab", **pairs), data=own).flip_pairs == ((0, 1),)
    with pytest.raises(ValueError, match="flip=True: nobody knows which points"):
        read(bare(), protocol={"flip": True})


@pytest.mark.parametrize("protocol", [{"flop": True}, {"flip": True, "scales": (1.0,)}, ("flip",)])
def test_other_protocols_are_refused(protocol):
    with pytest.raises(ValueError, match=r"protocol=.*: expected a dict with flip alone"):
        read(bare(flip_pairs=[[0, 1]]), protocol=protocol)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([[0, 0, 5]], r"boxes of shape \(1, 3\): expected \(n, 4\)"),
        ([[[0, 0, 5, 5]]], r"boxes of shape \(1, 1, 4\): expected \(n, 4\)"),
        (7, r"boxes of shape \(\): expected \(n, 4\)"),
        ([[0, 0, 5, 5], [1, 2]], r"boxes=\[\[0, 0, 5, 5\], \[1, 2\]\]: expected \(n, 4\)"),
        (["left"], r"boxes=\['left'\]: expected \(n, 4\)"),
        ([[0, 0, 5, 5], [0, 0, np.nan, 5]], r"boxes\[1\] = \(0, 0, nan, 5\): expected numbers"),
        ([[0, 0, np.inf, 5]], "expected numbers"),
        ([[5, 0, 5, 5]], r"boxes\[0\] = \(5, 0, 5, 5\): has no area"),
        ([[5, 0, 9, -5]], "has no area: expected left, top, right, bottom, the latter two larger"),
        ([[-9, 0, 0, 5]], r"boxes\[0\] = \(-9, 0, 0, 5\): lies outside the picture of 30x20 \(width x height\)"),
        ([[30, 0, 40, 5]], "lies outside"),
        ([[0, 20, 5, 30]], "lies outside"),
    ],
)
def test_boxes_that_cannot_be_are_named(boxes, expected):
    with pytest.raises(ValueError, match=expected) as error:
        checked_boxes(boxes, (20, 30))
    assert "\n" not in str(error.value)


def test_boxes_that_can_be():
    size = (20, 30)
    assert checked_boxes((1, 2, 3, 4), size).tolist() == [[1, 2, 3, 4]]
    assert checked_boxes([], size).shape == checked_boxes(np.zeros((0, 4)), size).shape == (0, 4)
    assert checked_boxes([[-50, -50, 0.5, 0.5], [29.5, 19, 400, 400]], size).dtype == np.float64


def test_answers_are_written_as_lists(tmp_path):
    answer = {"points": np.array([[[1.23456, 2]]]), "scores": np.array([[0.5]], np.float32), "boxes": np.ones((1, 4))}
    write(answer, str(tmp_path / "deep" / "one"))
    assert json.loads((tmp_path / "deep" / "one.json").read_text()) == {
        "points": [[[1.2346, 2.0]]], "scores": [[0.5]], "boxes": [[1.0] * 4],
    }  # fmt: skip
    nobody = open_predictor(dots.model("landmark", (64, 64))).predict_one(np.zeros((9, 9, 3), np.uint8), boxes=[])
    write(nobody.to_dict(), tmp_path / "none")
    assert json.loads((tmp_path / "none.json").read_text()) == {"points": [], "scores": [], "boxes": []}
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"file.*x\.json: can't be written"):
        write(answer, str(tmp_path / "file" / "x"))


@pytest.mark.parametrize("task", ["landmark", "pose"])
def test_nobody_is_answered_like_somebody(task):
    model = dots.model(task, (64, 64))
    image = dots.picture((80, 90), [[[40, 40], [50, 30], [30, 30]]])
    one, none = (hk.predict(model, image, boxes=boxes)[0] for boxes in ([[20, 20, 60, 60]], []))
    for word in ("points", "scores", "boxes", *(["areas"] if task == "pose" else [])):
        (_, *shape), (count, *other) = np.shape(getattr(one, word)), np.shape(getattr(none, word))
        assert count == 0 and shape == other

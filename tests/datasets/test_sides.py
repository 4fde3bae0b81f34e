"""Left and right in names: against the pairs of published sets, names of other programs, and what is no side."""

import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.published import published
from hrnet_keras.datasets.sides import mirror_order, mirror_pairs, without_partner

# The points of AFLW as its own database names them (Koestinger et al., 2011).
AFLW = (
    "LeftBrowLeftCorner", "LeftBrowCenter", "LeftBrowRightCorner", "RightBrowLeftCorner", "RightBrowCenter",
    "RightBrowRightCorner", "LeftEyeLeftCorner", "LeftEyeCenter", "LeftEyeRightCorner", "RightEyeLeftCorner",
    "RightEyeCenter", "RightEyeRightCorner", "LeftEar", "NoseLeft", "NoseCenter", "NoseRight", "RightEar",
    "MouthLeftCorner", "MouthCenter", "MouthRightCorner", "ChinCenter",
)  # fmt: skip
# Which of them a mirror exchanges, counted from the outside to the inside of a face.
AFLW_PAIRS = {(0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9), (12, 16), (13, 15), (17, 19)}


def paired(*names):
    return [(names[a], names[b]) for a, b in mirror_pairs(names)]


@pytest.mark.parametrize("name", ["300w", "wflw", "aflw", "cofw", "coco", "mpii"])
def test_pairs_of_published_points(name):
    info = published(name)
    assert {frozenset(pair) for pair in mirror_pairs(info.point_names)} == set(map(frozenset, info.flip_pairs))
    assert without_partner(info.point_names, info.flip_pairs) == []


@pytest.mark.parametrize("name", ["lip", "cityscapes", "ade20k", "cocostuff", "pascal_context_60", "imagenet"])
def test_pairs_of_published_classes(name):
    info = published(name)
    assert mirror_pairs(info.class_names) == info.label_flip_pairs
    assert without_partner(info.class_names, info.label_flip_pairs) == []


def test_names_that_have_both_sides():
    assert set(mirror_pairs(AFLW)) == AFLW_PAIRS
    corners = ("left_eye_left_corner", "left_eye_right_corner", "right_eye_left_corner", "right_eye_right_corner")
    assert mirror_pairs(corners) == ((0, 3), (1, 2))
    vision = ("LEFT_OF_LEFT_EYEBROW", "RIGHT_OF_LEFT_EYEBROW", "LEFT_OF_RIGHT_EYEBROW", "RIGHT_OF_RIGHT_EYEBROW",
              "MIDPOINT_BETWEEN_EYES", "MOUTH_LEFT", "MOUTH_RIGHT")  # fmt: skip
    assert set(mirror_pairs(vision)) == {(0, 3), (2, 1), (5, 6)}


def test_spellings_of_a_side():
    names = ("l_eye", "r_eye", "eye_l", "eye_r", "LEye", "REye", "nose")
    assert paired(*names) == [("l_eye", "r_eye"), ("eye_l", "eye_r"), ("LEye", "REye")]
    assert paired("hand.R", "hand.L", "l foot", "r foot") == [("hand.L", "hand.R"), ("l foot", "r foot")]
    assert paired("lefteye", "righteye", "TopLeft", "TopRight") == [("lefteye", "righteye"), ("TopLeft", "TopRight")]
    assert paired("left_eye", "rightEye") == [("left_eye", "rightEye")]
    assert paired("Left arm", "right arm", "LEFT LEG", "RIGHT LEG") == [
        ("Left arm", "right arm"), ("LEFT LEG", "RIGHT LEG"),
    ]  # fmt: skip


def test_what_is_no_side():
    assert paired("bright_spot", "bleft_spot", "left", "right") == [("left", "right")]
    assert paired("lake", "rake", "upright", "leftover", "light", "right") == []
    assert paired(*"abcdeklmnrst") == [], "the letters of an alphabet"
    assert paired("l", "r", "c") == [("l", "r")]


def test_sides_without_partner():
    names = ("left_eye", "right_eye", "left_ear", "leftover", "R arm", "upright piano")
    assert without_partner(names, mirror_pairs(names)) == ["left_ear", "R arm"]
    assert without_partner(tuple("abcdeklmnrst"), ()) == []


def test_pairs_are_an_involution_or_refused():
    assert mirror_order(4, ((1, 2), (2, 1))) == [0, 2, 1, 3]
    with pytest.raises(ValueError, match="flip_pairs: 2 is paired with 1 and with 3: expected every one in one pair"):
        mirror_order(4, ((1, 2), (2, 3)))
    with pytest.raises(ValueError, match="flip_pairs: 0 is paired with 1 and with 2"):
        mirror_order(4, ((0, 1), (0, 2)))
    with pytest.raises(ValueError, match="data set 'mine': label_flip_pairs: 1 is paired with 0 and with 2"):
        DatasetInfo("mine", class_names=("a", "b", "c"), label_flip_pairs=((0, 1), (1, 2)))

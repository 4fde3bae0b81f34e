"""Names of two lists: which are the same, which say nothing, and how a difference is said."""

from hrnet_keras.datasets.matching import difference, in_words, places_in, say_nothing


def test_names_are_found_wherever_they_stand():
    assert places_in(("car", "sky"), ("sky", "road", "car")) == [2, 0]
    assert places_in(("sky", "tree"), ("sky", "road")) == [0, None]


def test_case_and_separators_make_no_difference():
    cityscapes = ("traffic_light", "traffic_sign", "pole")
    assert places_in(("Pole", "Traffic Light", "traffic-sign"), cityscapes) == [2, 0, 1]
    assert places_in(("pottedplant", "A\u0308pfel"), ("\u00c4pfel", "potted plant")) == [1, 0], "and composed letters"


def test_names_that_differ_by_a_separator_alone_are_two():
    assert places_in(("ab", "a b"), ("a b", "ab")) == [1, 0]
    assert places_in(("Mouse", "mouse"), ("mouse", "Mouse")) == [1, 0]


def test_names_that_stand_there_twice():
    names = ("crane", "maillot", "crane")
    assert places_in(names, names) == [0, 1, 2]
    assert places_in(names, ("maillot", "crane", "crane")) == [None] * 3


def test_names_that_say_nothing():
    assert say_nothing(()) and say_nothing(("class 0", "class 1")) and say_nothing(("point_1", "point_2"))
    assert not say_nothing(("point_1", "point_0")) and not say_nothing(("0", "1")) and not say_nothing(("nose",))


def test_a_difference_in_words():
    said = difference("the model", ["road", "car"], "data set 'x'", ["road", "bus"])
    assert (
        said == "the model has road, car; data set 'x' has road, bus; only the model has car; only data set 'x' has bus"
    )
    assert in_words(list("abcdefgh")) == "a, b, c, d, e, f, ... (8 in all)"

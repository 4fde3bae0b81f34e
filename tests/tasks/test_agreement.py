"""Models and data sets that name the same things in another order."""

from dataclasses import replace

import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.agreement import in_data_order, in_model_order, places_of
from hrnet_keras.tasks.results import Classes, LabelMap, Points

SEG = ModelInfo("seg", num_classes=3, class_names=("sky", "left arm", "right arm"))
POSE = ModelInfo("pose", num_keypoints=2, point_names=("nose", "tail"))


def test_the_same_names_in_another_order():
    data = DatasetInfo("mine", class_names=("Right_Arm", "sky", "Left_Arm"), label_flip_pairs=((2, 0),))
    places = places_of(SEG, data)
    assert places == [2, 0, 1] and in_model_order(SEG, data).label_flip_pairs == ((1, 2),)
    found = in_data_order(LabelMap(np.array([[0, 1, 2, 255]], np.uint8), np.ones((1, 4))), places)
    np.testing.assert_array_equal(found.label_map, [[1, 2, 0, 255]])
    assert found.label_map.dtype == np.uint8 and found.scores.shape == (1, 4)


def test_points_in_another_order():
    points, scores = np.arange(8.0).reshape(2, 2, 2), np.arange(4.0).reshape(2, 2)
    found = in_data_order(
        Points(points, scores, np.zeros((2, 4))),
        places_of(POSE, DatasetInfo("mine", point_names=("tail", "nose"))),
    )
    np.testing.assert_array_equal(found.points, points[:, ::-1])
    np.testing.assert_array_equal(found.scores, scores[:, ::-1])


@pytest.mark.parametrize(
    ("info", "data"),
    [
        (SEG, DatasetInfo("same", class_names=("sky", "LEFT ARM", "right-arm"))),
        (replace(SEG, class_names=()), DatasetInfo("nameless", class_names=("a", "b", "c"))),
        (SEG, DatasetInfo("counted", class_names=("class 0", "class 1", "class 2"))),
        (replace(POSE, num_keypoints=6, codec="udp_combined"), DatasetInfo("three maps", point_names=("nose", "tail"))),
    ],
)
def test_what_stands_in_its_place_stays(info, data):
    assert places_of(info, data) is None and in_model_order(info, data) is data


@pytest.mark.parametrize(
    ("info", "names", "complaint"),
    [
        (SEG, ("sky", "left arm", "leg"), "^the model has sky, left arm, right arm; data set 'mine' has sky, left arm, "
         "leg; only the model has right arm; only data set 'mine' has leg: expected the same classes in both$"),
        (SEG, ("sky", "left arm"), "^the model has 3 classes, data set 'mine' has 2: the model has sky, left arm, "),
        (replace(SEG, class_names=()), ("sky", "left arm"), "^the model has 3 classes, data set 'mine' has 2$"),
    ],
)  # fmt: skip
def test_others_are_refused_with_both_lists(info, names, complaint):
    with pytest.raises(ValueError, match=complaint):
        places_of(info, DatasetInfo("mine", class_names=names))


def test_pictures_of_some_of_the_classes():
    model = ModelInfo("cls", num_classes=4, class_names=("ape", "bat", "cat", "dog"))
    places = places_of(model, DatasetInfo("some", class_names=("dog", "bat")))
    found = in_data_order(Classes(np.array([3, 2, 1, 0]), np.ones(4)), places).labels
    assert found[0] == 0 and found[2] == 1 and sorted(found) == [0, 1, 2, 3], "others lie beyond the set's classes"
    with pytest.raises(ValueError, match="only data set 'more' has eel"):
        places_of(model, DatasetInfo("more", class_names=("dog", "eel")))

"""Points and lines at the right pixels."""

from types import SimpleNamespace

import numpy as np
import pytest

from hrnet_keras.tasks.keypoints.drawing import draw

IMAGE = np.full((60, 80, 3), 90, np.uint8)
ANSWER = {
    "points": np.array([[[20.0, 10], [60, 10], [60, 50]]]), "scores": np.array([[0.9, 0.8, 0.1]]),
    "boxes": np.array([[15.0, 5, 70, 55]]),
}  # fmt: skip
LINES = SimpleNamespace(edges=[[0, 1], [1, 2]])


def changed(picture):
    return (picture != IMAGE).any(-1)


def test_points_and_lines_lie_where_they_should():
    drawn = draw(IMAGE, ANSWER, LINES)
    assert drawn.shape == IMAGE.shape and drawn.dtype == np.uint8 and (IMAGE == 90).all()
    for x, y in ((20, 10), (60, 10), (60, 50)):
        assert (drawn[y, x] == 255).all()
    rows, columns = np.nonzero(changed(drawn))
    near_across = (np.abs(rows - 10) <= 3) & (columns >= 17) & (columns <= 63)
    near_down = (np.abs(columns - 60) <= 3) & (rows >= 7) & (rows <= 53)
    assert (near_across | near_down).all()
    assert changed(drawn)[10, 20:61].all() and changed(drawn)[10:51, 60].all()


def test_without_lines_points_alone():
    drawn = changed(draw(IMAGE, ANSWER, SimpleNamespace()))
    assert drawn[10, 20] and drawn[10, 60] and not drawn[10, 30:50].any()


def test_uncertain_points_and_their_lines_are_left_out():
    drawn = changed(draw(IMAGE, ANSWER, LINES, threshold=0.5))
    assert drawn[10, 40] and drawn[10, 60] and not drawn[20:60].any()


def test_of_an_example_the_labelled_points_are_drawn():
    example = {"points": ANSWER["points"], "visible": np.array([[2, 0, 1]])}
    drawn = changed(draw(IMAGE, example, SimpleNamespace(edges=())))
    assert drawn[10, 20] and drawn[50, 60] and not drawn[5:15, 55:65].any()


@pytest.mark.parametrize("boxes", [False, True])
def test_boxes_are_drawn_when_asked_for(boxes):
    drawn = changed(draw(IMAGE, ANSWER, SimpleNamespace(), boxes=boxes))
    assert drawn[30, 15] == drawn[55, 30] == drawn[5, 40] == drawn[30, 70] == boxes


def test_nobody_and_points_outside_leave_the_picture_whole():
    nobody = {"points": np.zeros((0, 3, 2)), "scores": np.zeros((0, 3)), "boxes": np.zeros((0, 4))}
    np.testing.assert_array_equal(draw(IMAGE, nobody, LINES, boxes=True), IMAGE)
    outside = {"points": np.array([[[-50.0, -50], [200, 30], [40, 900]]]), "scores": np.ones((1, 3))}
    np.testing.assert_array_equal(draw(IMAGE, outside, SimpleNamespace()), IMAGE)


def test_pictures_without_any_certain_point_are_left_as_they_are():
    np.testing.assert_array_equal(draw(IMAGE, ANSWER, LINES, threshold=2.0), IMAGE)


def test_one_point_alone_shows():
    one = {"points": np.array([[[33.0, 22.0]]]), "scores": np.ones((1, 1))}
    rows, columns = np.nonzero(changed(draw(IMAGE, one, SimpleNamespace())))
    assert 33 in columns and 22 in rows and np.abs(columns - 33).max() <= 2 and np.abs(rows - 22).max() <= 2

"""Areas, overlaps, clipping and formats of boxes, by hand."""

import numpy as np

from hrnet_keras.tasks.detection.parts import boxes

BOXES = np.float32([[0, 0, 10, 10], [5, 5, 15, 15], [20, 20, 20, 30], [3, 3, 3, 3]])


def test_overlaps_by_hand():
    matrix = np.array(boxes.iou_matrix(BOXES, BOXES))
    assert matrix.shape == (4, 4)
    assert matrix[0, 1] == matrix[1, 0] == np.float32(25 / 175)
    assert (np.diag(matrix) == [1, 1, 0, 0]).all()  # without area there is no overlap, and no NaN


def test_one_more_pixel():
    matrix = np.array(boxes.iou_matrix(BOXES, BOXES, plus_one=True))
    assert (np.diag(matrix) == 1).all()
    assert matrix[0, 1] == np.float32(36 / (121 + 121 - 36))
    assert np.array(boxes.areas(BOXES, plus_one=True)).tolist() == [121, 121, 11, 1]


def test_covered_is_a_part_of_the_first():
    found = np.array(boxes.covered(BOXES, np.float32([[0, 0, 5, 10]])))
    assert found[:, 0].tolist() == [0.5, 0, 0, 0]


def test_clipping_knows_every_picture():
    given = np.float32([[[-5, -5, 50, 50]], [[-5, -5, 50, 50]]])
    sizes = np.array([[20, 30], [40, 45]])
    assert np.array(boxes.clip(given, sizes)).tolist() == [[[0, 0, 30, 20]], [[0, 0, 45, 40]]]
    assert np.array(boxes.clip(given, sizes, plus_one=True)).tolist() == [[[0, 0, 29, 19]], [[0, 0, 44, 39]]]
    assert np.array(boxes.clip(given[:, :, None], sizes)).shape == (2, 1, 1, 4)


def test_size_is_strict():
    assert np.array(boxes.larger_than(BOXES)).tolist() == [True, True, False, False]
    assert np.array(boxes.larger_than(BOXES, 10)).tolist() == [False] * 4
    assert np.array(boxes.larger_than(BOXES, plus_one=True)).all()


def test_formats_lead_back():
    for plus_one in (False, True):
        found = boxes.xyxy_to_xywh(BOXES, plus_one=plus_one)
        np.testing.assert_array_equal(boxes.xywh_to_xyxy(found, plus_one=plus_one), BOXES)
    assert np.array(boxes.xyxy_to_xywh(BOXES))[1].tolist() == [5, 5, 10, 10]

"""Levels by the side of squares, at the limits."""

import numpy as np

from hrnet_keras.tasks.detection.parts.levels import roi_levels


def level_of(width, height, **settings):
    return int(roi_levels(np.float32([3, 5, 3 + width, 5 + height]), **settings))


def test_limits_belong_to_the_upper_level():
    assert [level_of(side, side) for side in (0, 1, 111, 112, 223, 224, 447, 448, 5000)] == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert level_of(56, 224) == 1
    assert level_of(448, 448, num_levels=3) == 2


def test_one_more_pixel():
    assert level_of(111, 111, plus_one=True) == 1


def test_corners_the_wrong_way_round():
    assert level_of(-300, 200) == 0

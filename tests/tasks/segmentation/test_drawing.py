"""Label maps over pictures, legends and grids."""

import numpy as np

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks.segmentation import drawing

INFO = DatasetInfo("two", class_names=("road", "sky"), palette=((200, 0, 0), (0, 0, 200)))


def test_colours_lie_over_the_picture_and_unlabelled_pixels_stay():
    image = np.full((4, 6, 3), 100, np.uint8)
    labels = np.full((4, 6), 255, np.uint8)
    labels[0], labels[1] = 0, 1
    drawn = drawing.draw(image, {"label_map": labels}, INFO, legend=False)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn[0, 0], [155, 45, 45])  # 0.45 * 100 + 0.55 * colour
    np.testing.assert_array_equal(drawn[1, 0], [45, 45, 155])
    np.testing.assert_array_equal(drawn[2:], image[2:])


def test_the_legend_names_only_what_is_there():
    image, labels = np.zeros((8, 200, 3), np.uint8), np.zeros((8, 200), np.uint8)
    one = drawing.draw(image, {"label_map": labels}, INFO)
    labels[:, 100:] = 1
    two = drawing.draw(image, {"label_map": labels}, INFO)
    assert one.shape[0] == two.shape[0] > 8
    has_blue = [bool((drawn[8:] == INFO.palette[1]).all(-1).any()) for drawn in (one, two)]
    assert has_blue == [False, True]


def test_grid_takes_pictures_of_mixed_sizes():
    rows = [[np.zeros((4, 5, 3), np.uint8)] * 2, [np.zeros((6, 5, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)]]
    picture = drawing.grid(rows, titles=("a", "b"), gap=2)
    assert picture.shape[1] == 2 * (5 + 2) and picture.shape[0] > 4 + 6

"""Anchors of the sheet's table, of sizes that a graph learns late, and which of them count."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.detection.parts import anchors

# The base anchors of the detection fork, generate_base_anchors.
V1 = {
    4: [[-21, -9, 24, 12], [-14, -14, 17, 17], [-9, -21, 12, 24]],
    8: [[-41, -19, 48, 26], [-28, -28, 35, 35], [-19, -41, 26, 48]],
    16: [[-83, -37, 98, 52], [-56, -56, 71, 71], [-37, -83, 52, 98]],
    32: [[-165, -75, 196, 106], [-112, -112, 143, 143], [-75, -165, 106, 196]],
    64: [[-330, -149, 393, 212], [-224, -224, 287, 287], [-149, -330, 212, 393]],
}


@pytest.mark.parametrize("stride", V1)
def test_anchors_of_v1(stride):
    assert anchors.base_anchors(stride, v1=True).tolist() == V1[stride]


def test_sizes_may_be_symbolic():
    @tf.function(input_signature=[tf.TensorSpec((None, None))])
    def of_map(x):
        size = tuple(tf.unstack(tf.shape(x)))
        return anchors.grid_anchors(size, 8), anchors.cells_inside(size, 8, np.array([[24, 32]]))

    grid, inside = of_map(tf.zeros((5, 7)))
    np.testing.assert_array_equal(grid, anchors.grid_anchors((5, 7), 8))
    np.testing.assert_array_equal(inside, anchors.cells_inside((5, 7), 8, np.array([[24, 32]])))


def test_cells_of_the_batch_s_padding_are_outside():
    inside = np.array(anchors.cells_inside((5, 7), 8, np.array([[40, 56], [32, 32], [33, 25]])))
    inside = inside.reshape(3, 5, 7, 3)
    assert inside[0].all()
    assert inside[1].sum() == 3 * 4 * 4 and inside[1, :4, :4].all()
    assert inside[2].sum() == 3 * 5 * 4 and inside[2, :5, :4].all()


def test_the_border_is_strict_on_the_far_side():
    given = np.float32([[0, 0, 10, 10], [-1, 0, 5, 5], [5, 5, 20, 10], [5, 5, 19, 9]])
    sizes = np.array([[10, 20], [11, 21]])
    found = np.array(anchors.anchors_inside(given, sizes))
    assert found.tolist() == [[False, False, False, True], [True, False, True, True]]
    assert np.array(anchors.anchors_inside(given, sizes, border=1)).all()


def test_a_level_too_few():
    with pytest.raises(ValueError, match="2 sizes of maps for 5 strides"):
        anchors.pyramid_anchors([(4, 4), (2, 2)])

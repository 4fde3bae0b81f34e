"""The best values of rows and the rows that indices name."""

import numpy as np
import tensorflow as tf

from hrnet_keras.tasks.detection.parts import selecting


def test_ties_keep_their_order():
    rng = np.random.default_rng(0)
    values = np.round(rng.random((3, 500)), 1).astype("float32")
    found = selecting.best(values, 70)
    expected = np.argsort(-values, axis=1, kind="stable")[:, :70]
    np.testing.assert_array_equal(found.indices, expected)
    np.testing.assert_array_equal(found.values, np.take_along_axis(values, expected, axis=1))


def test_fewer_than_asked_for():
    assert selecting.best(np.zeros((2, 3), "float32"), 7).indices.shape == (2, 3)

    @tf.function(input_signature=[tf.TensorSpec((None, None))])
    def late(values):
        return selecting.best(values, 7)

    found = late(np.float32([[1, 3, 2]]))
    assert np.array(found.values).tolist() == [[3, 2, 1] + [-np.inf] * 4]
    assert np.array(found.indices).tolist() == [[1, 2, 0] + [2] * 4]


def test_rows_of_every_picture():
    values = np.arange(24, dtype="float32").reshape(2, 3, 4)
    indices = np.array([[2, 0], [1, 1]], "int32")
    np.testing.assert_array_equal(selecting.rows(values, indices), values[[[0], [1]], indices])
    masked = np.array(selecting.where_valid(np.array([[True, False, True]] * 2), values, -1.0))
    assert (masked[:, 1] == -1).all() and (masked[:, 0] == values[:, 0]).all()

"""Where to cut: corners of crops from given random numbers."""

import tensorflow as tf


def random_origin(scaled, crop, numbers):
    """The corner of a crop, every position equally likely.

    A picture smaller than the crop is thought padded at its right and bottom, so its corner is 0 there.

    Args:
        scaled: int32 `(2,)`, height and width of the picture.
        crop: `(height, width)`.
        numbers: float32 `(2,)` in [0, 1), for y and x.

    Returns:
        int32 `(2,)`, y and x.
    """
    return random_integer(0, tf.maximum(scaled - crop, 0), numbers)


def random_integer(low, high, number):
    """The integer in `low..high` (both included) that a number in [0, 1) points at, int32."""
    count = tf.cast(high - low + 1, tf.float32)
    return low + tf.minimum(tf.cast(number * count, tf.int32), high - low)

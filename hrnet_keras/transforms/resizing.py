"""Pillow's resizing inside a TensorFlow graph, to the last bit: what a SavedModel needs to answer as `predict` does."""

import PIL
import tensorflow as tf

# Before version 13 Pillow always resized across first and then down.
KNOWS_DOWN_FIRST = int(PIL.__version__.split(".")[0]) >= 13

_SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}  # half the width of the filter, in pixels of the coarser picture
_BITS = 22  # of a weight, behind the point: Pillow computes in whole numbers


def resize(picture, size, interpolation="bilinear", window=None):
    """Another size, by Pillow's filters, which average where they shrink.

    Args:
        picture: uint8 `(height, width, channels)`.
        size: whole numbers `(2,)`, height and width that the whole picture gets.
        interpolation: `"bilinear"` or `"bicubic"`.
        window: `(begin, extent)`, whole numbers `(2,)` each as (y, x): the part of the resized picture that is wanted;
            where it reaches beyond, the result is black. Default: all of it. Nothing else is computed.

    Returns:
        uint8 `(*extent, channels)`, the same as those pixels of `Image.resize` of the Pillow that is installed when
        the graph is traced.

    Source: the arithmetic of `Resample.c` of Pillow; the order of the two passes as measured on Pillow 12 and 13.
    """
    # On the CPU, where pictures are decoded: a GPU has no whole numbers to speak of.
    with tf.device("/CPU:0"):
        return _resize(picture, tf.cast(size, tf.int32), interpolation, window)


def _resize(picture, size, interpolation, window):
    begin, extent = (tf.zeros_like(size), size) if window is None else (tf.cast(part, tf.int32) for part in window)
    shape = tf.shape(picture)[:2]
    down, across = (_Axis(shape[i], size[i], begin[i], extent[i], interpolation) for i in (0, 1))

    # Either pass rounds to whole grey levels, so their order can be seen. What the second does not look at is left out.
    def across_first():
        rows = picture[down.low : down.high]
        return down.lines(across.columns(rows, 0), down.low)

    def down_first():
        columns = picture[:, across.low : across.high]
        return across.columns(down.lines(columns, 0), across.low)

    if not KNOWS_DOWN_FIRST:
        return across_first()
    less = shape - size
    return tf.cond((less[0] > 0) & (less[0] > 2 * less[1]), down_first, across_first)


def resize_nearest(maps, size):
    """Another size without new values, as Pillow's `NEAREST` does it.

    Args:
        maps: `(batch, height, width)` of any type.
        size: whole numbers `(2,)`, height and width.

    Returns:
        `(batch, *size)` of the same type.

    Source: `ImagingScaleAffine` in `Geometry.c` of Pillow, which adds up the steps from pixel to pixel.
    """
    shape, size = tf.shape(maps), tf.cast(size, tf.int32)
    for axis in (1, 2):
        step = tf.cast(shape[axis], tf.float64) / tf.cast(size[axis - 1], tf.float64)
        with tf.device("/CPU:0"):
            # A running sum, not a product: its rounding decides where a middle falls between two pixels.
            steps = tf.concat([step[None] * 0.5, tf.fill([size[axis - 1] - 1], step)], axis=0)
            places = tf.cast(tf.cumsum(steps), tf.int32)
        maps = tf.gather(maps, tf.minimum(places, shape[axis] - 1), axis=axis)
    return maps


class _Axis:
    """One axis of a resizing: which source pixels make up each wanted pixel, and by how much.

    Attributes:
        first: int32 `(extent,)`, the first source pixel of each.
        weights: int32 `(extent, taps)`, in units of 2 ** -22; all 0 for pixels beyond the picture.
        low, high: the source pixels that are looked at lie from `low` to before `high`.
    """

    def __init__(self, source, target, begin, extent, interpolation):
        places = begin + tf.range(extent)
        is_inside = (places >= 0) & (places < target)
        step = tf.cast(source, tf.float64) / tf.cast(target, tf.float64)
        coarse = tf.maximum(step, 1.0)
        support = _SUPPORT[interpolation] * coarse
        centers = (tf.cast(places, tf.float64) + 0.5) * step
        # Pillow's `precompute_coeffs`: the filter's ends are truncated after half a pixel is added.
        ends = tf.minimum(tf.cast(centers + support + 0.5, tf.int32), source)
        self.first = tf.maximum(tf.cast(centers - support + 0.5, tf.int32), 0)
        counts = tf.where(is_inside, ends - self.first, 1)
        taps = tf.range(tf.reduce_max(counts))
        offsets = tf.cast(self.first[:, None] + taps, tf.float64) - centers[:, None] + 0.5
        is_used = is_inside[:, None] & (taps < counts[:, None])
        weights = tf.where(is_used, _FILTERS[interpolation](offsets * (1.0 / coarse)), 0.0)
        # Weights become whole numbers, rounded half away from zero.
        weights = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=1, keepdims=True)) * 2**_BITS
        self.weights = tf.cast(weights + 0.5 * tf.sign(weights), tf.int32)  # truncates toward zero
        self.low = tf.reduce_min(tf.where(is_inside, self.first, source - 1))
        self.high = tf.maximum(tf.reduce_max(tf.where(is_inside, ends, 1)), self.low + 1)  # one where none is wanted

    def lines(self, picture, left_out):
        """The wanted rows, of a picture without its first `left_out` rows."""
        first = self.first - left_out
        last = tf.shape(picture)[0] - 1
        count = tf.shape(self.weights)[1]
        half = tf.fill([tf.shape(first)[0], tf.shape(picture)[1], tf.shape(picture)[2]], 1 << (_BITS - 1))

        def add(tap, total):
            taken = tf.gather(picture, tf.clip_by_value(first + tap, 0, last))
            return tap + 1, total + tf.cast(taken, tf.int32) * self.weights[:, tap][:, None, None]

        any_size = (tf.TensorShape([]), tf.TensorShape([None, None, None]))
        _, total = tf.while_loop(lambda tap, _: tap < count, add, (0, half), shape_invariants=any_size)
        return tf.cast(tf.clip_by_value(tf.bitwise.right_shift(total, _BITS), 0, 255), tf.uint8)

    def columns(self, picture, left_out):
        """The wanted columns, of a picture without its first `left_out` columns."""
        return tf.transpose(self.lines(tf.transpose(picture, (1, 0, 2)), left_out), (1, 0, 2))


def _triangle(x):
    return tf.maximum(1.0 - tf.abs(x), 0.0)


def _cubic(x, a=-0.5):
    x = tf.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, tf.zeros_like(x)))


_FILTERS = {"bilinear": _triangle, "bicubic": _cubic}

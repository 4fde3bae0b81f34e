"""RoIAlign over the cells that each region touches: gathered, then two batched matrix products.

Regions with windows of similar sizes share a chunk whose window fits its largest, so work and memory do not depend on
the largest region of all. Sizes depend on the boxes: not for XLA.
"""

import functools
from typing import Any, NamedTuple

import keras
from keras import ops

from hrnet_keras.tasks.detection.parts.roi_samples import Axis, RoiSampling, axis_weights, touched_cells

_CHUNK = 16  # regions in a chunk: 512 cells each on average, 8 MB of 256 channels, stay in a processor's cache
_SIMILAR = 7  # rows by which windows may differ and still count as alike when chunks are formed


class Regions(NamedTuple):
    """Boxes on maps that lie in one array of cells.

    Attributes:
        begin: where the map of each region begins in the array, int32 `(regions,)`.
        rows, columns: the regions along y and along x.
    """

    begin: Any
    rows: Axis
    columns: Axis


class _Windows(NamedTuple):
    """A chunk's cells, `(regions, rows, columns)` places in the array, and its weights `(regions, size, ...)`."""

    places: Any
    row_weights: Any
    column_weights: Any


def align_windows(cells: Any, regions: Regions, size: int, sampling: RoiSampling) -> Any:
    """RoIAlign of regions.

    Args:
        cells: all maps, flattened, `(cells, channels)`.
        regions: as many as wanted, at least one.
        size: bins along each axis.
        sampling: the convention.

    Returns:
        `(regions, size, size, channels)` in the type of `cells`.
    """
    if keras.backend.backend() == "tensorflow":
        return _function_of(cells.shape[-1], size, sampling)(cells, regions)
    return _align_chunks(cells, regions, size, sampling)


@functools.cache
def _function_of(channels, size, sampling):
    """One graph for all places of a net where regions are aligned alike (TensorFlow): cascades have ten of them."""
    import tensorflow as tf

    def align(cells, regions):
        cells = tf.ensure_shape(cells, (None, channels))
        return _align_chunks(cells, regions, size, sampling)

    return tf.function(align, autograph=False, reduce_retracing=True)


def _align_chunks(cells, regions, size, sampling):
    order = ops.argsort(_likeness(regions, size))
    count = ops.shape(order)[0]
    steps = -(-count // _CHUNK)
    places = ops.take(order, ops.minimum(ops.arange(steps * _CHUNK, dtype="int32"), count - 1), axis=0)
    chunks = keras.tree.map_structure(lambda x: ops.reshape(ops.take(x, places, axis=0), (steps, _CHUNK)), regions)

    def forward(cells):
        pooled = ops.map(lambda chunk: _align(cells, _windows(chunk, size, sampling)), chunks)
        pooled = ops.reshape(pooled, (-1, size, size, cells.shape[-1]))
        return ops.take(pooled, ops.argsort(order), axis=0)

    if keras.backend.backend() != "tensorflow":
        return forward(cells)
    # TensorFlow would add up a whole pyramid per chunk.
    import tensorflow as tf

    @tf.custom_gradient
    def with_gradient(cells):
        shape = tf.shape(cells)  # alone, so that the cells themselves need not be kept for the way back

        def gradient(upstream):
            counts = tf.cast(tf.range(steps * _CHUNK) < count, upstream.dtype)  # not what fills up the last chunk
            upstream = tf.gather(upstream, places) * counts[:, None, None, None]
            upstream = tf.reshape(upstream, (steps, _CHUNK, size, size, upstream.shape[-1]))

            def add(step, total):
                chunk = tf.nest.map_structure(lambda x: x[step], chunks)
                return step + 1, _add_back(total, upstream[step], _windows(chunk, size, sampling))

            total = tf.zeros(shape)
            return tf.cast(tf.while_loop(lambda step, _: step < steps, add, (0, total))[1], cells.dtype)

        return forward(cells), gradient

    return with_gradient(cells)


def _likeness(regions, size):
    """A number to sort by: rows first, and columns up and down in turns, so that neighbours are alike in both."""
    _, rows = touched_cells(regions.rows, size)
    _, columns = touched_cells(regions.columns, size)
    group = rows // _SIMILAR
    span = ops.max(columns) + 1
    return group * span + ops.where(group % 2 == 0, columns, span - columns)


def _windows(chunk, size, sampling):
    first_row, num_rows = touched_cells(chunk.rows, size)
    first_column, num_columns = touched_cells(chunk.columns, size)
    num_rows, num_columns = ops.max(num_rows), ops.max(num_columns)
    row_weights = axis_weights(chunk.rows, first_row, num_rows, size, sampling)
    column_weights = axis_weights(chunk.columns, first_column, num_columns, size, sampling)
    row = _cells_from(first_row, num_rows, chunk.rows.length)
    column = _cells_from(first_column, num_columns, chunk.columns.length)
    row_begin = chunk.begin[:, None] + row * chunk.columns.length[:, None]
    return _Windows(row_begin[:, :, None] + column[:, None, :], row_weights, column_weights)


def _cells_from(first, count, length):
    """Indices along an axis; those behind its end, whose weights are zero, are moved onto its last cell."""
    return ops.minimum(first[:, None] + ops.arange(count, dtype="int32"), length[:, None] - 1)


def _align(cells, windows):
    regions, size, rows = ops.shape(windows.row_weights)
    channels = cells.shape[-1]
    window = ops.cast(ops.take(cells, windows.places, axis=0), "float32")
    along_x = ops.matmul(windows.column_weights[:, None], window)
    along_x = ops.reshape(along_x, (regions, rows, size * channels))
    return ops.cast(ops.reshape(ops.matmul(windows.row_weights, along_x), (regions, size, size, channels)), cells.dtype)


def _add_back(total, upstream, windows):
    """Adds to every cell what the bins that it went into hand back (TensorFlow)."""
    import tensorflow as tf

    size, channels = upstream.shape[1], upstream.shape[3]
    rows = tf.shape(windows.row_weights)[2]
    upstream = tf.reshape(tf.cast(upstream, "float32"), (_CHUNK, size, size * channels))
    along_x = tf.matmul(windows.row_weights, upstream, transpose_a=True)
    along_x = tf.reshape(along_x, (_CHUNK, rows, size, channels))
    window = tf.matmul(windows.column_weights[:, None], along_x, transpose_a=True)
    places = tf.reshape(windows.places, (-1, 1))
    return tf.tensor_scatter_nd_add(total, places, tf.reshape(window, (-1, channels)))

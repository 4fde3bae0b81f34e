"""Rows of padded tensors: the best of them, and those that indices name, alike on every backend."""

from typing import Any, NamedTuple

import keras
from keras import ops


class Best(NamedTuple):
    """The best candidates of every picture, best first.

    Attributes:
        values: `(batch, k)`, what they were chosen by.
        indices: int32 `(batch, k)`, where they stand among the candidates.
    """

    values: Any
    indices: Any


def best(values: Any, k: int) -> Best:
    """The `k` largest values of every row, largest first; equal ones in the order they stand in.

    Args:
        values: float `(batch, n)`. On TensorFlow `n` may be unknown; then rows shorter than `k` are filled up with
            minus infinity.
        k: how many.

    Returns:
        `Best`, of `min(k, n)` columns where `n` is known, of `k` where it is not.
    """
    count = values.shape[1]
    if count is None:
        return _best_of_unknown(values, k)
    k = min(k, count)
    if keras.backend.backend() == "torch":  # its topk has no order among equal values
        indices = ops.argsort(ops.negative(values), axis=1)[:, :k]
        return Best(rows(values, indices), indices)
    largest, indices = ops.top_k(values, k)
    return Best(largest, ops.cast(indices, "int32"))


def rows(values: Any, indices: Any) -> Any:
    """Picks rows of every picture.

    Args:
        values: `(batch, n, ...)`.
        indices: whole numbers `(batch, k)` in 0..n-1.

    Returns:
        `(batch, k, ...)`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(values, indices, batch_dims=1)  # take_along_axis copies indices along the other axes
    for _ in range(len(values.shape) - 2):
        indices = indices[..., None]
    return ops.take_along_axis(values, indices, axis=1)


def where_valid(valid: Any, values: Any, otherwise: float = 0.0) -> Any:
    """`values` `(batch, n, ...)`, and `otherwise` in rows that `valid` `(batch, n)` calls padding."""
    for _ in range(len(values.shape) - 2):
        valid = valid[..., None]
    return ops.where(valid, values, ops.cast(otherwise, values.dtype))


def _best_of_unknown(values, k):
    filling = ops.full((ops.shape(values)[0], k), float("-inf"), dtype=values.dtype)
    largest, indices = ops.top_k(ops.concatenate([values, filling], axis=1), k)
    last = ops.shape(values)[1] - 1
    return Best(largest, ops.minimum(ops.cast(indices, "int32"), ops.cast(last, "int32")))

"""Sums over the whole batch, also where several replicas share it."""

from typing import Any

import keras
from keras import ops


def global_sum(values: Any) -> Any:
    """A scalar summed over all replicas of a strategy; no gradient passes. Elsewhere the scalar itself."""
    if num_replicas() == 1:
        return ops.stop_gradient(values)
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return ops.stop_gradient(context.all_reduce(tf.distribute.ReduceOp.SUM, values))


def per_example(parts: Any) -> Any:
    """Values whose mean over the global batch is the sum of `parts` `(batch,)` over it, as an `Objective` gives them.

    The reference's losses are sums over a batch, divided by what was counted in all of it.
    """
    return parts * ops.cast(ops.shape(parts)[0] * num_replicas(), "float32")


def num_replicas() -> int:
    """Replicas that share the step's batch: 1 off TensorFlow and outside of a strategy's replicas."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    if tf.distribute.in_cross_replica_context():
        return 1
    return tf.distribute.get_strategy().num_replicas_in_sync

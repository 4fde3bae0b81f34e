"""Batch normalisation with PyTorch's statistics, through the backend's fused operation where there is one."""

import keras
from keras import ops

from hrnet_keras.layers.dotted import DottedName


@keras.saving.register_keras_serializable("hrnet_keras")
class BatchNormalization(DottedName, keras.layers.BatchNormalization):
    """Batch normalisation over the last axis of `(batch, height, width, channels)`.

    Differs from Keras's own in two ways: the running variance takes the unbiased batch variance, as PyTorch's does
    (n / (n - 1)), and on TensorFlow one fused operation does the work. Under a strategy of several replicas the
    statistics are those of the whole batch.
    """

    def __init__(self, *, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None):
        learns = bool(training) and self.trainable
        if keras.backend.backend() == "tensorflow":
            if not learns:
                return self._fused(inputs, learns=False)[0]
            if _replicas() == 1:
                outputs, mean, variance = self._fused(inputs, learns=True)
                self._update(mean, variance)
                return outputs
        if not learns:
            return self._normalise(inputs, self.moving_mean, self.moving_variance)
        x = ops.cast(inputs, "float32")
        synchronized = keras.backend.backend() == "tensorflow"
        mean, variance = ops.moments(x, axes=(0, 1, 2), synchronized=synchronized)
        count = ops.cast(ops.prod(ops.shape(x)[:3]) * _replicas(), "float32")
        self._update(mean, variance * (count / ops.maximum(count - 1, 1)))
        return self._normalise(inputs, mean, variance)

    def _fused(self, inputs, *, learns):
        import tensorflow as tf

        found = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.cast(self.gamma, "float32"),
            offset=tf.cast(self.beta, "float32"),
            mean=[] if learns else tf.cast(self.moving_mean, "float32"),
            variance=[] if learns else tf.cast(self.moving_variance, "float32"),
            epsilon=self.epsilon,
            is_training=learns,
        )
        return found.y, found.batch_mean, found.batch_variance  # the latter unbiased

    def _normalise(self, inputs, mean, variance):
        scale = ops.cast(self.gamma, "float32") * ops.rsqrt(ops.cast(variance, "float32") + self.epsilon)
        offset = ops.cast(self.beta, "float32") - ops.cast(mean, "float32") * scale
        return ops.cast(ops.cast(inputs, "float32") * scale + offset, inputs.dtype)

    def _update(self, mean, variance):
        for running, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            running.assign(running * self.momentum + ops.cast(new, running.dtype) * (1 - self.momentum))


def _replicas():
    """How many replicas share the step's batch (always 1 off TensorFlow and outside a strategy)."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync

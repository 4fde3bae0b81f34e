"""Batch normalisation with PyTorch's statistics, fused where the backend can, and what stands in for it."""

import keras
from keras import ops

from hrnet_keras.layers.dotted import DottedName
from hrnet_keras.layers.rebuilding import rebuilt


@keras.saving.register_keras_serializable("hrnet_keras")
class BatchNormalization(DottedName, keras.layers.BatchNormalization):
    """Batch normalisation over the last axis of `(batch, height, width, channels)`.

    Differs from Keras's own in two ways: the running variance takes the unbiased batch variance, as PyTorch's does
    (n / (n - 1)), and on TensorFlow one fused operation does the work. Under a strategy of several replicas the
    statistics are those of the whole batch.

    Attributes:
        keeps_statistics: in training, too, the running statistics are used and left as they are, while scale and offset
            learn.
    """

    keeps_statistics = False

    def __init__(self, *, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None):
        learns = bool(training) and self.trainable and not self.keeps_statistics
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
        # PyTorch keeps the unbiased variance and normalises the batch by the biased one.
        self._update(mean, variance * (count / ops.maximum(count - 1, 1)))
        return self._normalise(inputs, mean, variance)

    def _fused(self, inputs, *, learns):
        import tensorflow as tf

        # The operation's running variance is PyTorch's: unbiased.
        fused = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.cast(self.gamma, "float32"),
            offset=tf.cast(self.beta, "float32"),
            mean=[] if learns else tf.cast(self.moving_mean, "float32"),
            variance=[] if learns else tf.cast(self.moving_variance, "float32"),
            epsilon=self.epsilon,
            is_training=learns,
        )
        return fused.y, fused.batch_mean, fused.batch_variance

    def _normalise(self, inputs, mean, variance):
        scale = ops.cast(self.gamma, "float32") * ops.rsqrt(ops.cast(variance, "float32") + self.epsilon)
        offset = ops.cast(self.beta, "float32") - ops.cast(mean, "float32") * scale
        return ops.cast(ops.cast(inputs, "float32") * scale + offset, inputs.dtype)

    def _update(self, mean, variance):
        for running, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            running.assign(running * self.momentum + ops.cast(new, running.dtype) * (1 - self.momentum))


@keras.saving.register_keras_serializable("hrnet_keras")
class GroupNormalization(DottedName, keras.layers.GroupNormalization):
    """Normalisation of every picture by itself, over groups of channels: for batches too small for batch statistics.

    The groups have about 16 channels, as near to that as the number of channels allows.

    Input and output: `(batch, height, width, channels)`.

    Source: Wu and He, arXiv:1803.08494 (16 channels per group: its table 3).
    """

    def __init__(self, *, groups=None, epsilon=1e-5, **kwargs):
        super().__init__(groups=groups or 1, epsilon=epsilon, **kwargs)
        self._chooses = groups is None

    def build(self, input_shape):
        channels = input_shape[-1]
        if self._chooses:
            sizes = [size for size in range(1, channels + 1) if channels % size == 0]
            self.groups = channels // min(sizes, key=lambda size: (abs(size - 16), -size))
        super().build(input_shape)


@keras.saving.register_keras_serializable("hrnet_keras")
class GroupNorm(DottedName, keras.layers.Layer):
    """The group normalisation that belongs to published nets; `GroupNormalization` stands in for batch norms.

    Args:
        groups: of channels; every picture's are normalised by themselves.
        epsilon: added to the variance.

    Input and output: `(batch, height, width, channels)`.

    Source: `torch.nn.GroupNorm`; Wu and He, arXiv:1803.08494.
    """

    def __init__(self, *, groups=32, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups
        self.epsilon = epsilon

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    def call(self, inputs):
        # Of every channel first, which copies nothing; a group's are made of its channels'.
        means, variances = ops.moments(ops.cast(inputs, "float32"), axes=(1, 2))
        of_channels = (-1, self.groups, inputs.shape[-1] // self.groups)
        means = ops.reshape(means, of_channels)
        variances = ops.reshape(variances, of_channels)
        mean = ops.mean(means, axis=-1, keepdims=True)
        variance = ops.mean(variances + ops.square(means - mean), axis=-1, keepdims=True)
        scale = ops.rsqrt(variance + self.epsilon) * ops.reshape(ops.cast(self.gamma, "float32"), of_channels)
        offset = ops.reshape(ops.cast(self.beta, "float32"), of_channels) - mean * scale
        of_pictures = (-1, 1, 1, inputs.shape[-1])
        scale = ops.cast(ops.reshape(scale, of_pictures), inputs.dtype)
        return inputs * scale + ops.cast(ops.reshape(offset, of_pictures), inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, "epsilon": self.epsilon}


def convert_to_group_norm(model: keras.Model) -> keras.Model:
    """The model with a `GroupNormalization` in the place of every batch norm, all other weights kept.

    Scales and offsets are taken over; running statistics have no use here. Weights that were trained with batch
    statistics have to learn again what the change undoes.

    Args:
        model: a functional model of this package.

    Returns:
        A functional `keras.Model` of the same layer names, inputs and outputs.
    """

    def renew(layer):
        if isinstance(layer, keras.layers.BatchNormalization):
            return GroupNormalization(name=layer.name, dtype=layer.dtype_policy)
        return layer.__class__.from_config(layer.get_config())

    def weights_of(layer):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        return layer.get_weights()[: 2 if is_norm else None]

    return rebuilt(model, renew, weights_of)


def _replicas():
    """How many replicas share the step's batch (always 1 off TensorFlow and outside a strategy)."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    if tf.distribute.in_cross_replica_context():  # one call for all of them
        return 1
    return tf.distribute.get_strategy().num_replicas_in_sync

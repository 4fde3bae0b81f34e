"""A number that all of a map is multiplied by, and that is learnt."""

import keras
from keras import ops

from hrnet_keras.layers.dotted import DottedName


@keras.saving.register_keras_serializable("hrnet_keras")
class Scale(DottedName, keras.layers.Layer):
    """Multiplies its input by one learnt number, 1 at the start.

    Source: `Scale` of mmcv; arXiv:1904.01355, section 3.2.
    """

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, inputs):
        return inputs * ops.cast(self.scale, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

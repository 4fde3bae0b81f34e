"""Object-contextual representations (arXiv:1909.11065) on HRNetV2, as in the OCR branch of the official repository."""

import keras
from keras import ops
from keras.initializers import RandomNormal
from keras.layers import Concatenate, SpatialDropout2D

from hrnet_keras.backbone import conv_bn_relu
from hrnet_keras.layers import Conv2D
from hrnet_keras.representations import concatenate, v2

MIDDLE, KEY = 512, 256
CONTEXT = "ocr_distri_head.object_context_block"


@keras.saving.register_keras_serializable("hrnet_keras")
class GatherObjects(keras.layers.Layer):
    """One vector per class: the features, averaged with the class's softmax over all positions as weights.

    Input: `features` `(batch, height, width, channels)`, `logits` `(batch, height, width, classes)`.
    Output: `(batch, classes, 1, channels)`, a column of class vectors.
    """

    def call(self, features, logits):
        batch = ops.shape(features)[0]
        flat = ops.reshape(logits, (batch, -1, logits.shape[-1]))
        # Over positions, not over classes: every class gathers from where it is most certain.
        weights = ops.softmax(flat, axis=1)
        values = ops.reshape(features, (batch, -1, features.shape[-1]))
        return ops.expand_dims(ops.einsum("bpk,bpc->bkc", weights, values), 2)

    def compute_output_shape(self, features_shape, logits_shape):
        return (features_shape[0], logits_shape[-1], 1, features_shape[-1])


@keras.saving.register_keras_serializable("hrnet_keras")
class AttendObjects(keras.layers.Layer):
    """Gives every position the class vectors' values, weighted by its likeness to their keys.

    Input: `query` `(batch, height, width, channels)`, `key` and `value` `(batch, classes, 1, channels)`.
    Output: `(batch, height, width, channels)`.
    """

    def call(self, query, key, value):
        keys = ops.squeeze(key, 2)
        values = ops.squeeze(value, 2)
        likeness = ops.einsum("bhwc,bkc->bhwk", query, keys) * (query.shape[-1] ** -0.5)
        return ops.einsum("bhwk,bkc->bhwc", ops.softmax(likeness, axis=-1), values)

    def compute_output_shape(self, query_shape, key_shape, value_shape):
        return (*query_shape[:3], value_shape[-1])


def build(maps, spec):
    """Builds the OCR head.

    Args:
        maps: the trunk's four maps.
        spec: a `HeadSpec`, with the `Conventions` of the OCR branch; `reference_form` also builds the auxiliary
            head over the concatenation, as the reference does.

    Returns:
        Logits `(batch, height / 4, width / 4, count)`. The auxiliary logits of the same shape are the output
        of the layer `aux_head.3`.
    """
    conventions = spec.conventions
    num_classes = spec.count
    concatenated = concatenate(maps, conventions)  # a 3x3 convolution needs it whole
    mixed = v2(maps, conventions, name="aux_head", concatenated=concatenated if spec.reference_form else None)
    auxiliary = Conv2D(num_classes, 1, kernel_initializer=RandomNormal(stddev=0.001), name="aux_head.3")(mixed)
    biases = conventions.mixing_bias
    features = conv_bn_relu(concatenated, MIDDLE, 3, 1, "conv3x3_ocr.0", "conv3x3_ocr.1", conventions, use_bias=biases)
    objects = GatherObjects(name="ocr_gather_head")(features, auxiliary)
    query = _project(_project(features, KEY, "f_pixel.0", "f_pixel.1.0", conventions),
                     KEY, "f_pixel.2", "f_pixel.3.0", conventions)  # fmt: skip
    key = _project(_project(objects, KEY, "f_object.0", "f_object.1.0", conventions),
                   KEY, "f_object.2", "f_object.3.0", conventions)  # fmt: skip
    value = _project(objects, KEY, "f_down.0", "f_down.1.0", conventions)
    context = AttendObjects(name=f"{CONTEXT}.attention")(query, key, value)
    context = _project(context, MIDDLE, "f_up.0", "f_up.1.0", conventions)
    x = Concatenate(name="ocr_distri_head.concatenated")([context, features])
    name = "ocr_distri_head.conv_bn_dropout"
    x = conv_bn_relu(x, MIDDLE, 1, 1, f"{name}.0", f"{name}.1.0", conventions)
    # Whole channels, as `Dropout2d` of PyTorch drops them.
    x = SpatialDropout2D(0.05, name=f"{name}.2")(x)
    return Conv2D(num_classes, 1, kernel_initializer=RandomNormal(stddev=0.001), name="cls_head")(x)


def _project(x, filters, conv_name, bn_name, conventions):
    return conv_bn_relu(x, filters, 1, 1, f"{CONTEXT}.{conv_name}", f"{CONTEXT}.{bn_name}", conventions)

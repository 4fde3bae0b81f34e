"""Picture files and boxes of persons -> joints, in one TensorFlow graph: the signatures of a SavedModel."""

import tensorflow as tf

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.keypoints import affine, serving
from hrnet_keras.tasks.keypoints.spec import KeypointSpec
from hrnet_keras.tasks.pose.decoding import decode
from hrnet_keras.tasks.pose.inference import DEFAULTS
from hrnet_keras.tasks.processing import Signature


def signatures(model, info: ModelInfo) -> list[Signature]:
    """The signatures of an exported pose model, see `keypoints.serving`; `boxes` are those of the persons."""
    spec = KeypointSpec.of(info, model.input_shape[1:3], DEFAULTS)

    @tf.function  # written once for all that call it
    def crop(picture, boxes):
        boxes = tf.cast(boxes, tf.float64)
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        sides = affine.PADDING * (boxes[:, 2:] - boxes[:, :2])
        return serving.affine_crops(picture, centers, sides, spec)

    steps = serving.GraphSteps(spec, crop, serving.affine_decoder(decode, spec))
    return serving.signatures(model, steps)

"""Picture files -> their most probable classes, in one TensorFlow graph: the signatures of a SavedModel."""

import tensorflow as tf

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.classification.center_crop import CropParams, center_crop_in_graph
from hrnet_keras.tasks.classification.decoding import decode
from hrnet_keras.tasks.processing import Signature
from hrnet_keras.transforms import orientation
from hrnet_keras.transforms.decode import decode_or_black


def signatures(model, info: ModelInfo) -> list[Signature]:
    """The signatures of an exported classifier.

    | name | takes | answers |
    |---|---|---|
    | `serving_default` | `image_bytes` `(batch,)`: JPEG or PNG files of any sizes | `labels` |
    | `scores` | `image_bytes` | `labels`, `scores` |
    | `images` | `images` uint8 `(batch, height, width, 3)` of any size | `labels`, `scores` |

    `labels` int32 `(batch, 5)` are class ids, best first (fewer where there are fewer classes), `scores` float32 their
    probabilities. Bytes that are no picture are answered by labels of -1 and scores of 0. Photographs that are stored
    turned are looked at upright, as by `predict`; `images` are taken as they are.

    Args:
        model: the folded model.
        info: of the model.
    """
    params = CropParams.of(info, model.input_shape[1:3])
    crop = tf.TensorSpec((*params.size, 3), tf.uint8)

    def classify(crops):
        return decode(model(tf.cast(crops, tf.float32), training=False), scores=True)

    def of_images(images):
        return classify(tf.map_fn(lambda image: center_crop_in_graph(image, params), images, fn_output_signature=crop))

    def read(contents):
        picture, is_read = decode_or_black(contents)
        turn, _ = orientation.orientation_and_size(contents)
        return center_crop_in_graph(orientation.turned(picture, turn), params), is_read

    def of_files(image_bytes):
        crops, are_read = tf.map_fn(read, image_bytes, fn_output_signature=(crop, tf.TensorSpec((), tf.bool)))
        classes = classify(crops)
        are_read = are_read[:, None]
        labels = tf.where(are_read, classes["labels"], -1)
        return {"labels": labels, "scores": tf.where(are_read, classes["scores"], 0.0)}

    files = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    pixels = [tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")]
    return [
        Signature("serving_default", lambda image_bytes: {"labels": of_files(image_bytes)["labels"]}, files),
        Signature("scores", of_files, files),
        Signature("images", of_images, pixels),
    ]

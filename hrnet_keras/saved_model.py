"""Opening what `hrnet_keras.export` wrote: its info, and its signatures asked picture by picture."""

import json
import os

import numpy as np

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks import task_named

INFO_FILE = os.path.join("assets.extra", "hrnet_keras.json")  # TensorFlow Serving leaves assets.extra alone


def saved_info(path):
    """The info of an exported model, without loading it.

    Args:
        path: folder of a SavedModel, or of its versions.

    Raises:
        ValueError: no SavedModel there, or one of another make.
    """
    file = os.path.join(_version_folder(path), INFO_FILE)
    if not os.path.isfile(file):
        raise ValueError(f"model {path}: a SavedModel, but not of this package ({INFO_FILE} is missing)")
    with open(file, encoding="utf-8") as opened:
        said = json.load(opened)
    if "task" not in said:
        raise ValueError(f"model {path}: a SavedModel of feature maps: expected one of a task")
    return ModelInfo.from_dict(said)


def open_saved_model(path, *, scores=False, info=None):
    """Loads an exported model.

    Args:
        path: folder of a SavedModel, or of its versions, whose highest is taken.
        scores: also answers the probability of the class.
        info: of the data set that is scored.

    Returns:
        A function from a picture (uint8 RGB) to an answer, as the task's `inference.answerer` gives it, and the
        model's info.

    Raises:
        ValueError: no SavedModel there, or one that this package can't ask.
    """
    import tensorflow as tf

    known = saved_info(path)
    ask = Signatures(tf.saved_model.load(_version_folder(path)))
    served = task_named(known.task).module("inference").served
    if "picture" in ask.names:
        return served(ask.with_boxes, known, info), known
    return served(ask, known, scores=scores), known


class Signatures:
    """The signatures of a loaded SavedModel, asked about one picture at a time, in NumPy arrays.

    Attributes:
        names: of the signatures.
    """

    def __init__(self, loaded):
        self._loaded = loaded  # owns the variables: whoever asks keeps it alive
        self.names = frozenset(loaded.signatures)

    def answers(self, name):
        """The names of what a signature answers, as a set."""
        return set(self._loaded.signatures[name].structured_outputs)

    def picture_size(self, name):
        """(height, width) of the pixels that a signature takes, `None` where it takes any."""
        (pixels,) = self._loaded.signatures[name].structured_input_signature[1].values()
        return tuple(pixels.shape[1:3])

    def __call__(self, name, **picture):
        """The answer to a batch of one: `ask("images", images=picture)`, arrays without the batch's axis."""
        import tensorflow as tf

        batch = {word: tf.convert_to_tensor(value)[None] for word, value in picture.items()}
        found = self._loaded.signatures[name](**batch)
        return {word: np.asarray(value[0]) for word, value in found.items()}

    def about_file(self, name, picture):
        """The answer to a picture (uint8 RGB) handed over as the bytes of a file."""
        return self(name, image_bytes=_png(picture))

    def with_boxes(self, picture, boxes):
        """The answer to all boxes `(n, 4)` in a picture, each looked at once."""
        import tensorflow as tf

        name = "once" if "once" in self.names else "picture"
        boxes = tf.convert_to_tensor(boxes, tf.float32)
        found = self._loaded.signatures[name](image_bytes=_png(picture), boxes=boxes)
        return {word: np.asarray(value, np.float64) for word, value in found.items()}


def _png(picture):
    import tensorflow as tf

    return tf.io.encode_png(picture, compression=0)  # it is decoded at once


def _version_folder(path):
    """The folder that holds `saved_model.pb`: `path` itself or its highest version."""
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        return path
    versions = [int(name) for name in os.listdir(path) if name.isdigit()]
    if not versions:
        raise ValueError(f"model {path}: expected a SavedModel, or a folder of versions 1, 2, ...")
    return _version_folder(os.path.join(path, str(max(versions))))

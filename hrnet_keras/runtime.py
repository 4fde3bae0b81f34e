"""What runs a net: a batch of pictures -> its raw outputs as NumPy arrays. One class per engine, all with one call."""

import json
import os
import weakref

import keras
import numpy as np

from hrnet_keras.layers import ModelInfoLayer, Resize
from hrnet_keras.layers.model_info import ModelInfo, info_of

INFO_FILE = os.path.join("assets.extra", "hrnet_keras.json")  # TensorFlow Serving leaves assets.extra alone
# model -> the same without its last resizing: traced once, not at every question.
_WITHOUT_LAST_RESIZE: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class KerasRuntime:
    """Runs a `keras.Model`.

    Logits that the model would resize to its input's size come at the head's own stride: in the size of a photograph
    they would take most of the memory, and whoever decodes them resizes strip by strip.

    Under a `tf.distribute` strategy of several replicas the rows of a batch are split among them.

    Args:
        model: a model of a task of this package.

    Attributes:
        info, input_size: see `tasks.processing.Runtime`.

    Raises:
        ValueError: a model of no task.
    """

    def __init__(self, model: keras.Model):
        self.info = info_of(model)
        self.input_size = tuple(model.input_shape[1:3])
        self.net = _without_last_resize(model)
        self.names = [tensor._keras_history.operation.name for tensor in self.net.outputs]

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        batch = np.asarray(batch, np.float32)
        outputs = _split_over_replicas(self.net, batch) if _num_replicas() > 1 else self.net.predict_on_batch(batch)
        if isinstance(outputs, dict):
            return {name: np.asarray(output) for name, output in outputs.items()}
        if not isinstance(outputs, (list, tuple)):
            outputs = [outputs]
        return dict(zip(self.names, map(np.asarray, outputs), strict=True))


class SavedModelRuntime:
    """Runs the `raw` signature of what `hrnet_keras.export` wrote, in this or an earlier version.

    Args:
        path: folder of a SavedModel, or of its versions, whose highest is taken.

    Attributes:
        info, input_size: see `tasks.processing.Runtime`.

    Raises:
        ValueError: no SavedModel there, or one of another make.
    """

    def __init__(self, path: str):
        import tensorflow as tf

        self.info = saved_info(path)
        self._loaded = tf.saved_model.load(_version_folder(path))  # owns the variables
        self._raw = self._loaded.signatures["raw"]
        ((self._input, spec),) = self._raw.structured_input_signature[1].items()
        self.input_size = tuple(spec.shape[1:3])

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        import tensorflow as tf

        outputs = self._raw(**{self._input: tf.convert_to_tensor(batch, tf.float32)})
        return {name: output.numpy() for name, output in outputs.items()}


def saved_info(path: str) -> ModelInfo:
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


def _version_folder(path: str) -> str:
    """The folder that holds `saved_model.pb`: `path` itself or its highest version."""
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        return path
    # TensorFlow Serving's layout: a folder per version, named by its number.
    versions = [int(name) for name in os.listdir(path) if name.isdigit()]
    if not versions:
        raise ValueError(f"model {path}: expected a SavedModel, or a folder of versions 1, 2, ...")
    return _version_folder(os.path.join(path, str(max(versions))))


def _without_last_resize(model: keras.Model) -> keras.Model:
    """The part of a model that ends before its logits are resized to the input's size."""
    last = next((layer for layer in reversed(model.layers) if not isinstance(layer, ModelInfoLayer)), None)
    if not isinstance(last, Resize) or last.name != "logits_at_input_size":
        return model
    if model not in _WITHOUT_LAST_RESIZE:
        _WITHOUT_LAST_RESIZE[model] = keras.Model(model.inputs, last.input[0])
    return _WITHOUT_LAST_RESIZE[model]


def _num_replicas() -> int:
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def _split_over_replicas(net: keras.Model, batch: np.ndarray):
    """The outputs for a batch, of which every replica of the strategy in force runs a part."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    count = strategy.num_replicas_in_sync
    # All parts have one size, and the last rows may come twice: they are cut off again.
    places = np.minimum(np.arange(-(-len(batch) // count) * count), len(batch) - 1)
    parts = np.split(batch[places], count)
    of_replicas = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
    net.make_predict_function()
    # Runs every replica on its part and joins what they answer.
    outputs = net.predict_function([(of_replicas,)])
    return keras.tree.map_structure(lambda output: np.asarray(output)[: len(batch)], outputs)

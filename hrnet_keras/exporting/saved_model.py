"""A SavedModel that TensorFlow Serving loads: pictures in, results out."""

import json
import os

import keras

from hrnet_keras.exporting.deployable import Deployable
from hrnet_keras.runtime import INFO_FILE
from hrnet_keras.tasks.processing import Signature


def write(deployable: Deployable, folder: str) -> None:
    """Writes the net, its signatures and its info.

    Args:
        deployable: what is to be written.
        folder: exists and is empty.

    Raises:
        ValueError: a backend other than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"a SavedModel needs the TensorFlow backend, this is {keras.backend.backend()!r}")
    import tensorflow as tf

    net = deployable.net
    stored = _stored(net.variables, halved=deployable.halved)
    forward = _forward(net, stored, halved=deployable.halved)
    picture = tf.TensorSpec(net.inputs[0].shape, tf.float32, name="image")

    def raw(image):
        outputs = forward(image)
        if isinstance(outputs, dict):
            return outputs
        if not isinstance(outputs, (list, tuple)):
            outputs = [outputs]
        return dict(zip(deployable.output_names, outputs, strict=True))

    all_signatures = [Signature("raw", raw, [picture]), *deployable.signatures(_TracedOnce(net, forward, picture))]
    functions = {one.name: tf.function(one.function, input_signature=one.inputs) for one in all_signatures}
    functions.setdefault("serving_default", functions["raw"])
    # Keras's ExportArchive would do, but writes every variable twice (3.15).
    module = tf.Module()
    module.variables_of_model = stored
    tf.saved_model.save(module, folder, signatures=functions)
    _write_info(deployable, os.path.join(folder, INFO_FILE))


def _stored(variables, *, halved):
    """TensorFlow's variables that the file holds: a net's own, or halves of those that are floats.

    Raises:
        ValueError: a weight that a 16-bit float can't hold.
    """
    import tensorflow as tf

    if not halved:
        return [variable.value for variable in variables]
    return [tf.Variable(_halved(variable), trainable=False) for variable in variables]


def _halved(variable):
    """The value of a variable, as 16-bit floats where it is a float."""
    import tensorflow as tf

    value = tf.convert_to_tensor(variable.value)
    if not value.dtype.is_floating:
        return value
    largest, limit = float(tf.reduce_max(tf.abs(value))), float(tf.float16.max)
    if largest > limit:
        raise ValueError(
            f"compact: {variable.path} has a weight of {largest:g}, 16-bit floats hold up to {limit:g}: "
            "export without compact"
        )
    return tf.cast(value, "float16")


def _forward(net, stored, *, halved):
    """Function of a picture: the net, with its own weights or with stored halves of them."""
    import tensorflow as tf

    if not halved:
        return lambda image: net(image, training=False)
    places = {id(variable): i for i, variable in enumerate(net.variables)}

    def values_of(variables):
        return [tf.cast(stored[places[id(variable)]], variable.dtype) for variable in variables]

    def forward(image):
        weights = (values_of(net.trainable_variables), values_of(net.non_trainable_variables))
        return net.stateless_call(*weights, image, training=False)[0]

    return forward


class _TracedOnce:
    """A model whose graph is written once for all the signatures that call it: half of the file and of the time."""

    def __init__(self, model, forward, picture):
        import tensorflow as tf

        self.input_shape = model.input_shape
        self.output_shape = keras.tree.map_structure(lambda output: output.shape, model.output)
        self._forward = tf.function(forward, input_signature=[picture])

    def __call__(self, image, training=False):
        return self._forward(image)


def _write_info(deployable: Deployable, path: str) -> None:
    said = {"name": deployable.name}
    if deployable.info is not None:
        said |= deployable.info.to_dict()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(said, file, indent=1)

"""A model -> a SavedModel that TensorFlow Serving loads: pictures in, answers out, batch norms folded."""

import json
import os
import shutil
import tempfile

import keras

from hrnet_keras.folding import fold_batch_norm
from hrnet_keras.layers.model_info import find_info
from hrnet_keras.saved_model import INFO_FILE
from hrnet_keras.tasks import task_named


def export(model, directory, *, version=None, format="saved_model"):
    """Writes a SavedModel into `directory/<version>/`: it does with a picture what `predict` does.

    Signatures of a segmentation model (every model has `raw`):

    | name | takes | answers |
    |---|---|---|
    | `serving_default` | `image_bytes`: `(batch,)` JPEG or PNG files | `label_map` `(batch, height, width)`, `sizes` |
    | `images` | `images`: uint8 RGB `(batch, height, width, 3)` | `label_map` |
    | `scores` | `image_bytes` | `label_map`, `sizes` and `scores`, float32: the probability of the class |
    | `raw` | `image`: float32 as the model takes it | the model's own outputs |

    Pictures of a batch may differ in size (`sizes` says which part of the padded answer is whose), and bytes that are
    no picture get an empty answer and disturb no other: see `tasks.segmentation.serving`. A classifier answers `labels`
    and `scores` (`tasks.classification.pipeline.endpoints`), a landmark or pose model takes `boxes` beside
    `image_bytes` and answers `points` and `scores` (`tasks.keypoints.serving`).

    Args:
        model: a `keras.Model` of this package, of any precision (the export computes in float32); or what `predict`
            takes: path of a `.keras` file or of a checkpoint of PyTorch, or a published name.
        directory: of the model in the model base, such as `saved_models/street`.
        version: positive number; default: one above the highest there.
        format: `"saved_model"`.

    Returns:
        Path of the version's folder.

    Raises:
        ValueError: unknown format, a version that exists, a model that is none or a SavedModel already, or a backend
            other than TensorFlow.
        OSError: the folder can't be written; nothing half-written stays behind.
    """
    if format != "saved_model":
        raise ValueError(f"format={format!r}: expected 'saved_model'")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"a SavedModel needs the TensorFlow backend, this is {keras.backend.backend()!r}")
    if isinstance(model, (str, os.PathLike)):
        model = _opened(os.fspath(model))
    directory = os.fspath(directory)
    target = os.path.join(directory, str(_version(directory, version)))
    try:
        os.makedirs(directory, exist_ok=True)
        scratch = tempfile.mkdtemp(dir=directory, prefix=".unfinished-")
    except OSError as error:
        raise OSError(f"can't export to {directory}: {error.strerror or error}") from error
    try:
        _write(model, scratch)
        os.chmod(scratch, 0o755)
        os.rename(scratch, target)
    except Exception as error:
        reason = _write_problem(error)
        if reason is None:
            raise
        raise OSError(f"can't export to {directory}: {reason}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _opened(path):
    if os.path.isdir(path):
        raise ValueError(f"model {path}: is a folder, as of a SavedModel: expected the .keras file that it was made of")
    from hrnet_keras.loading import load  # here, as a finished model is exported without it

    return load(path)


def _version(directory, version):
    there = [int(name) for name in os.listdir(directory) if name.isdigit()] if os.path.isdir(directory) else []
    if version is None:
        return max(there, default=0) + 1
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"version={version!r}: expected a positive whole number")
    if version in there:
        raise ValueError(f"version={version} exists in {directory}: expected a new one, none is overwritten")
    return version


def _write(model, folder):
    import tensorflow as tf

    folded = fold_batch_norm(model)
    info = find_info(model)  # feature maps have no task: their SavedModel answers them raw
    raw = tf.TensorSpec(folded.inputs[0].shape, tf.float32, name="image")
    endpoints = [("raw", lambda image: _named(folded, folded(image, training=False)), [raw])]
    if info is not None:
        endpoints += task_named(info.task).module("pipeline").endpoints(_TracedOnce(folded, raw), info)
    signatures = {name: tf.function(function, input_signature=takes) for name, function, takes in endpoints}
    signatures.setdefault("serving_default", signatures["raw"])
    # Keras's ExportArchive would do, but writes every variable twice (3.15).
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in folded.variables]
    tf.saved_model.save(module, folder, signatures=signatures)
    os.makedirs(os.path.join(folder, os.path.dirname(INFO_FILE)), exist_ok=True)
    with open(os.path.join(folder, INFO_FILE), "w", encoding="utf-8") as file:
        json.dump({"name": model.name, **({} if info is None else info.to_dict())}, file, indent=1)


class _TracedOnce:
    """A model whose graph is written once for all the signatures that call it: half of the file and of the time."""

    def __init__(self, model, taken):
        import tensorflow as tf

        self.input_shape, self.output_shape, self.layers = model.input_shape, model.output_shape, model.layers
        self._forward = tf.function(lambda image: model(image, training=False), input_signature=[taken])

    def __call__(self, image, training=False):
        return self._forward(image)


def _named(model, outputs):
    """Raw outputs under the names of the layers that made them."""
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    names = [tensor._keras_history.operation.name.replace(".", "_") for tensor in model.outputs]
    return dict(zip(names, outputs, strict=True))


def _write_problem(error):
    """The reason in words if an error came from the file system, else None."""
    import tensorflow as tf

    if isinstance(error, OSError):
        return error.strerror or str(error)
    kinds = (tf.errors.ResourceExhaustedError, tf.errors.PermissionDeniedError, tf.errors.FailedPreconditionError)
    return str(error.message).splitlines()[0] if isinstance(error, kinds) else None

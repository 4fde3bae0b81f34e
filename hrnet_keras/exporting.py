"""A model -> a SavedModel that TensorFlow Serving loads: pictures in, answers out, batch norms folded."""

import contextlib
import json
import os
import shutil
import tempfile

import keras

from hrnet_keras.builders import facts_of
from hrnet_keras.folding import fold_batch_norm
from hrnet_keras.tasks import has_part, part

FACTS_FILE = os.path.join("assets.extra", "hrnet_keras.json")  # TensorFlow Serving leaves assets.extra alone


def export(model, directory, *, version=None, format="saved_model"):
    """Writes a SavedModel into `directory/<version>/`.

    Signatures of a segmentation model (every model has `raw`):

    | name | takes | answers |
    |---|---|---|
    | `serving_default` | `image_bytes`: `(batch,)` JPEG or PNG files | `label_map` `(batch, height, width)` |
    | `images` | `images`: uint8 RGB `(batch, height, width, 3)` | `label_map` |
    | `scores` | `image_bytes` | `label_map` and `scores`, float32: the probability of the class |
    | `raw` | `image`: float32 as the model takes it | the model's own outputs |

    A landmark or pose model takes `boxes` beside `image_bytes` and answers `points` and `scores`
    (`tasks.keypoints.serving`).

    Args:
        model: a `keras.Model` of this package, of any precision; the export computes in float32.
        directory: of the model in the model base, such as `saved_models/street`.
        version: positive number; default: one above the highest there.
        format: `"saved_model"`.

    Returns:
        Path of the version's folder.

    Raises:
        ValueError: unknown format, a version that exists, or a backend other than TensorFlow.
        OSError: the folder can't be written; nothing half-written stays behind.
    """
    if format != "saved_model":
        raise ValueError(f"format={format!r}: expected 'saved_model'")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"a SavedModel needs the TensorFlow backend, this is {keras.backend.backend()!r}")
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
    facts = {}
    with contextlib.suppress(ValueError):  # feature maps have no task: their SavedModel answers them raw
        facts = facts_of(model)
    raw = tf.TensorSpec(folded.inputs[0].shape, tf.float32, name="image")
    endpoints = [("raw", lambda image: _named(folded, folded(image, training=False)), [raw])]
    if facts and has_part(facts["task"], "decoding") and has_part(facts["task"], "pipeline"):
        own = getattr(part(facts["task"], "pipeline"), "endpoints", _task_endpoints)
        endpoints += own(folded, facts)
    signatures = {name: tf.function(function, input_signature=takes) for name, function, takes in endpoints}
    signatures.setdefault("serving_default", signatures["raw"])
    # Keras's ExportArchive would do, but writes every variable twice (3.15).
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in folded.variables]
    tf.saved_model.save(module, folder, signatures=signatures)
    os.makedirs(os.path.join(folder, os.path.dirname(FACTS_FILE)), exist_ok=True)
    with open(os.path.join(folder, FACTS_FILE), "w", encoding="utf-8") as file:
        json.dump({"name": model.name, **facts}, file, indent=1)


def _task_endpoints(model, facts):
    """The signatures that take pictures: `(name, function, what it takes)`."""
    import tensorflow as tf

    decoding, pipeline = part(facts["task"], "decoding"), part(facts["task"], "pipeline")
    size = model.input_shape[1:3]

    def decoded(image_bytes):
        picture = tf.TensorSpec((*size, 3), tf.uint8)
        return tf.map_fn(pipeline.serving, image_bytes, fn_output_signature=picture)

    def answer(images, **options):
        return decoding.decode(model(tf.cast(images, tf.float32), training=False), **options)

    files = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    pixels = [tf.TensorSpec([None, *size, 3], tf.uint8, name="images")]
    return [
        ("serving_default", lambda image_bytes: answer(decoded(image_bytes)), files),
        ("images", lambda images: answer(images), pixels),
        ("scores", lambda image_bytes: answer(decoded(image_bytes), scores=True), files),
    ]


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

"""A model -> a folder that other programs load, such as TensorFlow Serving: one writer per format.

| file | promises |
|---|---|
| `deployable.py` | `deployable_of(model)`: what of a model every format is made of |
| `saved_model.py` | `write(deployable, folder)` |
"""

import importlib
import os
import shutil
import tempfile

import keras

from hrnet_keras.exporting.deployable import deployable_of

# Format -> the module of its writer: `write(deployable, folder)`.
WRITERS = {"saved_model": "saved_model"}


def export(
    model: keras.Model | str | os.PathLike[str], directory: str | os.PathLike[str], *, version: int | None = None,
    format: str = "saved_model", compact: bool = False,
) -> str:  # fmt: skip
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
    and `scores` (`tasks.classification.serving`), a landmark or pose model takes `boxes` beside
    `image_bytes` and answers `points` and `scores` (`tasks.keypoints.serving`).

    Args:
        model: a `keras.Model` of this package, of any precision (the export computes in float32); or what `predict`
            takes: path of a `.keras` file or of a checkpoint of PyTorch, or a published name.
        directory: of the model in the model base, such as `saved_models/street`.
        version: positive number; default: one above the highest there.
        format: `"saved_model"`.
        compact: stores weights as 16-bit floats (the net still computes in float32), and a detector's first fully
            connected layer as a product of two thin matrices (`hrnet_keras.compacting.thin_out`): a file of a fifth
            of the size for detectors, of half for others. Answers change a little: score the file.

    Returns:
        Path of the version's folder.

    Raises:
        ValueError: unknown format, a version that exists, a model that is none or a SavedModel already, or a backend
            other than TensorFlow.
        OSError: the folder can't be written; nothing half-written stays behind.
    """
    if format not in WRITERS:
        raise ValueError(f"format={format!r}: expected {', '.join(map(repr, WRITERS))}")
    write = importlib.import_module(f"hrnet_keras.exporting.{WRITERS[format]}").write
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
        write(deployable_of(model, compact=compact), scratch)
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
    # Imported here, as a finished model is exported without it.
    from hrnet_keras.loading import load

    return load(path)


def _version(directory, version):
    there = []
    if os.path.isdir(directory):
        there = [int(name) for name in os.listdir(directory) if name.isdigit()]
    # TensorFlow Serving loads the highest number of a folder.
    if version is None:
        return max(there, default=0) + 1
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"version={version!r}: expected a positive whole number")
    if version in there:
        raise ValueError(f"version={version} exists in {directory}: expected a new one, none is overwritten")
    return version


def _write_problem(error):
    """The reason in words if an error came from the file system, else None."""
    import tensorflow as tf

    if isinstance(error, OSError):
        return error.strerror or str(error)
    kinds = (tf.errors.ResourceExhaustedError, tf.errors.PermissionDeniedError, tf.errors.FailedPreconditionError)
    if isinstance(error, kinds):
        return str(error.message).splitlines()[0]
    return None

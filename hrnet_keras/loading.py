"""Whatever holds a whole model -> a `keras.Model`."""

import os
from typing import TYPE_CHECKING

from hrnet_keras.checkpoints import zoo
from hrnet_keras.checkpoints.checkpoint import TORCH_ENDINGS, read_keras
from hrnet_keras.converting import from_checkpoint

if TYPE_CHECKING:
    import keras


def load(source: str | os.PathLike) -> "keras.Model":
    """Opens a model with its weights, ready to predict with, to train further, or to build upon.

    Args:
        source: path of a `.keras` file (such as a training's `best.keras`), path of a checkpoint of PyTorch (`.pth`,
            `.pt`, `.tar`, `.safetensors`: net, task and classes are found in it), or a published name
            (`hk.list_weights()`).

    Returns:
        A `keras.Model`, not compiled. `keras.saving.load_model` reads a `.keras` file with its optimizer and loss; it
        needs `import hrnet_keras` alone.

    Raises:
        ValueError: it is none of these, or is damaged; `DownloadError`: published weights that can't be had.

    Example:
        >>> import hrnet_keras as hk
        >>> hk.HRNetV2W18SmallV1(task="seg", num_classes=11).save("street.keras")
        >>> hk.load("street.keras").output_shape
        (None, None, None, 11)
    """
    path = os.fspath(source)
    if path.endswith(TORCH_ENDINGS):
        return from_checkpoint(path)[0]
    entry = zoo.named(path)
    if entry is not None:
        return from_checkpoint(entry)[0]
    return load_keras(path)


def load_keras(path: str | os.PathLike) -> "keras.Model":
    """Loads a `.keras` file; raises `ValueError` where there is none or it is damaged."""
    path = os.fspath(path)
    if not os.path.isfile(path) or not path.endswith(".keras"):
        raise ValueError(
            f"model {path}: expected a .keras file, a SavedModel directory, a keras.Model, a checkpoint of PyTorch or "
            "a published name (hrnet-keras models)"
        )
    return read_keras(path, f"model {path}")

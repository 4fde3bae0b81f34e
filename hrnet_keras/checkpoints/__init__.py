"""Other people's weights: the files they come in, the names they use, and the way in and out of a finished model."""

import importlib as _importlib
import typing as _typing

_MODULES = {
    "Checkpoint": "checkpoint",
    "CheckpointError": "torch_file",
    "DownloadError": "zoo",
    "LoadReport": "loading",
    "list_weights": "zoo",
    "load_torch_weights": "loading",
    "open_checkpoint": "checkpoint",
    "read_tensors": "torch_file",
    "save_torch_weights": "loading",
}
__all__ = tuple(_MODULES)


def __getattr__(name: str) -> _typing.Any:
    """Loads a name on first use: reading a file and listing what is published need no Keras."""
    if name not in _MODULES:
        raise AttributeError(f"module 'hrnet_keras.checkpoints' has no attribute {name!r}")
    return getattr(_importlib.import_module(f"hrnet_keras.checkpoints.{_MODULES[name]}"), name)

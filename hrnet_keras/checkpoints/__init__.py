"""Other people's weights: the files they come in, the names they use, and the way in and out of a finished model."""

from hrnet_keras.checkpoints.loading import LoadReport, load_torch_weights, save_torch_weights
from hrnet_keras.checkpoints.torch_file import CheckpointError, read_tensors
from hrnet_keras.checkpoints.zoo import DownloadError, list_weights

__all__ = [
    "CheckpointError",
    "DownloadError",
    "LoadReport",
    "list_weights",
    "load_torch_weights",
    "read_tensors",
    "save_torch_weights",
]

"""Other people's weights: the names they use and the way in and out of a finished model."""

from hrnet_keras.checkpoints.loading import LoadReport, load_torch_weights

__all__ = ["LoadReport", "load_torch_weights"]

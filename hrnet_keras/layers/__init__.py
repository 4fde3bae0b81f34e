"""What Keras lacks for HRNet: resizing, fused batch norm, padded and split convolutions, first and last layer."""

from hrnet_keras.layers.convolution import AggregationConv2D, Conv2D, Conv2DTranspose
from hrnet_keras.layers.dense import Dense, GridDense
from hrnet_keras.layers.model_info import ModelInfo, ModelInfoLayer
from hrnet_keras.layers.normalization import BatchNormalization, GroupNorm
from hrnet_keras.layers.normalize import Normalize
from hrnet_keras.layers.resizing import Resize, UpSampling
from hrnet_keras.layers.scaling import Scale

__all__ = [
    "AggregationConv2D",
    "BatchNormalization",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "GridDense",
    "GroupNorm",
    "ModelInfo",
    "ModelInfoLayer",
    "Normalize",
    "Resize",
    "Scale",
    "UpSampling",
]

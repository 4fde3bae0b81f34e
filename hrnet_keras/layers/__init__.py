"""What Keras lacks for HRNet: resizing, fused batch norm, padded and split convolutions, first and last layer."""

from hrnet_keras.layers.answer import Answer
from hrnet_keras.layers.convolution import Conv2D, MixingConv2D
from hrnet_keras.layers.normalization import BatchNormalization
from hrnet_keras.layers.normalize import Normalize
from hrnet_keras.layers.resizing import Resize, UpSampling

__all__ = ["Answer", "BatchNormalization", "Conv2D", "MixingConv2D", "Normalize", "Resize", "UpSampling"]

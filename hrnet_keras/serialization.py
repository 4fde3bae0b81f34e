"""Every class of this package that a Keras file may name: importing this module makes Keras know them all."""

import hrnet_keras.layers.dense
import hrnet_keras.layers.normalization
import hrnet_keras.layers.scaling
import hrnet_keras.optimizers
import hrnet_keras.tasks.detection.model
import hrnet_keras.tasks.detection.parts.cascade
import hrnet_keras.tasks.detection.parts.corner_pooling
import hrnet_keras.tasks.detection.parts.mask_stages
import hrnet_keras.tasks.detection.parts.point_detections
import hrnet_keras.tasks.detection.parts.stages
import hrnet_keras.tasks.detection.parts.triplets
import hrnet_keras.tasks.keypoints.losses
import hrnet_keras.tasks.objective
import hrnet_keras.tasks.segmentation.losses
import hrnet_keras.tasks.segmentation.ocr  # noqa: F401

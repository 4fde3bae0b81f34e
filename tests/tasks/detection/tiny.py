"""A detector whose trunk is a few strided convolutions: what is behind the pyramid is the real thing."""

from dataclasses import replace
from unittest import mock

import keras
import numpy as np
from PIL import Image

from hrnet_keras.layers import BatchNormalization, Conv2D, ModelInfo, ModelInfoLayer, Normalize
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.tasks.detection.frameworks import framework as module_of
from hrnet_keras.tasks.detection.losses import objective
from hrnet_keras.tasks.detection.model import Detector
from hrnet_keras.tasks.detection.parts.stages import PictureSizes
from hrnet_keras.tasks.detection.recipe import Loss
from hrnet_keras.tasks.objective import ObjectiveModel

CHANNELS = 8
STRIDES = (4, 8, 16, 32, 64)  # of the levels, where the framework names no others


def tiny(framework="faster_rcnn", *, num_classes=2, lineage="mmlab", seed=0):
    """A `Detector` of five levels of 8 channels."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((None, None, 3), name="image")
    x = Normalize(unit=32, marks_padding=True, name="normalize")(images)
    module = module_of(framework)
    rules = module.rules_of(lineage)
    strides = getattr(rules, "strides", STRIDES)
    levels = []
    for i in range(strides[-1].bit_length() - 1):
        x = Conv2D(CHANNELS, 3, strides=2, name=f"conv{i}")(x)
        x = BatchNormalization(name=f"bn{i}")(keras.layers.ReLU()(x))
        if 2 ** (i + 1) in strides:
            levels.append(Conv2D(CHANNELS, 3, name=f"fpn_convs.{len(levels)}")(x))
    sizes = PictureSizes(name="picture_sizes")(images)
    outputs = module.build(levels, sizes, num_classes, rules)
    info = ModelInfo("det", "V2p", "W18", lineage, num_classes=num_classes, head=framework)
    return Detector(images, ModelInfoLayer(info, name="detections")(outputs))


def scene(masks=False, semantic=False):
    """Two pictures with a coloured box or two; the second is 32 columns narrower than the batch."""
    rng = np.random.default_rng(0)
    images = np.full((2, 64, 96, 3), 90, np.float32)
    images[1, :, 64:] = -1
    targets = {
        "boxes": np.array([[[8, 8, 40, 40], [50, 20, 90, 60]], [[10, 5, 50, 60], [0, 0, 0, 0]]], np.float32),
        "labels": np.array([[0, 1], [1, -1]], np.int32),
    }
    of_masks = np.zeros((2, 2, 64, 96), np.uint8)
    for image, boxes, labels, drawn in zip(images, targets["boxes"], targets["labels"], of_masks, strict=True):
        for (left, top, right, bottom), label, mask in zip(boxes.astype(int), labels, drawn, strict=True):
            if label >= 0:
                image[top:bottom, left:right] = rng.uniform(0, 255, 3)
                mask[top:bottom, left:right] = 1
    if masks:
        targets["masks"] = of_masks
    if semantic:
        targets["semantic"] = np.where(images[..., 0] < 0, 255, of_masks.any(1)).astype(np.uint8)
    return images, targets


def learner_of(model, proposals=8):
    """The model that is fitted; all samples among few proposals, if any, count, so that nothing is drawn."""
    info = info_of(model)
    module = module_of(info.head)
    few = module.rules_of(info.lineage)
    if hasattr(few, "training"):
        few = replace(few, training=replace(few.training, num_after=proposals))
    with mock.patch.object(module, "rules_of", lambda lineage: few):
        return ObjectiveModel.of(model, objective(Loss(sampling=False), info, None))


def decided(framework="faster_rcnn", **options):
    """A tiny detector whose scores lie far apart, so that roundings don't change what it finds."""
    model = tiny(framework, **options)
    rng = np.random.default_rng(1)
    for name, size in (
        (".fc_cls", 3.0),
        (".fc_reg", 0.5),
        (".rpn_cls", 3.0),
        (".conv_cls", 3.0),
        (".conv_reg", 0.5),
        ("_heat.1", 12.0),
    ):
        for kernel in (layer.kernel for layer in model.layers if layer.name.endswith(name)):
            kernel.assign(rng.normal(0, size / np.sqrt(kernel.shape[-2]), kernel.shape))
    for layer in model.layers:
        if layer.name.endswith(".conv_reg"):
            layer.bias.assign(np.full(layer.bias.shape, 3.0))  # edges are about 20 pixels away
    return model


def photograph(height=120, width=180, seed=0):
    """A smooth picture of six by eight colours, uint8 `(height, width, 3)`."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))

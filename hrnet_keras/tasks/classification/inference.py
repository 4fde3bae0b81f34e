"""One picture of any size -> its most probable classes."""

from dataclasses import dataclass

import numpy as np

from hrnet_keras.tasks.classification.center_crop import CropParams, center_crop
from hrnet_keras.tasks.classification.decoding import decode
from hrnet_keras.tasks.processing import Arrays, PredictOptions, Request, Runtime, only_output
from hrnet_keras.tasks.results import Classes


def processor(runtime: Runtime, options: PredictOptions) -> "ClassProcessor":
    """What prepares pictures for a classifier and reads its logits.

    The model sees the middle of the picture, prepared as its published score was measured.

    Raises:
        ValueError: a protocol was given.
    """
    if options.protocol is not None:
        raise ValueError("task 'cls' looks at the middle of a picture once: expected no protocol")
    return ClassProcessor(CropParams.of(runtime.info, runtime.input_size))


@dataclass(frozen=True)
class ClassProcessor:
    """A `tasks.processing.Processor`; its results are `Classes`."""

    crop: CropParams
    flip = False

    def preprocess(self, image: np.ndarray) -> Request:
        return Request(center_crop(image, self.crop)[None], None)

    def decode(self, raw: Arrays, mirrored: Arrays | None) -> Arrays:
        del mirrored
        decoded = decode(only_output(raw), scores=True)
        return {name: np.asarray(values) for name, values in decoded.items()}

    def postprocess(self, decoded: Arrays, back: None) -> Classes:
        del back
        return Classes(decoded["labels"][0], decoded["scores"][0])

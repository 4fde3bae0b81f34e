"""This package's side of `detection.py`; see `worker.py`."""

import os
import resource
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import detection_work
import keras
import numpy as np
import tensorflow as tf
import worker

import hrnet_keras as hk
from hrnet_keras.checkpoints.model_weights import tensors_of
from hrnet_keras.folding import fold_batch_norm
from hrnet_keras.optimizers import TorchSGD

NECK = [f"fpn_convs.{i}" for i in range(len(detection_work.STRIDES))]


def build(case, size=(None, None)):
    """The case's detector with the benchmark's weights, taking RGB 0..255."""
    builder = getattr(hk, f"HRNetV2p{case['net']}")
    model = builder("det", num_classes=detection_work.CLASSES, input_shape=(*size, 3))
    shapes = {name: value.shape for name, value in tensors_of(model).items()}
    hk.load_torch_weights(model, detection_work.weights(shapes))
    return model


def after_pyramid(model):
    """The part of a detector from the pyramid's levels and the pictures' sizes on."""
    levels = [model.get_layer(name).output for name in NECK]
    return keras.Model([*levels, model.get_layer("picture_sizes").output], model.output)


class Contender(worker.Contender):
    """`function`: the model in a tf.function; `saved_model`: the export, or the part of it; `step`: of training."""

    def prepare(self):
        self.images = tf.constant(detection_work.pictures(self.case))
        if self.case["work"] == "train":
            self.model = build(self.case)
            for layer in self.model.layers:
                layer.keeps_statistics = True
            self.model.compile(TorchSGD(1e-6, decay=1e-4))
            boxes, labels = detection_work.objects(self.case)
            self.targets = {"boxes": tf.constant(boxes), "labels": tf.constant(labels)}
        elif self.case["work"] == "after":
            whole = build(self.case)
            part = after_pyramid(fold_batch_norm(whole) if self.variant == "saved_model" else whole)
            sizes = np.float32([self.case["size"]] * self.case["batch"])
            inputs = [tf.constant(x) for x in (*detection_work.pyramid(self.case), sizes)]
            function = tf.function(lambda *inputs: part(list(inputs), training=False))
            self.detect = lambda: function(*inputs)
        elif self.variant == "saved_model":
            self.loaded = tf.saved_model.load(hk.export(build(self.case), tempfile.mkdtemp()))
            self.detect = lambda: self.loaded.signatures["raw"](image=self.images)
        else:
            model = build(self.case)
            function = tf.function(lambda x: model(x, training=False))
            self.detect = lambda: function(self.images)

    def step(self):
        if self.case["work"] == "train":
            return float(self.model.train_on_batch(self.images, self.targets))
        return {name: value.numpy() for name, value in self.detect().items()}

    def output(self):
        result = self.step()
        if isinstance(result, float):
            return result
        return detection_work.padded_scores(result["scores"][0, : result["valid"][0]])

    def peak(self):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(worker.serve({"detector": Contender}))

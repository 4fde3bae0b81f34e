"""This package's side of the benchmark; see `worker.py`."""

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import worker

import hrnet_keras as hk
from hrnet_keras.checkpoints.model_weights import torch_names
from hrnet_keras.layers.resizing import resize_bilinear
from hrnet_keras.optimizers import TorchSGD
from hrnet_keras.tasks.segmentation.decoding import decode
from hrnet_keras.tasks.segmentation.losses import CrossEntropy


def build(case):
    """The case's network with the benchmark's weights, taking normalised pictures."""
    pose = case["task"] == "pose"
    builder = getattr(hk, f"HRNet{'V1' if pose else 'V2'}{case['net']}")
    counts = {"num_keypoints" if pose else "num_classes": case["outputs"]}
    stride = {} if pose else {"output_stride": 4 if case["mode"] == "forward" else 1}
    shape = (*case["size"], 3)
    model = builder(case["task"], include_preprocessing=False, input_shape=shape, **counts, **stride)
    shapes = {}
    for name, variable in torch_names(model, "official"):
        shapes[name] = tuple(np.array(variable.shape)[[3, 2, 0, 1]]) if len(variable.shape) == 4 else variable.shape
    plain = {name: tuple(int(n) for n in shape) for name, shape in shapes.items()}
    hk.load_torch_weights(model, worker.weights(plain), lineage="official")
    return model


class Contender(worker.Contender):
    """`function`: the model in a tf.function; `saved_model`: the export; `float32`, `bfloat16`: training steps."""

    def prepare(self):
        self.x = tf.constant(worker.pictures(self.case))
        if self.case["mode"] == "train":
            keras.mixed_precision.set_global_policy("mixed_bfloat16" if "bfloat16" in self.variant else "float32")
            model = build(self.case)
            keras.mixed_precision.set_global_policy("float32")
            model.compile(TorchSGD(0.01, decay=5e-4), CrossEntropy())
            self.y, self.model = tf.constant(worker.labels(self.case)), model
        elif self.variant == "saved_model":
            loaded = tf.saved_model.load(hk.export(build(self.case), tempfile.mkdtemp()))
            self.loaded, self.call = loaded, loaded.signatures["raw"]
            self.function = lambda x: next(iter(self.call(image=x).values()))
        else:
            model = build(self.case)
            self.function = tf.function(lambda x: model(x, training=False))

    def step(self):
        if self.case["mode"] == "train":
            return float(self.model.train_on_batch(self.x, self.y))
        return self.function(self.x).numpy()

    output = step


class Labels(worker.Contender):
    """Label map at input size from logits at a quarter of it."""

    def prepare(self):
        height, width = self.case["size"]
        self.logits = tf.constant(worker.random((1, height // 4, width // 4, self.case["outputs"])))
        size = (height, width)
        self.function = tf.function(lambda x: decode(resize_bilinear(x, size))["label_map"])

    def step(self):
        return self.function(self.logits).numpy()

    output = step


if __name__ == "__main__":
    sys.exit(worker.serve({"model": Contender, "labels": Labels}))

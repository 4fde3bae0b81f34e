"""This package's side of `detection.py` and `frameworks.py`; see `worker.py`."""

import json
import os
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
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.optimizers import TorchSGD

tf.config.threading.set_intra_op_parallelism_threads(worker.THREADS)
tf.config.threading.set_inter_op_parallelism_threads(worker.THREADS)
LEVELS = "fpn_convs."  # what the names of the pyramid's levels begin with
MIXED = "reduction_conv"  # takes the trunk's maps
REGIONS, POINTS = "fc_cls", "bbox_head.conv_cls"  # layers of class logits, as their names end


def build(case):
    """The case's detector with the benchmark's weights, taking RGB 0..255 of any size."""
    model = bare(case)
    hk.load_torch_weights(model, detection_work.weights(case))
    return model


def bare(case):
    framework = case.get("framework", "faster_rcnn")
    return getattr(hk, f"HRNetV2p{case['net']}")("det", framework=framework, num_classes=detection_work.CLASSES)


def write_weights(case):
    """Draws weights that answer as a trained net's: the places of a picture, and its proposals, must differ.

    Every channel of the pyramid's levels gets mean 0 and deviation 1 on the case's pictures, every class a mean logit
    of 0 on their proposals. Nets with random weights say the same everywhere, which gives suppression other work.
    """
    model = bare(case)
    shapes = {name: value.shape for name, value in tensors_of(model).items()}
    hk.load_torch_weights(model, detection_work.drawn_weights(shapes))
    images = tf.constant(detection_work.pictures(case))
    layers = levels_of(model)
    pyramid = keras.Model(model.input, [layer.output for layer in layers])
    for layer, level in zip(layers, pyramid(images), strict=True):
        mean, deviation = level.numpy().mean((0, 1, 2)), level.numpy().std((0, 1, 2))
        layer.kernel.assign(layer.kernel / deviation)
        layer.bias.assign((layer.bias - mean) / deviation)
    for layer in model.layers:
        if layer.name.endswith(REGIONS):  # later heads look at what earlier ones find
            logits = keras.Model(model.input, layer.output)(images).numpy()
            background = detection_work.BACKGROUND * np.eye(logits.shape[-1])[-1]
            layer.bias.assign(layer.bias - logits.mean(0) + background)
        elif layer.name == POINTS:
            layer.bias.assign(np.full(layer.bias.shape, detection_work.RARE))
    levels = {f"{detection_work.PYRAMID}{i}": level.numpy() for i, level in enumerate(pyramid(images))}
    np.savez(case["weights"], **tensors_of(model), **levels)


def levels_of(model):
    """The layers that give the pyramid's levels; the one that mixes the trunk's maps where there are none."""
    return [layer for layer in model.layers if layer.name.startswith(LEVELS)] or [model.get_layer(MIXED)]


def after_pyramid(model):
    """The part of a detector from the pyramid's levels and the pictures' sizes on."""
    levels = [layer.output for layer in levels_of(model)]
    return keras.Model([*levels, model.get_layer("picture_sizes").output], model.output)


def trunk(model):
    """The part of a detector that gives HRNet's four maps."""
    return keras.Model(model.input, model.get_layer(MIXED).input)


class Contender(worker.Contender):
    """`function`: the model in a tf.function; `saved_model`: the export, or the part of it after the pyramid.

    The case's work is `whole`, `after` (the pyramid), `train` or `sizes`: a picture of another size at every step.
    `trunk` is the trunk's part of that work; while training its maps' gradients, without the optimizer.
    """

    def prepare(self):
        self.images = tf.constant(detection_work.pictures(self.case))
        if self.variant == "trunk":
            part = trunk(build(self.case))
            self.detect = self.trunk_step(part) if self.case["work"] == "train" else self.trunk_maps(part)
        elif self.case["work"] == "train":
            self.model = build(self.case)
            for layer in self.model.layers:
                layer.keeps_statistics = True
            self.model.compile(TorchSGD(1e-6, decay=1e-4))
            targets = detection_work.targets(self.case, info_of(self.model).head)
            self.targets = {name: tf.constant(value) for name, value in targets.items()}
        elif self.case["work"] == "sizes":
            rng = np.random.default_rng(0)
            self.sizes = iter(rng.integers(60, 240, (self.case["sizes"], 2)).tolist())
            self.model = bare(self.case)
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

    def trunk_maps(self, part):
        folded = fold_batch_norm(part)
        function = tf.function(lambda x: folded(x, training=False))
        return lambda: dict(enumerate(function(self.images)))

    def trunk_step(self, part):
        for layer in part.layers:
            layer.keeps_statistics = True

        @tf.function
        def gradients(x):
            with tf.GradientTape() as tape:
                loss = tf.add_n([tf.reduce_mean(tf.square(level)) for level in part(x, training=True)])
            return tape.gradient(loss, [variable.value for variable in part.trainable_variables])

        return lambda: {0: gradients(self.images)[0]}

    def step(self):
        if self.case["work"] == "sizes":
            height, width = next(self.sizes)
            return hk.predict(self.model, np.zeros((height, width, 3), np.uint8), size=(128, 192))
        if self.case["work"] == "train" and self.variant != "trunk":
            return float(self.model.train_on_batch(self.images, self.targets)[0])
        return {name: value.numpy() for name, value in self.detect().items()}

    def output(self):
        result = self.step()
        if isinstance(result, float):
            return result
        return detection_work.padded_scores(result["scores"][0, : result["valid"][0]])

    def traces(self):
        """How often the graph of prediction was written."""
        return self.model.predict_function.experimental_get_tracing_count()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(write_weights(json.loads(sys.argv[1])))
    sys.exit(worker.serve({"detector": Contender}))

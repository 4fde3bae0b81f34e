"""Replicas of a strategy see the statistics of the whole batch, as one device does."""

import subprocess
import sys

import pytest

pytest.importorskip("official", reason="needs tf-models-official: make test-model-garden")

TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from hrnet_keras.architecture import Conventions
from hrnet_keras.backbone import bottleneck, conv_bn_relu
from hrnet_keras.model_garden import twin

def net():
    "Convolutions and batch norms enough for replicas to differ."
    image = keras.Input((None, None, 3))
    x = conv_bn_relu(image, 8, 3, 2, "conv1", "bn1", Conventions())
    return keras.Model(image, bottleneck(x, 8, "layer1", Conventions(), project=True))

batch = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype("float32")
one = net()
start = one.get_weights()
expected = one(batch, training=True)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
with strategy.scope():
    fresh = net()
    fresh.set_weights(start)
    copy = twin(fresh)

def half():
    rank = tf.distribute.get_replica_context().replica_id_in_sync_group
    return copy(tf.convert_to_tensor(batch)[2 * rank : 2 * rank + 2], training=True)

halves = tf.function(lambda: strategy.run(half))()
found = np.concatenate([part.numpy() for part in strategy.experimental_local_results(halves)])
np.testing.assert_allclose(found, expected, atol=1e-5)
for layer in one.layers[1:]:
    for ours, theirs in zip(layer.get_weights(), copy.get_layer(layer.name).get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6, err_msg=layer.name)
print("alike")
"""


def test_two_replicas_keep_the_statistics_of_one_device():
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True)
    assert done.stdout.endswith("alike\n"), done.stderr[-2000:]

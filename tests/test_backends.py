"""One graph, three backends: the same goldens, each in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
import numpy as np
sys.path.insert(0, "tests/golden")
import weights_rule
import keras
from tests.networks import NETWORKS, PYRAMID, network_input, worst
assert keras.backend.backend() == sys.argv[1]

for case in sys.argv[2:]:
    network = NETWORKS[case] if case in NETWORKS else PYRAMID
    meta = json.load(open(f"tests/golden/{network.kind}/{case}.json"))
    arrays = np.load(f"tests/golden/{network.kind}/{case}.npz")
    model = network.loaded(meta, weights_rule)
    x = keras.ops.convert_to_tensor(network_input(case, meta, weights_rule))
    found = keras.tree.flatten(model(x, training=False))
    names = [network.output] if case in NETWORKS else [f"fpn_{i}" for i in range(5)]
    for name, value in zip(names, found, strict=True):
        assert worst(keras.ops.convert_to_numpy(value), arrays[name]) < network.tolerance, (case, name)
    if network.net[2] == "seg":  # a step in training mode: batch statistics
        model(x, training=True)
        gamma = keras.ops.convert_to_numpy(model.get_layer("bn1").moving_variance)
        print("STATISTICS", case, *gamma[:4])
assert keras.backend.backend() == "tensorflow" or "tensorflow" not in sys.modules
"""
CASES = ["seg_v11_w18_small_v1_64x96", "mmseg_fcn_hr18s_72x88", "pose_w32_16kp_64x64", "cls_w18_small_v1_64x64",
         "seg_ocrbranch_w18_ac1_64x96"]  # fmt: skip
ROOT = Path(__file__).parent.parent


def statistics(backend, cases):
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PROGRAM, backend, *cases]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("STATISTICS")]
    return {words[1]: [float(word) for word in words[2:]] for words in lines}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_meet_the_goldens(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs the {backend} backend, which is not installed")
    found, expected = statistics(backend, CASES), statistics("tensorflow", CASES[:2])
    for case, values in expected.items():
        assert found[case] == pytest.approx(values, rel=1e-4), case

"""A whole detector on every backend: the maps, detections, masks and losses of mmdet, each in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tasks.detection.frameworks.test_goldens import CASES

ROOT = Path(__file__).parents[4]
PROGRAM = """
import sys
import keras, numpy as np
sys.path.insert(0, "tests/golden")
import weights_rule
from hrnet_keras.tasks.detection.parts.paste import paste_each
from tests.tasks.detection.frameworks.goldens import filled, losses_of, masks_of, matched

backend, name, case = sys.argv[1:4]
assert keras.backend.backend() == backend
model, watched, rules, meta, arrays, picture, size = filled(name, case, weights_rule)
found = watched.predict([picture, size], verbose=0)
worst = {}
for i, level in enumerate(found["pyramid"]):
    expected = arrays[f"fpn_{i}"].transpose(0, 2, 3, 1)
    worst["pyramid"] = max(worst.get("pyramid", 0), float(np.abs(level - expected).max() / expected.std()))
count, distance, match = matched(meta, arrays, found)
assert found["valid"][0] == count and len(set(match)) == count
worst["boxes"] = float(distance)
worst["scores"] = float(np.abs(found["scores"][0][match] - arrays["det_scores"]).max())
if "masks" in found:
    expected = masks_of(meta, arrays, "det_masks_mean3_bits" if name == "htc" else "det_masks_bits")
    scale = np.array(meta["img_meta"]["scale_factor_wh"] * 2, np.float32)
    masks = np.array(list(paste_each(found["masks"][0], found["boxes"][0] / scale, expected.shape[1:])))
    worst["masks"] = float((masks[match] != expected).mean())
losses, expected = losses_of(name, model, rules, arrays, picture, size, found["pyramid"])
worst["losses"] = max(abs(losses[word] / value - 1) for word, value in expected.items())
print("WORST", backend, name, {word: f"{value:.1e}" for word, value in worst.items()})
allowed = {"pyramid": 1e-4, "boxes": 0.02, "scores": 1e-3, "masks": 1e-3, "losses": 1e-3}
assert all(value < allowed[word] for word, value in worst.items())
assert backend == "tensorflow" or "tensorflow" not in sys.modules
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("name", ["htc", "fcos"])
def test_other_backends_meet_the_goldens(backend, name, golden):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs the {backend} backend, which is not installed")
    case = CASES[name]
    golden("detection", case)  # skips where there is none
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, backend, name, case]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]

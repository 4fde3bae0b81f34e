"""The parts give on every backend what they give on TensorFlow: the reference's numbers, and right gradients."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PROGRAM = """
import sys
import keras, numpy as np
from keras import ops
sys.path.insert(0, "tests/golden")
import weights_rule
from hrnet_keras.tasks.detection.parts.box_head import BoxHead
from hrnet_keras.tasks.detection.parts.mask_head import MaskHead
from hrnet_keras.tasks.detection.parts.mask_loss import mask_loss
from hrnet_keras.tasks.detection.parts.mask_targets import mask_targets
from hrnet_keras.tasks.detection.parts.paste import paste_masks
from hrnet_keras.tasks.detection.parts.levels import roi_levels
from hrnet_keras.tasks.detection.parts.roi_align import default_form, roi_align
from hrnet_keras.tasks.detection.parts.roi_samples import ALIGNED, MASKRCNN_BENCHMARK, V1
from hrnet_keras.tasks.detection.parts.rpn_head import RPNHead
from tests.tasks.detection.parts.reference import fill, network_golden, pyramid, roi_matrix, state_of

backend = keras.backend.backend()
assert backend == sys.argv[1]
whole = lambda x: ops.convert_to_numpy(x)
tensors = lambda arrays: [ops.convert_to_tensor(x) for x in arrays]

def close(name, found, expected, share):
    off = float(np.abs(whole(found) - expected).max() / expected.std())
    print(backend, name, f"{off:.1e}")
    assert off < share, name

# RoIAlign and its gradient, beside samples written out one by one
rng = np.random.default_rng(0)
maps = [rng.standard_normal((1, 64 // s, 96 // s, 3)).astype("float32") for s in (4, 8, 16, 32)]
boxes = np.float32([[3, 5, 40, 61], [-9, 2, 17, 90], [12, 12, 12, 12], [33, 3, 33.01, 60], [-200, -90, 400, 400]])
upstream = rng.standard_normal((1, 5, 7, 7, 3)).astype("float32")
forms = ("dense",) if backend == "jax" else ("dense", "windows")
for sampling in (ALIGNED, V1, MASKRCNN_BENCHMARK):
    levels = whole(roi_levels(boxes, plus_one=sampling.plus_one))
    matrices = [roi_matrix(b.astype(float), 4 * 2**k, maps[k].shape[1:3], 7, sampling) for b, k in zip(boxes, levels)]
    expected = np.stack([np.einsum("pqyx,yxc->pqc", m, maps[k][0]) for m, k in zip(matrices, levels)])
    gradients = [np.zeros(x.shape) for x in maps]
    for i, k in enumerate(levels):
        gradients[k][0] += np.einsum("pqyx,pqc->yxc", matrices[i], upstream[0, i])
    for form in forms:
        objective = lambda maps: ops.sum(roi_align(maps, boxes[None], size=7, sampling=sampling, form=form)
                                         * ops.convert_to_tensor(upstream))
        close(f"roi_align {form}", roi_align(tensors(maps), boxes[None], size=7, sampling=sampling, form=form)[0],
              expected, 3e-5)
        if backend == "jax":
            import jax
            found = jax.jit(jax.grad(objective))(tensors(maps))
        elif backend == "torch":
            leaves = [x.requires_grad_(True) for x in tensors(maps)]
            objective(leaves).backward()
            found = [ops.zeros_like(x) if x.grad is None else x.grad for x in leaves]
        else:
            import tensorflow as tf
            leaves = tensors(maps)
            with tf.GradientTape() as tape:
                tape.watch(leaves)
                value = objective(leaves)
            found = tape.gradient(value, leaves)
        for one, other in zip(found, gradients):
            assert np.abs(whole(one) - other).max() < 3e-5

# The network golden, stage by stage
case = "det_mask_rcnn_w18_128x160"
meta, arrays = network_golden(case)
state = state_of(meta, arrays, weights_rule)
features = [keras.Input((None, None, 256)) for _ in range(5)]
rpn = keras.Model(features, RPNHead.create()(features))
grid, fine = keras.Input((7, 7, 256)), keras.Input((14, 14, 256))
box_head = keras.Model(grid, BoxHead.create(num_outputs=81, num_boxes=80)(grid))
mask_head = keras.Model(fine, MaskHead.create(num_masks=80)(fine))
for model, prefix in ((rpn, "rpn_head."), (box_head, "roi_head.bbox_head."), (mask_head, "roi_head.mask_head.")):
    fill(model, state, prefix)
logits, deltas = rpn(tensors(pyramid(arrays, 5)))
for i in range(5):
    close(f"rpn_cls_{i}", logits[i], arrays[f"rpn_cls_{i}"].transpose(0, 2, 3, 1).reshape(1, -1), 2e-4)
    close(f"rpn_reg_{i}", deltas[i], arrays[f"rpn_reg_{i}"].transpose(0, 2, 3, 1).reshape(1, -1, 4), 2e-4)
levels = tensors(pyramid(arrays))
pooled = roi_align(levels, arrays["rois"][None, :, 1:], size=7)[0]
close("roi_feats7", pooled, arrays["roi_feats7"].transpose(0, 2, 3, 1), 2e-4)
classes, deltas = box_head(pooled)
close("cls_score", classes, arrays["cls_score"], 2e-4)
close("bbox_pred", deltas, arrays["bbox_pred"], 2e-4)
pooled = roi_align(levels, arrays["rois"][None, :4, 1:], size=14)[0]
close("roi_feats14_4", pooled, arrays["roi_feats14_4"].transpose(0, 2, 3, 1), 2e-4)
close("mask_logits4", mask_head(pooled), arrays["mask_logits4"].transpose(0, 2, 3, 1), 2e-4)

# Masks
meta, arrays = network_golden("det_masks")
for prefix, plus_one in (("", False), ("v1_", True)):
    targets = mask_targets(
        ops.convert_to_tensor(arrays["masks"][None]), ops.convert_to_tensor(arrays[f"{prefix}proposals"][None]),
        ops.convert_to_tensor(arrays["gt_inds"][None]), plus_one=plus_one)
    assert (whole(targets)[0] == arrays[f"{prefix}targets28"]).all()
pasted = whole(paste_masks(arrays["mask_probs"], arrays["paste_boxes"], (90, 120)))
assert (pasted == np.unpackbits(arrays["pasted"], axis=1)[:, :90 * 120].reshape(-1, 90, 120)).all()
meta, arrays = network_golden("det_losses")
values = whole(mask_loss(ops.convert_to_tensor(arrays["mask_logits"].transpose(0, 2, 3, 1)),
                         ops.convert_to_tensor(arrays["mask_targets"]), ops.convert_to_tensor(arrays["mask_labels"])))
assert abs(values.mean() / arrays["mask_loss"][0] - 1) < 1e-5
assert backend == "tensorflow" or "tensorflow" not in sys.modules
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_meet_the_goldens(backend, golden):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs the {backend} backend, which is not installed")
    golden("detection", "det_masks")  # skips where there are none
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, backend]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_windows_are_refused_on_jax():
    program = (
        "import numpy as np; from hrnet_keras.tasks.detection.parts.roi_align import roi_align\n"
        "try: roi_align([np.zeros((1, 9, 9, 2))], np.zeros((1, 3, 4)), size=7, strides=(4,), form='windows')\n"
        "except ValueError as error: print(error)\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "JAX cannot compile" in done.stdout, done.stderr[-2000:]

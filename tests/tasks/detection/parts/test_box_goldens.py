"""The parts around boxes, beside mmdet 3.3.0's numbers; on the backend that runs, and on the others."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts import assigner, losses, proposals, sampler
from tests.tasks.detection.parts import cases

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def goldens_are_there(golden):
    golden("detection", "det_anchors")  # skips where there are none


@pytest.mark.parametrize("name", cases.CASES)
def test_golden(name):
    case, tolerance = cases.CASES[name]
    for array, difference in case().items():
        assert difference <= tolerance, array


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_meet_the_goldens(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs the {backend} backend, which is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.tasks.detection.parts.cases"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count(backend) == len(cases.CASES)


def test_losses_of_the_box_head(weights_rule):
    """All proposals and the truths before them: the golden's sums, from its pyramid and weights."""
    from hrnet_keras.tasks.detection.parts import roi_align
    from hrnet_keras.tasks.detection.parts.box_head import BoxHead
    from tests.tasks.detection.parts import reference

    meta, arrays = reference.network_golden("det_faster_rcnn_w18_128x192")
    truths, labels, valid = cases.padded_truths(arrays)
    given = cases.tensor(arrays["proposals"][None])
    everything = keras.ops.ones((1, 256), dtype="bool")
    proposed = proposals.Proposals(given, keras.ops.ones((1, 256)), everything)
    proposed = proposals.prepend_truths(proposed, truths, valid)
    assigned = assigner.assign(given, truths, valid, assigner.FASTER_RCNN)
    assigned = assigner.prepend_truths(assigned, valid)
    samples = sampler.keep_all(assigned.truths)
    levels = [cases.tensor(arrays[f"fpn_{i}"].transpose(0, 2, 3, 1)) for i in range(4)]
    grid = keras.Input((7, 7, 256))
    head = keras.Model(grid, BoxHead.create(num_outputs=81, num_boxes=80)(grid))
    reference.fill(head, reference.state_of(meta, arrays, weights_rule), "roi_head.bbox_head.")
    logits, deltas = head(roi_align.roi_align(levels, proposed.boxes, size=7)[0])
    found = losses.roi_losses(
        logits[None],
        deltas[None],
        proposed.boxes,
        assigner.of_truths(truths, assigned.truths),
        assigner.of_truths(labels, assigned.truths),
        samples.positive,
        samples.negative,
        num_samples=sampler.num_samples(samples),
    )
    np.testing.assert_allclose(found.classes[0], arrays["roi_loss/loss_cls"], rtol=1e-3)
    np.testing.assert_allclose(found.boxes[0], arrays["roi_loss/loss_bbox"], rtol=1e-3)

"""The cross entropy against losses and gradients of the official code (goldens of its branches)."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.segmentation.losses import CrossEntropy


def loss_and_gradient(logits, labels, **options):
    logits = tf.constant(logits.transpose(0, 2, 3, 1))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = CrossEntropy(**options)(labels, logits)
    return float(value), tape.gradient(value, logits).numpy().transpose(0, 3, 1, 2)


@pytest.mark.parametrize("labels", ["label", "label2"])
@pytest.mark.parametrize("weighting", ["noweight", "cityscapes_weights"])
def test_pytorch_11_branch(golden, labels, weighting):
    meta, arrays = golden("segmentation", "seg_losses")
    weights = meta["class_weights"] if weighting == "cityscapes_weights" else None
    value, gradient = loss_and_gradient(arrays["in_logits"], arrays[f"in_{labels}"], class_weights=weights)
    case = f"ce/{labels}/{weighting}"
    assert value == pytest.approx(meta["result"][case], rel=1e-5)
    expected = arrays[f"grad_{case}"]
    np.testing.assert_allclose(gradient, expected, atol=1e-5 * np.abs(expected).max())


def test_ignore_label_of_minus_one(golden):
    meta, arrays = golden("segmentation", "seg_losses")
    labels = np.where(arrays["in_label"] == 255, -1, arrays["in_label"])
    value, _ = loss_and_gradient(arrays["in_logits"], labels, ignore_label=-1)
    assert value == pytest.approx(meta["result"]["ce_ignore_minus1/label/noweight"], rel=1e-5)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_ocr_branch(golden, align_corners, weighted):
    meta, arrays = golden("segmentation", "seg_num_losses")
    case = f"ce{'_weighted' if weighted else ''}_ac{int(align_corners)}"
    weights = arrays["class_weights"] if weighted else None
    labels = arrays["target"].astype(np.int32)
    value, gradient = loss_and_gradient(arrays["logits"], labels, class_weights=weights, align_corners=align_corners)
    assert value == pytest.approx(meta["losses"][case], rel=1e-5)
    expected = arrays[f"grad/{case}"]
    np.testing.assert_allclose(gradient, expected, atol=1e-5 * np.abs(expected).max())


def test_a_batch_without_labels_costs_nothing():
    logits = np.ones((1, 4, 4, 3), np.float32)
    assert float(CrossEntropy()(np.full((1, 4, 4), 255), logits)) == 0


def test_values_per_example_have_the_mean_of_the_batch():
    """A strategy averages what `call` gives per example: it must not be a mean already."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((3, 4, 4, 5)).astype(np.float32)
    labels = rng.integers(0, 5, (3, 4, 4))
    labels[0, :3] = 255
    values = np.asarray(CrossEntropy().call(labels, logits))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nll = -np.take_along_axis(log_p, np.where(labels == 255, 0, labels)[..., None], -1)[..., 0]
    assert values.shape == (3,)
    assert values.mean() == pytest.approx(nll[labels != 255].mean(), rel=1e-6)

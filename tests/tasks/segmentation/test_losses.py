"""The cross entropy against losses and gradients of the official code (goldens of its branches)."""

import itertools
import re

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.segmentation.losses import CrossEntropy, Dice, Lovasz, OhemCrossEntropy


def loss_and_gradient(logits, labels, kind=CrossEntropy, **options):
    logits = tf.constant(logits.transpose(0, 2, 3, 1))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = kind(**options)(labels, logits)
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


HARD = [f"thres{t}_keep{k}" for t, k in ((0.9, 131072), (0.7, 500), (0.3, 100), (0.3, 3400), (0.02, 10))]


@pytest.mark.parametrize("labels", ["label", "label2"])
@pytest.mark.parametrize("weighting", ["noweight", "cityscapes_weights"])
@pytest.mark.parametrize("hard", HARD)
def test_hard_pixels_of_the_pytorch_11_branch(golden, labels, weighting, hard):
    meta, arrays = golden("segmentation", "seg_losses")
    weights = meta["class_weights"] if weighting == "cityscapes_weights" else None
    threshold, kept = re.match(r"thres([\d.]+)_keep(\d+)", hard).groups()
    options = {"threshold": float(threshold), "min_kept": int(kept), "class_weights": weights}
    value, gradient = loss_and_gradient(arrays["in_logits"], arrays[f"in_{labels}"], OhemCrossEntropy, **options)
    case = f"ohem/{labels}/{weighting}/{hard}"
    assert value == pytest.approx(meta["result"][case], rel=1e-5)
    if f"grad_{case}" in arrays:
        expected = arrays[f"grad_{case}"]
        np.testing.assert_allclose(gradient, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("threshold", "kept"), [(0.9, 100), (0.02, 500), (0.05, 2000), (0.7, 100000)])
def test_hard_pixels_of_the_ocr_branch(golden, align_corners, weighted, threshold, kept):
    meta, arrays = golden("segmentation", "seg_num_losses")
    case = f"ohem_t{threshold}_k{kept}{'_weighted' if weighted else ''}_ac{int(align_corners)}"
    weights = arrays["class_weights"] if weighted else None
    options = {"class_weights": weights, "align_corners": align_corners, "threshold": threshold, "min_kept": kept}
    value, gradient = loss_and_gradient(
        arrays["logits"], arrays["target"].astype(np.int32), OhemCrossEntropy, **options
    )
    assert value == pytest.approx(meta["losses"][case], rel=1e-5)
    expected = arrays[f"grad/{case}"]
    np.testing.assert_allclose(gradient, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("hard", [False, True])
def test_two_outputs_of_the_ocr_branch(golden, align_corners, hard):
    """0.4 times the auxiliary cross entropy and the main loss; beside hard pixels the auxiliary one is over all."""
    meta, arrays = golden("segmentation", "seg_num_losses")
    case = f"ocr_{'ohem_t0.05_k2000' if hard else 'ce'}_ac{int(align_corners)}"
    labels, same = arrays["target"].astype(np.int32), {"align_corners": align_corners}
    main = (OhemCrossEntropy, {"threshold": 0.05, "min_kept": 2000}) if hard else (CrossEntropy, {})
    value, gradient = loss_and_gradient(arrays["logits"], labels, main[0], **main[1], **same)
    extra, extra_gradient = loss_and_gradient(arrays["logits_aux"], labels, over_all=hard, **same)
    assert value + 0.4 * extra == pytest.approx(meta["losses"][case], rel=1e-5)
    for found, expected in ((gradient, f"grad/{case}"), (0.4 * extra_gradient, f"grad_aux/{case}")):
        np.testing.assert_allclose(found, arrays[expected], atol=1e-5 * np.abs(arrays[expected]).max())


def jaccard_loss(truth, found):
    return 1 - (truth & found).sum() / max(1, (truth | found).sum())


def test_lovasz_of_sure_answers_is_the_jaccard_loss():
    """At the corners of its cube a Lovász extension equals the set function that it extends (arXiv:1705.08790)."""
    rng = np.random.default_rng(0)
    labels, found = (rng.integers(0, 3, (2, 6, 5)) for _ in range(2))
    labels[0, 0] = 255
    logits = 1000.0 * np.eye(3, dtype=np.float32)[found]
    counted = labels != 255
    expected = np.mean([jaccard_loss(labels[counted] == c, found[counted] == c) for c in range(3)])
    assert float(Lovasz()(labels, logits)) == pytest.approx(expected, rel=1e-5)


def test_lovasz_is_the_integral_of_the_jaccard_loss_over_thresholds():
    """The Lovász extension in Choquet's form: the set function of {errors above t}, integrated over t from 0 to 1."""
    rng = np.random.default_rng(1)
    labels, logits = rng.integers(0, 2, (1, 3, 4)), rng.standard_normal((1, 3, 4, 2)).astype(np.float32)
    probability = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = 0
    for c in range(2):
        truth = labels == c
        errors = np.abs(truth - probability[..., c])
        levels = np.sort(np.append(errors.ravel(), 0))
        for low, high in itertools.pairwise(levels):
            wrong = errors > low
            expected += (high - low) * jaccard_loss(truth, truth ^ wrong) / 2
    assert float(Lovasz()(labels, logits)) == pytest.approx(expected, rel=1e-5)


def test_dice_of_the_formula():
    rng = np.random.default_rng(2)
    labels, logits = rng.integers(0, 3, (2, 4, 5)), rng.standard_normal((2, 4, 5, 3)).astype(np.float32)
    labels[1, 2:] = 255
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) * (labels != 255)[..., None]
    t = np.eye(3)[np.where(labels == 255, 0, labels)] * (labels != 255)[..., None]
    values = 1 - 2 * (p * t).sum((0, 1, 2)) / (p.sum((0, 1, 2)) + t.sum((0, 1, 2)))
    assert float(Dice()(labels, logits)) == pytest.approx(values.mean(), rel=1e-5)
    weighted = float(Dice(class_weights=[1, 2, 3])(labels, logits))
    assert weighted == pytest.approx((values * [1, 2, 3]).sum() / 6, rel=1e-5)


def test_a_batch_without_labels_costs_nothing():
    logits = np.ones((1, 4, 4, 3), np.float32)
    for loss in (CrossEntropy(), CrossEntropy(over_all=True), OhemCrossEntropy(), Lovasz()):
        assert float(loss(np.full((1, 4, 4), 255), logits)) == 0


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

"""FCOS beside mmdet 3.3.0: every map, every detection, every loss; and what the official form does otherwise."""

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.architecture import ARCHITECTURES
from hrnet_keras.backbone import trunk
from hrnet_keras.representations import aggregate
from hrnet_keras.tasks import TASKS, HeadSpec
from hrnet_keras.tasks.detection.frameworks import fcos
from hrnet_keras.tasks.detection.parts.truths import Truths
from tests.tasks.detection.frameworks.goldens import matched, picture_of
from tests.tasks.detection.parts.reference import network_golden, state_of

CASE = "det_fcos_w18_128x192"


@pytest.fixture(scope="module")
def golden():
    return network_golden(CASE)


@pytest.fixture(scope="module")
def detector(golden, weights_rule):
    """By mmdet's conventions, told how large the picture is: the golden's has numbers in its padding, too."""
    conventions = TASKS["det"].conventions_of("mmlab", "fcos")
    images, sizes = keras.Input((None, None, 3)), keras.Input((2,))
    pyramid = aggregate(trunk(images, ARCHITECTURES["W18"], conventions), HeadSpec("V2p", "fcos", 80, conventions))
    model = keras.Model([images, sizes], fcos.build(pyramid, sizes, 80, fcos.rules_of("mmlab")))
    report = hk.load_torch_weights(model, state_of(*golden, weights_rule))
    assert report.missing == report.unused == ()
    assert sum(np.prod(v.shape) for v in model.trainable_variables) == golden[0]["params"]
    return model, pyramid


@pytest.fixture(scope="module")
def answered(golden, detector):
    model, pyramid = detector
    picture, size = picture_of(golden[0])
    outputs = {"pyramid": pyramid, **model.output}
    for word in ("logits", "distances", "centerness"):
        outputs[word] = [model.get_layer(f"points.{word}.{i}").output for i in range(5)]
    return keras.tree.map_structure(keras.ops.convert_to_numpy, keras.Model(model.input, outputs)([picture, size]))


def test_maps(golden, answered):
    _, arrays = golden
    for ours, theirs in (("pyramid", "fpn"), ("logits", "cls"), ("distances", "reg"), ("centerness", "ctr")):
        for i, level in enumerate(answered[ours]):
            expected = arrays[f"{theirs}_{i}"].transpose(0, 2, 3, 1)
            assert np.abs(level.reshape(expected.shape) - expected).max() < 1e-4 * expected.std(), (ours, i)


def test_detections_one_by_one(golden, answered):
    meta, arrays = golden
    count, distance, match = matched(meta, arrays, answered)
    assert answered["valid"][0] == count and len(set(match)) == count
    assert distance < 0.02
    assert np.abs(answered["scores"][0][match] - arrays["det_scores"]).max() < 1e-3


def test_losses(golden, detector, answered):
    meta, arrays = golden
    targets = {"boxes": arrays["gt_boxes"][None], "labels": arrays["gt_labels"][None].astype(np.int32)}
    learner = fcos.Learner.of(detector[0], fcos.rules_of("mmlab"), None)
    levels = [keras.ops.convert_to_tensor(level) for level in answered["pyramid"]]
    losses = learner(levels, Truths.of(targets, picture_of(meta)[1]))
    assert list(losses) == list(fcos.LOSSES)
    for word, value in losses.items():
        assert float(keras.ops.sum(value)) == pytest.approx(float(arrays[word]), rel=1e-3), word

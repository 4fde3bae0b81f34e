"""Scales, mirroring and windows against maps of the official code with a stand-in network (both branches' goldens)."""

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.segmentation.protocol import MULTI_SCALE, Protocol, score_map

BLACK = -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]  # of normalised pictures
LIP_PAIRS = ((14, 15), (16, 17), (18, 19))


def stand_in(kernel, bias=None, *, padding):
    """The goldens' network: one convolution of stride 4."""
    kernel = kernel.transpose(2, 3, 1, 0)

    def forward(x):
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        found = keras.ops.conv(padded.astype(np.float32), kernel, strides=4, padding="valid")
        return np.asarray(found) + (0 if bias is None else bias)

    return forward


def compare(image, forward, protocol, expected, **options):
    found = score_map(image[0].transpose(1, 2, 0), forward, protocol, padding=BLACK, **options)
    expected = expected[0].transpose(1, 2, 0)
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()
    assert (found.argmax(-1) == expected.argmax(-1)).mean() > 0.999


@pytest.mark.parametrize("aligned", [0, 1])
@pytest.mark.parametrize("kind", ["single", "flip", "ms_flip"])
def test_ocr_branch(golden, kind, aligned):
    _, arrays = golden("segmentation", "seg_num_inference")
    forward = stand_in(arrays["conv_w"], arrays["conv_b"], padding=1)
    flip, scales = "flip" in kind, MULTI_SCALE if "ms" in kind else (1.0,)
    whole = Protocol("cityscapes", (32, 64), 96, scales, flip)
    compare(arrays["image"], forward, whole, arrays[f"cityscapes_{kind}_ac{aligned}"], align_corners=bool(aligned))
    if f"general_{kind}_ac{aligned}" in arrays:
        windows = Protocol("windows", (40, 40), 80, (*scales, 2.0) if "ms" in kind else scales, flip)
        compare(arrays["image2"], forward, windows, arrays[f"general_{kind}_ac{aligned}"], align_corners=bool(aligned))


@pytest.mark.parametrize("aligned", [0, 1])
def test_mirrored_people_change_sides(golden, aligned):
    _, arrays = golden("segmentation", "seg_num_inference")
    forward = stand_in(arrays["conv20_w"], arrays["conv20_b"], padding=1)
    image = arrays["image"][..., :48]
    protocol = Protocol("fixed", (48, 48), flip=True)
    expected = arrays[f"lip_flip_ac{aligned}"]
    compare(image, forward, protocol, expected, align_corners=bool(aligned), flip_pairs=LIP_PAIRS)


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize("scale", ["s1", "s0.5", "ms"])
def test_pytorch_11_branch_windows(golden, scale, flip):
    _, arrays = golden("segmentation", "seg_inference")
    scales = {"s1": (1.0,), "s0.5": (0.5,), "ms": (*MULTI_SCALE, 2.0)}[scale]
    protocol = Protocol("windows", (48, 48), 52, scales, bool(flip))
    forward = stand_in(arrays["in_conv"], padding=3)
    compare(arrays["in_base_image"], forward, protocol, arrays[f"out_base_{scale}_flip{flip}"])


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize("scale", ["s1", "s1.5", "ms"])
def test_pytorch_11_branch_cityscapes(golden, scale, flip):
    _, arrays = golden("segmentation", "seg_inference")
    scales = {"s1": (1.0,), "s1.5": (1.5,), "ms": MULTI_SCALE}[scale]
    protocol = Protocol("cityscapes", (48, 96), 96, scales, bool(flip))
    forward = stand_in(arrays["in_conv"], padding=3)
    compare(arrays["in_cityscapes_image"], forward, protocol, arrays[f"out_cityscapes_{scale}_flip{flip}"])


@pytest.mark.parametrize("flip", [0, 1])
def test_pytorch_11_branch_lip(golden, flip):
    _, arrays = golden("segmentation", "seg_inference")
    forward = stand_in(arrays["in_conv20"], padding=3)
    protocol = Protocol("fixed", (37, 37), flip=bool(flip))
    compare(arrays["in_lip_image"], forward, protocol, arrays[f"out_lip_flip{flip}"], flip_pairs=LIP_PAIRS)


def test_impossible_protocols_are_named():
    for options, expected in (
        ({"rule": "halves"}, "rule='halves': expected one of 'whole'"),
        ({"rule": "windows"}, "rule='windows' needs window="),
        ({"scales": (0.5, 0)}, r"scales=\(0\.5, 0\): expected numbers above 0"),
    ):
        with pytest.raises(ValueError, match=expected):
            Protocol(**options)

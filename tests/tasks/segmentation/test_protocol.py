"""Scales, mirroring and windows against maps of the official code with a stand-in network (both branches' goldens)."""

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.segmentation.protocol import (
    MULTI_SCALE,
    MULTI_SCALE_TO_2,
    Protocol,
    changed,
    published_protocol,
)  # fmt: skip
from hrnet_keras.tasks.segmentation.score_map import _prepared, score_map, short_side_size

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
        ({"mode": "halves"}, "mode='halves': expected one of 'whole'"),
        ({"mode": "windows"}, "mode='windows' needs window="),
        ({"mode": "sliding", "window": (4, 4)}, "mode='sliding' needs stride="),
        ({"combine": "sum"}, "combine='sum': expected 'exp' or 'softmax'"),
        ({"scales": (0.5, 0)}, r"scales=\(0\.5, 0\): expected numbers above 0"),
    ):
        with pytest.raises(ValueError, match=expected):
            Protocol(**options)


@pytest.mark.parametrize("kind", ["a", "b"])
def test_the_ocr_branch_first_brings_the_short_side_to_size(golden, kind):
    """Padding with the mean colour to multiples of 8, both ways up; OpenCV rounds to whole grey levels."""
    _, arrays = golden("segmentation", "seg_transforms")
    expected = arrays[f"short52_{kind}_image"][..., ::-1]
    source = arrays["image"] if kind == "a" else arrays["image"].transpose(1, 0, 2)
    found, filled = _prepared(np.float32(source[..., ::-1]), Protocol(first_short_size=52))
    assert found.shape == expected.shape
    np.testing.assert_array_equal(np.subtract(found.shape[:2], filled), arrays[f"short52_{kind}_pad_hw"])
    assert np.abs(found - expected).max() <= 1
    assert short_side_size(source.shape[:2], 52) == filled


def softmax(logits):
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def test_mmsegmentation_slides_its_window_over_logits_and_averages_probabilities():
    """The rule written out for one axis: windows of 6, 4 apart, over 11 pixels begin at 0, 4 and (moved back) 5."""
    image = np.random.default_rng(0).normal(size=(6, 11, 3)).astype(np.float32)

    def forward(x):  # a net that sees where it is, so that windows differ
        return np.cumsum(x, axis=2)

    found = score_map(image, forward, Protocol("sliding", (6, 6), stride=(6, 4), combine="softmax"))
    total, seen = np.zeros((6, 11, 3)), np.zeros((1, 11, 1))
    for start in (0, 4, 5):
        total[:, start : start + 6] += forward(image[None, :, start : start + 6])[0]
        seen[:, start : start + 6] += 1
    np.testing.assert_allclose(found, softmax(total / seen), atol=1e-6)

    both = score_map(image, forward, Protocol(flip=True, combine="softmax"))
    mirrored = forward(image[None, :, ::-1])[0][:, ::-1]
    np.testing.assert_allclose(both, (softmax(forward(image[None])[0]) + softmax(mirrored)) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "data", "expected"),
    [((1024, 2048), "cityscapes", (1024, 2048)), ((500, 375), "pascal_context_59", (520, 390)),
     ((300, 400), "ade20k", (512, 683)), ((200, 1600), "ade20k", (256, 2048))],
)  # fmt: skip
def test_mmsegmentation_keeps_pictures_within_two_sides(size, data, expected):
    """mmcv's rule: the largest size within (long, short) at the picture's own shape, rounded half up."""
    shown = []
    protocol = published_protocol(data, {"branch": "mmsegmentation"})
    sizes = Protocol(base_size=protocol.base_size, short_size=protocol.short_size, combine="softmax")
    score_map(np.zeros((*size, 3), np.float32), lambda x: shown.append(x.shape[1:3]) or x, sizes)
    assert shown == [expected]


def test_the_earlier_word_for_a_mode_still_works():
    assert changed(Protocol(), {"rule": "fixed", "window": (4, 4)}) == Protocol("fixed", (4, 4))


def test_published_scores_name_their_rules():
    assert published_protocol("cityscapes").scales == (1.0,)
    many = published_protocol("pascal_context_59", {"multi_scale": True, "flip": True})
    assert (many.mode, many.window, many.scales, many.flip) == ("windows", (480, 480), MULTI_SCALE_TO_2, True)
    ocr = published_protocol("pascal_context_59", {"branch": "HRNet-OCR"})
    assert ocr.window == (520, 520) and ocr.first_short_size == 520
    mmseg = published_protocol("pascal_context_60", {"branch": "mmsegmentation", "multi_scale": True})
    assert (mmseg.mode, mmseg.stride, mmseg.scales, mmseg.combine) == ("sliding", (320, 320), MULTI_SCALE, "softmax")
    assert published_protocol("camvid") == Protocol()

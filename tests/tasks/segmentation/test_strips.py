"""Label maps made strip by strip are those of the logits resized as a whole."""

import numpy as np
import pytest

from hrnet_keras.layers.resizing import resize_bilinear
from hrnet_keras.tasks.segmentation import strips
from hrnet_keras.tasks.segmentation.decoding import decode


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(
    ("source", "target"),
    [((50, 70), (200, 280)), ((50, 70), (199, 277)), ((16, 16), (301, 33)), ((33, 20), (20, 10)), ((1, 1), (70, 5))],
)
def test_strips_make_the_same_map(source, target, aligned):
    logits = np.random.default_rng(0).normal(size=(*source, 7)).astype(np.float32)
    whole = np.asarray(resize_bilinear(logits[None], target, align_corners=aligned))
    expected = decode(whole, scores=True)
    found = strips.decode_at(logits, target, align_corners=aligned, scores=True)
    top = np.sort(whole[0], -1)
    sure = top[..., -1] - top[..., -2] > 1e-6  # two bits of a logit
    assert sure.mean() > 0.999 and found["label_map"].dtype == np.uint8
    np.testing.assert_array_equal(found["label_map"][sure], np.asarray(expected["label_map"][0])[sure])
    np.testing.assert_allclose(found["scores"], np.asarray(expected["scores"][0]), atol=1e-6)
    assert set(strips.decode_at(logits, target)) == {"label_map"}


def test_more_classes_than_a_byte_counts():
    logits = np.zeros((2, 2, 300), np.float32)
    logits[..., 299] = 1
    found = strips.decode_at(logits, (130, 3))["label_map"]
    assert found.dtype == np.int32 and (found == 299).all()

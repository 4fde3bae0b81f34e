"""HTC's mask heads beside mmdet's numbers, under mmdet's names: in a row, and each as it is trained."""

import keras
import numpy as np
import pytest

from hrnet_keras.tasks.detection.parts.extractor import FusedExtractor
from hrnet_keras.tasks.detection.parts.mask_flow import MaskFlow
from hrnet_keras.tasks.detection.parts.mask_stages import MaskOfHeads, take_masks_of
from hrnet_keras.tasks.detection.parts.roi_samples import ALIGNED
from tests.tasks.detection.parts.reference import fill, network_golden, pyramid, state_of


@pytest.fixture(scope="module")
def flow(weights_rule):
    meta, arrays = network_golden("det_htc_w18_128x192")
    features = keras.Input((14, 14, 256))
    model = keras.Model(features, MaskFlow.create(num_masks=80)(features))
    fill(model, state_of(meta, arrays, weights_rule), "roi_head.mask_head.")
    return model, arrays


@pytest.fixture(scope="module")
def seen(flow):
    """Features of the golden's first boxes, of both branches."""
    _, arrays = flow
    semantic = arrays["semantic_feat"].transpose(0, 2, 3, 1)
    return FusedExtractor(pyramid(arrays, 5), semantic, 14, ALIGNED)(arrays["rois"][None, :4, 1:])


def close(found, expected):
    return np.abs(np.asarray(found).transpose(0, 3, 1, 2) - expected).max() < 2e-4 * expected.std()


def test_features(flow, seen):
    _, arrays = flow
    assert close(seen, arrays["roi_feats14_4"] + arrays["semantic_roi_feats4"])


def test_heads_in_a_row(flow, seen):
    model, arrays = flow
    all_logits = model(seen)
    assert close(all_logits[-1], arrays["mask_logits4"])
    probabilities = [keras.ops.sigmoid(logits) for logits in all_logits]
    assert close(MaskOfHeads()(probabilities), arrays["mask_prob4_mean3"])
    assert MaskOfHeads(heads="last")(probabilities) is probabilities[-1]


@pytest.mark.parametrize("k", range(3))
def test_heads_as_they_are_trained(flow, seen, k):
    model, arrays = flow
    assert close(MaskFlow.of(model).of_stage(k, seen[:2]), arrays[f"mask_logits2_train_s{k}"])


def test_which_heads_answer(tmp_path):
    masks = [keras.Input((3, 2, 2)) for _ in range(3)]
    model = keras.Model(masks, MaskOfHeads()(masks))
    values = [np.full((1, 3, 2, 2), i, np.float32) for i in (0, 3, 9)]
    assert (model.predict(values, verbose=0) == 4).all()
    take_masks_of(model, "last")
    assert (model.predict(values, verbose=0) == 9).all()
    model.save(tmp_path / "model.keras")
    assert (keras.models.load_model(tmp_path / "model.keras").predict(values, verbose=0) == 9).all()
    with pytest.raises(ValueError, match="heads='best': expected one of 'mean', 'last'"):
        take_masks_of(model, "best")
    with pytest.raises(ValueError, match="no masks of several heads"):
        take_masks_of(keras.Model(masks, masks), "last")

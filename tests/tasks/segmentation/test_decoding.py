"""Logits to class ids and probabilities."""

import numpy as np

from hrnet_keras.tasks.segmentation.decoding import decode


def test_the_largest_logit_wins_and_scores_are_its_softmax():
    logits = np.random.default_rng(0).normal(0, 30, (2, 5, 6, 4)).astype(np.float32)
    answer = {name: np.asarray(value) for name, value in decode(logits, scores=True).items()}
    exponent = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    np.testing.assert_array_equal(answer["label_map"], logits.argmax(-1))
    np.testing.assert_allclose(answer["scores"], (exponent / exponent.sum(-1, keepdims=True)).max(-1), rtol=1e-5)
    assert answer["label_map"].dtype == np.uint8


def test_more_than_256_classes_do_not_wrap_round():
    logits = np.zeros((1, 1, 1, 300), np.float32)
    logits[..., 299] = 1
    assert np.asarray(decode(logits)["label_map"]).item() == 299


def test_logits_that_are_no_numbers_have_no_class():
    logits = np.tile(np.array([1.0, 3, 2], np.float32), (1, 2, 2, 1))
    logits[0, 0, 1, 2], logits[0, 1, 0, 0] = np.nan, np.inf
    found = decode(logits, scores=True)
    np.testing.assert_array_equal(found["label_map"], [[[1, 255], [255, 1]]])
    share = np.exp(3) / np.exp([1, 3, 2]).sum()
    np.testing.assert_allclose(found["scores"], [[[share, 0], [0, share]]], rtol=1e-6)

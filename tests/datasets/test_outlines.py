"""Outlines in COCO's forms, beside pycocotools."""

import numpy as np
import pytest

from hrnet_keras.datasets.outlines import checked_segment, run_lengths_of, unpacked


@pytest.mark.parametrize("seed", range(40))
def test_run_lengths_are_pycocotools(seed):
    from pycocotools import mask as run_lengths

    rng = np.random.default_rng(seed)
    size = tuple(int(side) for side in rng.integers(1, 300, 2))
    mask = rng.uniform(size=size) < rng.choice([0, 0.001, 0.02, 0.5, 0.99, 1])
    ours = run_lengths_of(mask)
    theirs = run_lengths.encode(np.asfortranarray(mask))
    assert run_lengths.frPyObjects(ours, *size) == theirs
    assert unpacked(theirs["counts"]) == unpacked(theirs["counts"].decode()) == ours["counts"]
    stored = {"size": list(size), "counts": theirs["counts"].decode()}
    assert checked_segment(stored, size, "a") is stored


@pytest.mark.parametrize("text", ["", " ", "a", "abcdefg", "\x7f", "o" * 20 + "0", "é"])
def test_texts_that_are_none(text):
    assert unpacked(text) is None

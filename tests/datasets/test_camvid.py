"""CamVid's info against the README and the files of its sample."""

import math
import re

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import camvid


@pytest.fixture
def root(samples):
    return samples / "camvid"


def test_splits(root):
    """367 training and 101 validation frames (Badrinarayanan et al., arXiv:1511.00561, section 4.1)."""
    train, val = (datasets.load("camvid", split, root) for split in ("train", "val"))
    assert (len(train), len(val)) == (367, 101)
    assert not set(train.names) & set(val.names)
    example = val.example(3)
    assert example["image"].shape == (360, 480, 3) and example["image"].dtype == np.uint8
    assert example["label_map"].shape == (360, 480) and example["label_map"].dtype == np.uint8
    assert example["name"] == val.names[3] == val.image_files[3].stem == val.label_files[3].stem


def test_class_names_and_weights_follow_the_readme(root):
    text = (root / "README.md").read_text()
    classes = {int(i): name for i, name in re.findall(r"\| (\d+) \| (\w+) (?=\|)", text)}
    assert camvid.INFO.class_names == tuple(classes[i] for i in range(11))
    paragraph = " ".join(text[text.index("Pixels per class") :].split())
    pixels = {name: int(count) for name, count in re.findall(r"(\w+) (\d+)[,.]", paragraph)}
    total = sum(count for name, count in pixels.items() if name != "void")
    weights = np.array([1 / math.log(1.10 + pixels[name] / total) for name in camvid.INFO.class_names])
    np.testing.assert_allclose(camvid.INFO.class_weights, weights / weights.mean(), rtol=1e-12)


def test_palette_is_that_of_the_label_files(root):
    with Image.open(datasets.load("camvid", "val", root).label_files[0]) as picture:
        colours = np.reshape(picture.getpalette()[:33], (11, 3))
    np.testing.assert_array_equal(camvid.INFO.palette, colours)


def test_every_file_is_sound(root):
    assert datasets.validate(datasets.load("camvid", "val", root)) == []


def test_errors(tmp_path):
    with pytest.raises(ValueError, match='split=\'test\': camvid has "train" and "val"'):
        datasets.load("camvid", "test", tmp_path)
    with pytest.raises(datasets.DataError, match="expected root"):
        datasets.load("camvid", "train")
    with pytest.raises(datasets.DataError, match="no such folder"):
        datasets.load("camvid", "train", tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"name='camvit': did you mean 'camvid'"):
        datasets.load("camvit", "train", tmp_path)

"""Broken files are found without decoding every picture."""

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from tests import published_sets, streets


def test_a_whole_set_has_no_problems(tmp_path):
    for folder, kind in (("png", "png"), ("jpg", "jpg")):
        root = streets.draw(tmp_path / folder, count=3)
        if kind == "jpg":
            for file in (root / "images").iterdir():
                Image.open(file).save(file.with_suffix(".jpg"))
                file.unlink()
        found = datasets.load("folder", "train", root)
        assert datasets.validate_headers(found) == datasets.validate(found) == []
    assert datasets.validate_headers(datasets.load("toytown", "train")) == []


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_cut_strange_and_mismatched_files_are_named(tmp_path, suffix):
    root = streets.draw(tmp_path, count=5, size=(60, 80))
    for file in sorted((root / "images").iterdir()):
        picture = Image.open(file)
        file.unlink()
        picture.save(file.with_suffix(suffix))
    images, labels = sorted((root / "images").iterdir()), sorted((root / "labels").iterdir())
    data = images[0].read_bytes()
    images[0].write_bytes(data[: len(data) * 2 // 3])
    images[1].write_bytes(b"not a picture")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(labels[2])
    Image.fromarray(np.full((60, 80), 77, np.uint8)).save(labels[3])
    found = datasets.validate_headers(datasets.load("folder", "train", root))
    assert [name for name, _ in found] == ["0", "1", "2", "3"]
    for (_, reason), words in zip(found, ("0" + suffix, "1" + suffix, "9x9", "holds class ids 77"), strict=True):
        assert words in reason
    assert [name for name, _ in datasets.validate(datasets.load("folder", "train", root))] == ["0", "1", "2", "3"]


def test_something_behind_the_end_of_a_picture_is_no_problem(tmp_path):
    root = published_sets.imagenet(tmp_path, {"train": 1})
    found = datasets.load("imagenet", "train", root)
    with open(found.image_files[0], "ab") as file:
        file.write(bytes(10_000))
    assert datasets.validate_headers(found) == []
    whole = found.image_files[1].read_bytes()
    found.image_files[1].write_bytes(whole[:-500])
    assert [name for name, _ in datasets.validate_headers(found)] == [found.names[1]]


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_cut_short_shows_whatever_its_format_and_name(tmp_path, kind):
    root = streets.draw(tmp_path, count=2, size=(60, 80))
    for file in sorted((root / "images").iterdir()):
        Image.open(file).save(file, kind)
    found = datasets.load("folder", "train", root)
    assert datasets.validate_headers(found) == []
    whole = found.image_files[1].read_bytes()
    found.image_files[1].write_bytes(whole[: len(whole) * 2 // 3])
    ((name, reason),) = datasets.validate_headers(found)
    assert name == "1" and "1.png: cannot be read as a picture" in reason

"""Turning by EXIF, against Pillow's own."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from hrnet_keras.datasets import read_image
from hrnet_keras.transforms import upright

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 3), dtype=np.uint8)


def stored(path, orientation, pixels=PIXELS):
    exif = Image.Exif()
    exif[upright.TAG] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_turns_as_pillow_does_and_back(tmp_path, orientation, ending):
    path = stored(tmp_path / f"a.{ending}", orientation)
    pixels = read_image(path)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    assert upright.orientation_of(path) == orientation
    found = upright.turned(pixels, orientation)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(upright.turned(found, upright.BACK[orientation]), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_and_boxes_turn_with_the_pixels(orientation):
    mask = np.zeros((5, 8), bool)
    mask[1, 6] = True
    ((row, column),) = np.argwhere(upright.turned(mask, orientation))
    found = upright.turned_points([[[6.0, 1.0]]], orientation, (5, 8))
    np.testing.assert_array_equal(found, [[[column, row]]])
    mask[1:3, 2:7] = True  # the box 2..7, 1..3
    rows, columns = np.nonzero(upright.turned(mask, orientation))
    boxes = upright.turned_boxes([[2, 1, 7, 3]], orientation, (5, 8))
    np.testing.assert_array_equal(boxes, [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
    assert upright.turned_boxes(np.zeros((0, 4)), orientation, (5, 8)).shape == (0, 4)


def test_pillow_turns_tiff_files_itself(tmp_path):
    path = stored(tmp_path / "a.tif", 6)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(upright.turned(read_image(path), upright.orientation_of(path)), expected)


def test_what_says_nothing_of_use_turns_nothing(tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    Image.fromarray(PIXELS).save(tmp_path / "plain.png")
    for path in (tmp_path / "bad.jpg", tmp_path / "plain.png", tmp_path / "gone.jpg", stored(tmp_path / "9.png", 9)):
        assert upright.orientation_of(path) == 1

"""The official crop of a face: exact, against crops and points that the official code made."""

import numpy as np
import pytest

from hrnet_keras.tasks.landmark.crop import crop, crop_matrix, from_crop, to_crop


def near(found, expected):
    """The goldens' tolerance of crops: at most one grey level on more than 99.5 % of the pixels, at most four."""
    difference = np.abs(found.astype(int) - expected)
    assert found.dtype == np.uint8
    assert (difference <= 1).mean() > 0.995 and difference.max() <= 4


def test_matrices_and_points(golden):
    _, arrays = golden("landmark", "landmark_crop_transform")
    for i, (center, scale) in enumerate(zip(arrays["in_center_xy"], arrays["in_scale"], strict=True)):
        rotation = arrays["in_rot_deg"][i]
        np.testing.assert_allclose(
            crop_matrix(center, scale, 64, rotation), arrays["out_matrix64"][i], rtol=1e-9, atol=1e-9
        )
        found = to_crop(arrays["in_points"][i], center, scale, 64, rotation)
        np.testing.assert_array_equal(found, arrays["out_points64"][i])
        found = from_crop(arrays["in_points_inverse"][i], center, scale, 64)
        np.testing.assert_array_equal(found, arrays["out_points_inverse64"][i])


@pytest.mark.parametrize(("side", "prefix", "result"), [(64, "in", "out_crop64"), (256, "in_c256", "out_crop256")])
def test_crops(golden, side, prefix, result):
    _, arrays = golden("landmark", "landmark_crop_transform")
    for i, index in enumerate(arrays[f"{prefix}_image_index"]):
        found = crop(
            arrays[f"in_image{index}"],
            arrays[f"{prefix}_center_xy"][i],
            arrays[f"{prefix}_scale"][i],
            side=side,
            rotation=arrays[f"{prefix}_rot_deg"][i],
            stretch_first=not arrays[f"{prefix}_image_given_as_uint8"][i],
        )
        near(found, arrays[result][i])


def test_grey_levels_are_stretched():
    picture = np.random.default_rng(0).integers(100, 150, (300, 300, 3), dtype=np.uint8)
    found = crop(picture, (150, 150), 1.28)  # 256 pixels shown in 256
    assert found.min() == 0 and found.max() == 255
    flat = crop(np.full((300, 300, 3), 90, np.uint8), (150, 150), 1.28)
    assert (flat == 0).all()


@pytest.mark.parametrize("rotation", [0.0, 25.0])
def test_faces_beyond_the_picture_and_tiny_ones_are_black_or_cut(rotation):
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    assert not crop(picture, (5000, 5000), 0.2, rotation=rotation).any()
    assert not crop(picture, (15, 20), 60, rotation=rotation).any()  # less than two pixels would be left
    assert crop(picture, (15.3, 20.3), 0.001, rotation=rotation).shape == (256, 256, 3)
    strip = np.random.default_rng(0).integers(0, 256, (1, 900, 3), dtype=np.uint8)
    assert crop(strip, (450, 0), 4, rotation=rotation).any()


def test_empty_boxes_are_named():
    for scale in (0, -1.0, np.nan):
        with pytest.raises(ValueError, match=f"scale={scale}: expected a positive number"):
            crop(np.zeros((9, 9, 3), np.uint8), (1, 1), scale)

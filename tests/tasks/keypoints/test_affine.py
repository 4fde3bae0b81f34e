"""Boxes to centres and scales, and the maps that cut them out, against the official code and mmpose."""

import numpy as np
import pytest

from hrnet_keras.tasks.keypoints.affine import (
    center_scale,
    crop_matrix,
    fix_aspect,
    inverse,
    transform,
    udp_matrix,
    warp,
)


def test_boxes_become_centres_and_scales(golden):
    _, arrays = golden("pose", "pose_box2cs")
    corner, sides = np.split(arrays["in_box_xywh"], 2, axis=1)
    centers, scales = center_scale(np.concatenate([corner, corner + sides], axis=1), aspect_ratio=192 / 256)
    np.testing.assert_allclose(centers, arrays["out_center_256x192"], rtol=1e-5)
    np.testing.assert_allclose(scales, arrays["out_scale_256x192"], rtol=1e-5)


def test_without_an_aspect_ratio_the_scale_is_the_boxs_own():
    centers, scales = center_scale([[100, 50, 300, 450]], padding=1.5)
    np.testing.assert_allclose(centers, [[200, 250]])
    np.testing.assert_allclose(scales, [[1.5, 3.0]])


@pytest.mark.parametrize("case", ["pose_warp", "pose_warp_opencv4"])
def test_official_matrices_and_points(golden, case):
    _, arrays = golden("pose", case)
    for i, center in enumerate(arrays["in_center"]):
        size = (64, 64) if i < 6 else (64, 48)
        matrix = crop_matrix(center, arrays["in_scale"][i], size, arrays["in_rot_deg"][i])
        # The reference solves for the matrix in float32: an element's error is that of the largest beside it.
        assert np.abs(matrix - arrays["out_matrix"][i]).max() < 1e-4 * np.abs(arrays["out_matrix"][i]).max()
        back = inverse(matrix)
        assert np.abs(back - arrays["out_matrix_inv"][i]).max() < 1e-4 * np.abs(arrays["out_matrix_inv"][i]).max()
        points = arrays["in_points"][i]
        np.testing.assert_allclose(transform(points, matrix), arrays["out_points_fwd"][i], atol=1e-3)
        np.testing.assert_allclose(transform(points, back), arrays["out_points_inv"][i], atol=1e-3)


def test_official_crops_of_either_opencv(golden):
    pytest.importorskip("cv2")
    worst = {}
    for case in ("pose_warp", "pose_warp_opencv4"):
        _, arrays = golden("pose", case)
        differences = []
        for i, index in enumerate(arrays["in_image_index"]):
            expected = arrays["out_crop64" if i < 6 else "out_crop48"][i % 6]
            matrix = crop_matrix(
                arrays["in_center"][i], arrays["in_scale"][i], expected.shape[:2], arrays["in_rot_deg"][i]
            )
            found = warp(arrays[f"in_image{index}"], matrix, expected.shape[:2])
            differences.append(np.abs(found.astype(int) - expected))
        worst[case] = max(difference.max() for difference in differences)
        assert max(difference.mean() for difference in differences) < 0.6 and worst[case] <= 4
    assert min(worst.values()) <= 1  # one of the two made by the OpenCV at hand


def test_mmpose_matrices(golden):
    _, arrays = golden("pose", "mmpose_warp")
    size = (256, 192)
    for i, center in enumerate(arrays["in_center"]):
        pixels = fix_aspect(arrays["in_scale"][i], size[1] / size[0])
        np.testing.assert_allclose(pixels, arrays["out_scale_fixed"][i], rtol=1e-6)
        for function, word in ((crop_matrix, "out_matrix"), (udp_matrix, "out_matrix_udp")):
            found, expected = function(center, pixels / 200, size, arrays["in_rot_deg"][i]), arrays[word][i]
            assert np.abs(found - expected).max() < 1e-4 * max(1, np.abs(expected).max()), (i, word)


def test_the_inverse_is_mmposes_way_back(golden):
    """Input pixels / input size * scale + centre - scale / 2; the UDP codec's input pixels count to size - 1."""
    _, arrays = golden("pose", "mmpose_warp")
    size = np.array([192, 256])
    points = np.random.default_rng(0).uniform(0, 256, (17, 2))
    for center, scale in zip(arrays["in_center"], arrays["out_scale_fixed"], strict=True):
        expected = points / size * scale + center - scale / 2
        found = transform(points, inverse(crop_matrix(center, scale / 200, size[::-1])))
        np.testing.assert_allclose(found, expected, atol=1e-9)
        found = transform(points * (size - 1) / size, inverse(udp_matrix(center, scale / 200, size[::-1])))
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_positive_rotation_turns_counter_clockwise():
    right_of_the_middle = transform([[110, 100]], crop_matrix((100, 100), 1, (200, 200), 90))
    np.testing.assert_allclose(right_of_the_middle, [[100, 90]], atol=1e-9)  # y counts downward


def test_beyond_the_picture_is_black():
    pytest.importorskip("cv2")
    picture = np.full((40, 40, 3), 200, np.uint8)
    found = warp(picture, crop_matrix((0, 20), 0.2, (40, 40)), (40, 40))
    assert (found[:, :19] == 0).all() and (found[:, 20:] == 200).all()
    assert found.dtype == np.uint8


def test_an_empty_box_is_named():
    with pytest.raises(ValueError, match=r"scale=\[0\. 1\.\]: expected positive numbers"):
        crop_matrix((0, 0), np.array([0.0, 1.0]), (64, 64))
    with pytest.raises(ValueError, match="scale=nan"):
        udp_matrix((0, 0), np.nan, (64, 64))

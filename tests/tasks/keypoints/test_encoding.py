"""Heat maps that networks learn, against the official pose code and mmpose."""

import numpy as np
import pytest

from hrnet_keras.tasks.keypoints.encoding import encode

MMPOSE = {"msra": "msra", "dark": "dark", "udp": "udp"}
CASES = [("landmark", "mmpose_codec_face"), ("landmark", "mmpose_codec_face_s1p5"), ("pose", "mmpose_codec_body")]


@pytest.mark.parametrize("case", ["pose_target_256x192", "pose_target_384x288"])
def test_official_pose(golden, case):
    _, arrays = golden("pose", case)
    sizes = {
        "input_size": arrays["in_image_size_wh"][::-1],
        "map_size": arrays["in_heatmap_size_wh"][::-1],
        "sigma": int(arrays["in_sigma"]),
    }
    for i, (joints, visible) in enumerate(zip(arrays["in_joints"], arrays["in_joints_vis"], strict=True)):
        maps, weights = encode(joints[:, :2], visible[:, 0], codec="official", **sizes)
        np.testing.assert_allclose(maps.transpose(2, 0, 1), arrays["out_target"][i], atol=1e-6)
        np.testing.assert_array_equal(weights, arrays["out_target_weight"][i, :, 0])
        assert maps.dtype == weights.dtype == np.float32


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_mmpose(golden, kind, case):
    _, arrays = golden(kind, case)
    sizes = {
        "input_size": arrays["in_input_size_wh"][::-1],
        "map_size": arrays["in_heatmap_size_wh"][::-1],
        "sigma": float(arrays["in_sigma"]),
    }
    there = [word for word in MMPOSE if f"out_{word}_heatmaps" in arrays]
    assert "msra" in there and "dark" in there
    for word in there:
        maps, weights = encode(arrays["in_keypoints"][0], arrays["in_visible"][0], codec=MMPOSE[word], **sizes)
        np.testing.assert_allclose(maps.transpose(2, 0, 1), arrays[f"out_{word}_heatmaps"], atol=1e-6)
        np.testing.assert_array_equal(weights, arrays[f"out_{word}_weights"][0])


def test_udp_combined_is_a_disc_and_the_way_to_its_centre():
    """Pixel by pixel after arXiv:1911.07524 with mmpose's radius."""
    rng = np.random.default_rng(3)
    points, visible = rng.uniform(-10, 260, (9, 2)), np.array([1, 1, 0, 2, 1, 1, 1, 0, 1])
    maps, weights = encode(points, visible, codec="udp_combined", input_size=(256, 192), map_size=(64, 48))
    np.testing.assert_array_equal(weights, visible > 0)
    expected = np.zeros((64, 48, 9, 3))
    radius = 0.0546875 * 64
    for k in np.flatnonzero(visible):
        x, y = points[k, 0] * 47 / 191, points[k, 1] * 63 / 255
        for row, column in np.ndindex(64, 48):
            right, down = (x - column) / radius, (y - row) / radius
            if right**2 + down**2 <= 1:
                expected[row, column, k] = 1, right, down
    assert expected[..., 0].sum() > 100
    np.testing.assert_allclose(maps, expected.reshape(64, 48, 27), atol=2e-6)


def test_what_an_unlabelled_point_says_does_not_matter():
    points = np.array([[100.0, 100.0], [np.nan, np.inf]])
    for codec in ("official", "msra", "dark", "udp", "udp_combined"):
        maps, weights = encode(points, [1, 0], codec=codec, input_size=(256, 256), map_size=(64, 64))
        per_point = maps.reshape(64, 64, 2, -1)
        assert np.isfinite(maps).all() and not per_point[:, :, 1].any() and per_point[:, :, 0].any()
        np.testing.assert_array_equal(weights, [1, 0])


def test_unknown_codecs_are_named():
    with pytest.raises(ValueError, match="codec='best': expected one of 'official', 'msra'"):
        encode(np.zeros((1, 2)), [1], codec="best", input_size=(64, 64), map_size=(16, 16))

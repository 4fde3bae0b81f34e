"""Joints from heat maps, against the official code and mmpose, and crops of the sample persons."""

import numpy as np
import pytest

from hrnet_keras.datasets import read_image
from hrnet_keras.tasks.keypoints.affine import crop_matrix, inverse, transform, warp
from hrnet_keras.tasks.keypoints.encoding import encode
from hrnet_keras.tasks.pose.decoding import decode


@pytest.mark.parametrize("case", ["pose_decode_coco", "pose_decode_mpii"])
def test_official(golden, case):
    _, arrays = golden("pose", case)
    maps = arrays["in_heatmaps"].transpose(0, 2, 3, 1)
    height, width = 4 * maps.shape[1], 4 * maps.shape[2]
    answer = decode(maps, input_size=(height, width))
    np.testing.assert_array_equal(answer["scores"], arrays["out_maxvals"][..., 0])
    points = np.asarray(answer["points"])
    is_near = np.abs(points / 4 - arrays["out_max_preds"]) <= 0.25
    assert is_near.all()  # out_max_preds lacks the quarter pixel
    for i, (center, scale) in enumerate(zip(arrays["in_center"], arrays["in_scale"], strict=True)):
        back = inverse(crop_matrix(center, scale, (height, width)))
        np.testing.assert_allclose(transform(points[i], back), arrays["out_final_preds_postprocess"][i], atol=1e-4)
        plain = transform(4 * arrays["out_max_preds"][i], back)
        np.testing.assert_allclose(plain, arrays["out_final_preds_plain"][i], atol=1e-4)


def test_steps_need_room_along_both_axes():
    maps = np.zeros((1, 12, 9, 5), np.float32)
    for k, (x, y) in enumerate([(2, 2), (1, 5), (5, 1), (7, 10), (4, 4)]):
        maps[0, y, x, k] = 1
        maps[0, y, x - 1, k] = maps[0, y + 1, x, k] = 0.5
    maps[..., 4] = -1
    points = np.asarray(decode(maps)["points"])[0] / 4
    np.testing.assert_allclose(points, [(1.75, 2.25), (1, 5), (5, 1), (6.75, 10.25), (0, 0)])


def test_mmpose(golden):
    _, arrays = golden("pose", "mmpose_codec_body")
    maps = arrays["in_heatmaps"].transpose(1, 2, 0)[None]
    for codec, word, tolerance in (("msra", "msra", 1e-5), ("dark", "dark", 1e-2)):
        found = decode(maps, codec=codec, input_size=(256, 192))
        np.testing.assert_allclose(found["points"], arrays[f"out_{word}_decoded"], atol=tolerance, rtol=0)


def test_sample_persons(golden, samples):
    """From the file to the crop, its joints and their maps, as evaluation makes them."""
    pytest.importorskip("cv2")
    _, crops = golden("pose", "pose_sample_coco_crop")
    _, persons = golden("pose", "pose_sample_coco_db")
    size = (256, 192)
    for i, person in enumerate(crops["in_db_index"]):
        image = read_image(samples / "mmpose" / "coco" / str(persons["out_image"][person]))
        matrix = crop_matrix(persons["out_center"][person], persons["out_scale"][person], size)
        found = warp(image, matrix, size)
        assert np.abs(found.astype(float) - crops["out_crop"][i]).mean() < 0.6
        joints, visible = persons["out_joints"][person][:, :2], persons["out_joints_vis"][person][:, 0]
        moved = transform(joints, matrix)
        labelled = visible > 0
        np.testing.assert_allclose(moved[labelled], crops["out_joints_input"][i][labelled, :2], atol=1e-3)
        maps, weights = encode(moved, visible, codec="official", input_size=size, map_size=(64, 48))
        np.testing.assert_allclose(maps.transpose(2, 0, 1), crops["out_target"][i], atol=1e-6)
        np.testing.assert_array_equal(weights, crops["out_target_weight"][i, :, 0])


def test_unknown_codecs_are_named():
    with pytest.raises(ValueError, match="codec='best': expected one of 'official', 'msra'"):
        decode(np.zeros((1, 16, 16, 1)), codec="best")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_with_a_value_that_is_no_number_has_no_point(value):
    maps = np.random.default_rng(3).normal(0, 1, (1, 16, 16, 3)).astype(np.float32)
    broken = maps.copy()
    broken[0, 9, 4, 1] = value
    found, expected = decode(broken), decode(maps)
    assert np.isfinite(found["points"]).all() and np.asarray(found["scores"])[0, 1] == 0
    np.testing.assert_array_equal(np.asarray(found["points"])[0, 1], 0)  # as on a map without a positive value
    for word in found:
        np.testing.assert_array_equal(np.asarray(found[word])[0, ::2], np.asarray(expected[word])[0, ::2])

"""Points of faces from heat maps, against the official code and mmpose."""

import numpy as np
import pytest

from hrnet_keras.tasks.keypoints.decoding import peaks
from hrnet_keras.tasks.landmark.decoding import decode, to_picture


def test_official(golden):
    _, arrays = golden("landmark", "landmark_decode")
    maps = arrays["in_heatmaps"].transpose(0, 2, 3, 1)
    x, y, scores = (np.asarray(value) for value in peaks(maps))
    counted_from_one = np.stack([x, y], axis=-1) + 1
    counted_from_one[scores <= 0] = 0
    np.testing.assert_array_equal(counted_from_one, arrays["out_argmax_1based"])
    answer = decode(maps)
    np.testing.assert_array_equal(answer["scores"], maps.max((1, 2)))
    for side, points in ((256, np.asarray(answer["points"])), (64, np.asarray(answer["points"]) / 4)):
        for i, (center, scale) in enumerate(zip(arrays["in_center_xy"], arrays["in_scale"], strict=True)):
            found = to_picture(points[i], center, scale, side)
            difference = np.abs(found - arrays["out_preds_image_xy"][i])
            assert difference.max() <= 1  # one where the number before truncation is within 1e-4 of a whole one
            exact = points[i] / side * 200 * scale + center - 100 * scale
            assert (difference[np.abs(exact - np.round(exact)) > 1e-4] == 0).all()


def test_steps_are_taken_from_all_but_the_border_and_both_axes_alike():
    maps = np.zeros((1, 8, 8, 4), np.float32)
    for k, (x, y) in enumerate([(1, 1), (0, 4), (6, 6), (3, 3)]):
        maps[0, y, x, k] = 1
        maps[0, y, min(x + 1, 7), k] = max(maps[0, y, min(x + 1, 7), k], 0.5)
        maps[0, y - 1, x, k] = 0.5
    maps[0, :, :, 3] *= -1  # nothing found
    points = np.asarray(decode(maps)["points"])[0] / 4 - 0.5
    np.testing.assert_allclose(points, [(1.25, 0.75), (0, 4), (6.25, 5.75), (-1, -1)])


def test_other_sizes_of_maps_and_inputs():
    maps = np.zeros((1, 18, 22, 1), np.float32)
    maps[0, 5, 0, 0] = 1
    np.testing.assert_allclose(decode(maps)["points"], [[[2, 22]]])
    np.testing.assert_allclose(decode(maps, input_size=(180, 220))["points"], [[[5, 55]]])


def test_mmpose(golden):
    _, arrays = golden("landmark", "mmpose_codec_face")
    maps = arrays["in_heatmaps"].transpose(1, 2, 0)[None]
    for codec, word, tolerance in (("msra", "msra", 1e-5), ("dark", "dark", 1e-2)):
        found = decode(maps, codec=codec, input_size=(256, 256))
        np.testing.assert_allclose(found["points"], arrays[f"out_{word}_decoded"], atol=tolerance, rtol=0)


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
    np.testing.assert_array_equal(np.asarray(found["points"])[0, 1], -2)  # as on a map without a positive value
    for word in found:
        np.testing.assert_array_equal(np.asarray(found[word])[0, ::2], np.asarray(expected[word])[0, ::2])

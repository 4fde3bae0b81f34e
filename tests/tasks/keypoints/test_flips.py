"""Mirroring points and un-mirroring heat maps, against the official code and mmpose."""

import numpy as np
import pytest

from hrnet_keras.tasks.keypoints.encoding import encode
from hrnet_keras.tasks.keypoints.flips import average, mirror_points, order, swap_points, unmirror

FACES = {
    "300W": [(i, 16 - i) for i in range(8)]
    + [(17, 26), (18, 25), (19, 24), (20, 23), (21, 22), (31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42)]
    + [(40, 47), (41, 46), (48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)],
    "AFLW": [(0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9), (12, 14), (15, 17)],
    "COFW": [(0, 1), (2, 3), (4, 6), (5, 7), (8, 9), (10, 11), (12, 14), (13, 15), (16, 17), (18, 19), (22, 23)],
}  # fmt: skip


@pytest.mark.parametrize("name", FACES)
def test_faces_mirror_about_the_whole_width(golden, name):
    _, arrays = golden("landmark", "landmark_flip_points")
    points = arrays[f"in_{name}"]
    before = points.copy()
    np.testing.assert_allclose(mirror_points(points, 251, FACES[name]), arrays[f"out_{name}"], atol=1e-9)
    np.testing.assert_array_equal(points, before)


@pytest.mark.parametrize("case", ["pose_decode_coco", "pose_decode_mpii"])
def test_official_pose(golden, case):
    _, arrays = golden("pose", case)
    pairs = arrays["in_flip_pairs"]
    maps = arrays["in_heatmaps"].transpose(0, 2, 3, 1)
    for shift, word in ((False, "out_flip_back"), (True, "out_flip_back_shifted")):
        found = np.asarray(unmirror(maps, pairs, shift=shift))
        np.testing.assert_array_equal(found.transpose(0, 3, 1, 2), arrays[word])
    joints = mirror_points(arrays["in_joints"][:, :2], arrays["in_joints_image_width"] - 1, pairs)
    visible = swap_points(arrays["in_joints_vis"].T, pairs).T
    np.testing.assert_array_equal(visible, arrays["out_flipped_joints_vis"])
    np.testing.assert_allclose(joints * visible[:, :2], arrays["out_flipped_joints"][:, :2], atol=1e-4)


def test_mmpose(golden):
    _, arrays = golden("landmark", "mmpose_misc")
    pairs = [(i, int(j)) for i, j in enumerate(arrays["in_flip_indices"]) if i < j]
    maps = arrays["in_heatmaps"].transpose(0, 2, 3, 1)
    for shift, word in ((False, "out_flip"), (True, "out_flip_shift")):
        found = np.asarray(unmirror(maps, pairs, shift=shift))
        np.testing.assert_allclose(found.transpose(0, 3, 1, 2), arrays[word], rtol=1e-5)


def test_offsets_to_the_right_become_offsets_to_the_left():
    """The maps of the mirrored points, un-mirrored, are the maps of the points."""
    points, pairs = np.random.default_rng(0).uniform(0, 64, (5, 2)), [(0, 3), (1, 2)]
    sizes = {"codec": "udp_combined", "input_size": (65, 65), "map_size": (17, 17)}
    maps, _ = encode(points, np.ones(5), **sizes)
    mirrored, _ = encode(mirror_points(points, 64, pairs), np.ones(5), **sizes)
    found = np.asarray(unmirror(mirrored[None], pairs, codec="udp_combined"))[0]
    np.testing.assert_allclose(found, maps, atol=1e-5)
    both = np.asarray(average(maps[None], mirrored[None], pairs, codec="udp_combined"))[0]
    np.testing.assert_allclose(both, maps, atol=1e-5)


def test_the_average_is_of_both(golden):
    _, arrays = golden("pose", "pose_decode_coco")
    maps = arrays["in_heatmaps"].transpose(0, 2, 3, 1)
    mean = (arrays["in_heatmaps"] + arrays["out_flip_back_shifted"]) / 2
    found = np.asarray(average(maps, maps, arrays["in_flip_pairs"], shift=True))
    np.testing.assert_allclose(found.transpose(0, 3, 1, 2), mean, rtol=1e-6)


def test_pairs_beyond_the_points_are_named():
    with pytest.raises(ValueError, match=r"flip_pairs names points 1 and 5: expected 0\.\.4"):
        order(5, [(1, 5)])

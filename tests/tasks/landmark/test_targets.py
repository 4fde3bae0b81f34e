"""The official way from a picture with points to a training example, on drawn points and on the sample faces."""

import json

import numpy as np
import pytest

from hrnet_keras.datasets import read_image
from hrnet_keras.tasks.keypoints.encoding import gaussian_patches
from hrnet_keras.tasks.keypoints.flips import mirror_points
from hrnet_keras.tasks.landmark.crop import crop, to_crop
from hrnet_keras.tasks.landmark.targets import targets
from tests.tasks.keypoints.test_flips import FACES

SIGMAS = {"300w": 1.0, "aflw": 1.5, "cofw": 1.5, "wflw": 1.5}
WFLW = (
    [(i, 32 - i) for i in range(16)]
    + [(33, 46), (34, 45), (35, 44), (36, 43), (37, 42), (38, 50), (39, 49), (40, 48), (41, 47)]
    + [(60, 72), (61, 71), (62, 70), (63, 69), (64, 68), (65, 75), (66, 74), (67, 73), (55, 59), (56, 58)]
    + [(76, 82), (77, 81), (78, 80), (83, 87), (84, 86), (88, 92), (89, 91), (93, 95), (96, 97)]
)  # fmt: skip
PAIRS = {"300w": FACES["300W"], "aflw": FACES["AFLW"], "cofw": FACES["COFW"], "wflw": WFLW}


def test_squares_of_every_sigma(golden):
    _, arrays = golden("landmark", "landmark_target_heatmap")
    used = arrays["in_is_gaussian"]  # the others are a kind of map that no recipe uses
    assert set(arrays["in_sigma"][used]) == {1.0, 1.5, 2.0}
    for point, sigma, expected in zip(
        arrays["in_points_xy"][used], arrays["in_sigma"][used], arrays["out_heatmap"][used], strict=True
    ):
        maps, _ = gaussian_patches(point[None], sigma, (64, 64))
        np.testing.assert_allclose(maps[..., 0], expected, atol=1e-6)


def test_points_above_the_picture_have_zero_maps():
    points = np.array([[100.0, 100.0], [100.0, 0.0], [100.0, -1.0], [100.0, 0.5], [900.0, 100.0]])
    maps = targets(points, (100, 60), 1.28)
    assert (maps.max((0, 1)) > 0.9).tolist() == [True, False, False, True, False]


@pytest.mark.parametrize("mode", ["test", "train"])
@pytest.mark.parametrize("name", SIGMAS)
def test_sample_faces(golden, samples, name, mode):
    """From the file to crop and maps, the augmentation as recorded."""
    _, arrays = golden("landmark", f"landmark_sample_{name}")
    faces = arrays["in_points_xy"]
    if name == "cofw":  # counted from one, in MATLAB's order: all x, all y, all occlusions
        faces = arrays["in_phis_row"].reshape(-1, 3, 29)[:, :2].transpose(0, 2, 1)
    centers, scales = official_boxes(faces, arrays)
    for i, file in enumerate(arrays["in_file_names"]):
        image, points = read_image(samples / "mmpose" / name / str(file)), faces[i]
        center, scale, rotation = centers[i], scales[i] * 1.25, 0.0
        if mode == "train":
            scale, rotation = scale * arrays["in_train_scale_factor"][i], arrays["in_train_rot_deg"][i]
            if arrays["in_train_flip"][i]:
                width = image.shape[1]
                image, points = image[:, ::-1], mirror_points(points, width, PAIRS[name])
                center = np.array([width - center[0], center[1]])
        np.testing.assert_array_equal(center.astype(np.float32), arrays[f"out_{mode}_center"][i])
        assert scale == pytest.approx(arrays[f"out_{mode}_scale"][i], rel=1e-12)

        found = crop(image, center, scale, rotation=rotation, stretch_first=name != "cofw")
        difference = np.abs(found.astype(int) - arrays[f"out_{mode}_crop"][i])
        assert (difference <= 1).mean() > 0.995 and difference.max() <= 4
        maps = targets(points, center, scale, rotation=rotation, sigma=SIGMAS[name])
        np.testing.assert_allclose(maps.transpose(2, 0, 1), arrays[f"out_{mode}_target"][i], atol=1e-6)
        whole = to_crop(points + 1, center, scale, 64, rotation)
        is_used = points[:, 1] > 0
        np.testing.assert_array_equal(whole[is_used], arrays[f"out_{mode}_tpts"][i][is_used])


def official_boxes(faces, arrays):
    """Centres and scales of the official csv; those of COFW from the points, which is where the loader takes them."""
    if "in_csv_center" in arrays:
        return arrays["in_csv_center"], arrays["in_csv_scale"]
    low, high = np.floor(faces.min(1)), np.ceil(faces.max(1))
    return (low + high) / 2, (high - low).max(1) / 200


def test_recorded_points_are_those_of_the_samples(golden, samples):
    """So that the test above looks at the right picture."""
    _, arrays = golden("landmark", "landmark_sample_wflw")
    annotations = json.loads((samples / "mmpose" / "wflw" / "test_wflw.json").read_text())["annotations"]
    by_id = {annotation["id"]: annotation for annotation in annotations}
    for i, points in zip(arrays["in_ann_ids"], arrays["in_points_xy"], strict=True):
        np.testing.assert_allclose(np.reshape(by_id[i]["keypoints"], (-1, 3))[:, :2], points)

"""COFW from its MATLAB 7.3 files and mmpose's conversion of them, in the coordinates of both lineages."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from tests import point_files


def store(tmp_path, change=lambda marks, boxes: None, split="test"):
    """Three faces: colour, grey, and one whose points and box reach over the edge. Points as stored, 1-based."""
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((90, 120, 3), (80, 60), (50, 70, 3))]
    points = [point_files.face_points(29, i, image.shape) for i, image in enumerate(images)]
    points[2][0] = 0.4, -2.5
    marks = np.array([np.concatenate([p.T.ravel(), np.arange(29) % 3 == i]) for i, p in enumerate(points)])
    boxes = np.array([[10.0, 12, 80, 60], [5, 6, 30, 40], [-4, 20, 90, 60]])
    change(marks, boxes)
    point_files.cofw_mat(tmp_path / f"COFW_{split}_color.mat", images, marks, boxes)
    return images, points, marks


def test_official_coordinates_are_matlab_s(tmp_path):
    images, points, marks = store(tmp_path)
    found = datasets.load("cofw", "test", tmp_path)
    assert found.names == ("001346", "001347", "001348")
    for i in range(3):
        example = found.example(i)
        expected = images[i] if images[i].ndim == 3 else np.repeat(images[i][..., None], 3, 2)
        np.testing.assert_array_equal(example["image"], expected)
        np.testing.assert_array_equal(example["points"][0], points[i])
        np.testing.assert_array_equal(example["visible"][0], np.where(marks[i, 58:] == 1, 1, 2))
        center, scale = point_files.tight(points[i])
        assert tuple(example["centers"][0]) == center and example["scales"][0] == scale
    assert found.info.normaliser == (8, 9) and found.info.metric == "nme"


def test_mmlab_s_count_from_0_and_crop_the_annotated_box(tmp_path):
    _, points, _ = store(tmp_path)
    found = datasets.load("cofw", "test", tmp_path, lineage="mmlab")
    for i in range(3):
        np.testing.assert_array_equal(found.annotations(i)["points"][0], np.maximum(points[i] - 1, 0))
    np.testing.assert_array_equal(found.annotations(0)["centers"], [[50, 42]])
    np.testing.assert_allclose(found.annotations(0)["scales"], [80 / 200])
    # [-4, 20, 90, 60] with nothing below 0, then cut at 69 and 49 (a picture of 70x50).
    np.testing.assert_array_equal(found.annotations(2)["centers"], [[34.5, 34.5]])
    np.testing.assert_allclose(found.annotations(2)["scales"], [69 / 200])


def test_training_faces_are_counted_from_1(tmp_path):
    store(tmp_path, split="train")
    assert datasets.load("cofw", "train", tmp_path).names == ("000001", "000002", "000003")


def test_the_converted_samples_are_the_matlab_file_s(samples, tmp_path):
    """The json with its pictures, and a .mat made of them, say the same in either lineage."""
    root = point_files.from_samples(samples, "cofw", tmp_path / "json")
    whole = json.loads((root / "annotations" / "cofw_test.json").read_text())
    points = np.array([one["keypoints"] for one in whole["annotations"]]).reshape(-1, 29, 3)
    marks = [np.concatenate([p[:, 0] + 1, p[:, 1] + 1, 2 - p[:, 2]]) for p in points]
    images = [np.asarray(Image.open(root / "images" / one["file_name"]).convert("RGB")) for one in whole["images"]]
    mat = tmp_path / "mat"
    boxes = [one["bbox"] for one in whole["annotations"]]
    point_files.cofw_mat(mat / "COFW_test_color.mat", images, marks, boxes)
    for lineage in ("official", "mmlab"):
        converted, stored = (datasets.load("cofw", "test", place, lineage=lineage) for place in (root, mat))
        for i in range(2):
            one, other = converted.example(i), stored.example(i)
            assert one.pop("name") == whole["images"][i]["file_name"][:6] and other.pop("name")
            assert set(one) == set(other)
            for key in one:
                np.testing.assert_allclose(one[key], other[key], rtol=0, atol=1e-9)


def test_each_lineage_reads_its_own_file_first(samples, tmp_path):
    root = point_files.from_samples(samples, "cofw", tmp_path)
    store(root)
    assert len(datasets.load("cofw", "test", root)) == 3
    assert datasets.load("cofw", "test", root, lineage="mmlab").names == ("001766", "001805")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda marks, boxes: marks.__setitem__((1, 3), np.nan), r"face 001347: its points are no finite numbers"),
        (lambda marks, boxes: marks.__setitem__((2, 60), 2), r"face 001348: .* occlusion flags not 0 or 1"),
        (lambda marks, boxes: marks.__setitem__((0, slice(0, 58)), 7), r"face 001346: scale 0: a box of no size"),
    ],
)
def test_a_bad_face_is_named(tmp_path, change, complaint):
    store(tmp_path, change)
    with pytest.raises(DataError, match=r"COFW_test_color\.mat: " + complaint):
        datasets.load("cofw", "test", tmp_path)


def test_a_box_of_no_size_is_named(tmp_path):
    store(tmp_path, lambda marks, boxes: boxes.__setitem__((1, 2), 0))
    datasets.load("cofw", "test", tmp_path)
    with pytest.raises(DataError, match=r"face 001347: the box 5, 6, 5, 46 .* has no area"):
        datasets.load("cofw", "test", tmp_path, lineage="mmlab")


def test_bad_files_are_named(tmp_path):
    with pytest.raises(
        DataError, match=r"holds neither COFW_test_color\.mat nor annotations/cofw_test\.json: unpack COFW"
    ):
        datasets.load("cofw", "test", tmp_path)
    store(tmp_path)
    file = tmp_path / "COFW_test_color.mat"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"COFW_test_color\.mat: cut short or no MATLAB 7\.3 file .* unpack COFW_color"):
        datasets.load("cofw", "test", tmp_path)
    store(tmp_path, split="train")
    (tmp_path / "COFW_train_color.mat").rename(file)
    with pytest.raises(DataError, match=r"has no variable IsT: expected IsT, phisT and bboxesT"):
        datasets.load("cofw", "test", tmp_path)
    point_files.cofw_mat(file, [np.zeros((4, 4), np.uint8)], np.zeros((1, 86)), np.zeros((1, 4)))
    with pytest.raises(
        DataError, match=r"1 pictures, phisT \(86, 1\), bboxesT \(4, 1\) \(axes reversed\): expected \(87"
    ):
        datasets.load("cofw", "test", tmp_path)
    with pytest.raises(ValueError, match="split='val': cofw has 'train', 'test'"):
        datasets.load("cofw", "val", tmp_path)
    with pytest.raises(ValueError, match="lineage='timm': expected 'official' or 'mmlab'"):
        datasets.load("cofw", "test", tmp_path, lineage="timm")


def test_a_picture_that_is_none_is_named(tmp_path):
    marks = [np.concatenate([point_files.face_points(29, 0, (50, 50)).T.ravel(), np.zeros(29)])]
    for image in (np.zeros((50, 50, 4), np.uint8), np.zeros((50, 50, 3), np.float32)):
        point_files.cofw_mat(tmp_path / "COFW_test_color.mat", [image], marks, [[1, 1, 9, 9]])
        with pytest.raises(DataError, match=r"picture 001346 is .*: expected uint8, grey or RGB"):
            datasets.load("cofw", "test", tmp_path).image(0)

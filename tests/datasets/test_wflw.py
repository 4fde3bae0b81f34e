"""WFLW from the lists of its own archive: faces, subsets by their flags, and what is refused."""

import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from tests import point_files
from tests.point_files import replaced


def listed(count=3):
    rng = np.random.default_rng(4)
    flags = rng.integers(0, 2, (count, 6))
    return [(f"{i}--Event/{i}_face.jpg", point_files.face_points(98, i), flags[i].tolist()) for i in range(count)]


def test_wflw_s_lists_are_the_test_faces_and_their_six_subsets(tmp_path):
    faces = [*listed(8), ("7--Event/7_face.jpg", point_files.face_points(98, 99), [1] * 6)]
    root = point_files.wflw_lists(tmp_path, faces)
    found = datasets.load("wflw", "test", root)
    assert [len(found.annotations(i)["points"]) for i in range(8)] == [1] * 7 + [2]
    for i, (path, points, _) in enumerate(faces[:7]):
        example = found.example(i)
        assert example["name"] == path.removesuffix(".jpg")
        np.testing.assert_allclose(example["points"][0], points, atol=1e-6)
        center, scale = point_files.tight(points)
        assert tuple(example["centers"][0]) == center and example["scales"][0] == scale
    order = ["largepose", "expression", "illumination", "makeup", "occlusion", "blur"]  # pose, ..., of the read-me
    for flag, split in enumerate(order):
        part = datasets.load("wflw", split, root)
        expected = [points for _, points, flags in faces if flags[flag]]
        np.testing.assert_allclose(np.concatenate([row["points"] for row in part.rows]), expected, atol=1e-6)
    with pytest.raises(DataError, match=r"holds neither face_landmarks_wflw_train\.csv"):
        datasets.load("wflw", "train", root)
    point_files.wflw_lists(root, faces[:2], "train")
    assert len(datasets.load("wflw", "train", root)) == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda cells: cells[:-1], r"line 2: 206 columns, expected 207"),
        (lambda cells: replaced(cells, 5, "x"), r"line 2, column 6: 'x' given, expected a finite number"),
        (lambda cells: replaced(cells, 5, "nan"), r"line 2, column 6: 'nan' given"),
        (lambda cells: replaced(cells, 200, "2"), r"line 2: flags 2 .*: expected six of 0 or 1"),
        (lambda cells: replaced(cells, 198, cells[196]), r"line 2: the box .* has no area"),
    ],
)
def test_a_bad_line_of_a_list_is_named(tmp_path, change, complaint):
    root = point_files.wflw_lists(tmp_path, listed())
    (file,) = root.rglob("list_*.txt")
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], " ".join(change(lines[1].split())), lines[2]]))
    with pytest.raises(DataError, match=r"list_98pt_rect_attr_test\.txt, " + complaint):
        datasets.load("wflw", "test", root)


def test_a_list_whose_pictures_are_missing(tmp_path):
    root = point_files.wflw_lists(tmp_path, listed())
    (root / "WFLW_images" / "0--Event" / "0_face.jpg").unlink()
    with pytest.raises(DataError, match=r"0_face\.jpg: no such file, .* unpack WFLW_images\.tar\.gz there"):
        datasets.load("wflw", "test", root)
    assert len(datasets.load("wflw", "test", root, partial=True)) == 2
    next(iter(root.rglob("list_*.txt"))).write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match=r"not UTF-8 text"):
        datasets.load("wflw", "test", root)

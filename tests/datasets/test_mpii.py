"""MPII in the layouts of the official repository and of mmpose: 0-based points, heads' lengths, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from tests import point_files


@pytest.fixture
def root(tmp_path):
    return point_files.mpii(tmp_path / "mpii", {"train": 2, "valid": 2})


def test_points_count_from_0(root):
    found = datasets.load("mpii", "train", root)
    whole = json.loads((root / "annot" / "train.json").read_text())
    assert found.names == ("000000000", "000000001") and found.info.metric == "pckh"
    for i in range(2):
        example, persons = found.example(i), whole[i::2]
        seen = np.array([one["joints_vis"] for one in persons])
        expected = np.where(seen[..., None] > 0, np.array([one["joints"] for one in persons]) - 1, 0)
        np.testing.assert_array_equal(example["points"], expected)
        np.testing.assert_array_equal(example["visible"], seen)
        np.testing.assert_array_equal(example["centers"], [[80, 60]] * 2)
        np.testing.assert_array_equal(example["scales"], [0.5] * 2)
        np.testing.assert_array_equal(example["boxes"], [[30, 10, 130, 110]] * 2)
        assert "sizes" not in example
    upper = {found.info.point_names[i] for i in found.info.upper_body}
    assert {"thorax", "head_top", "left_wrist"} <= upper and not upper & {"pelvis", "left_hip", "right_ankle"}


def test_the_validation_truth_is_the_evaluation_s(root):
    """Points and missing joints of the .mat, in the order of the json, whatever the json says."""
    truth = loadmat(root / "annot" / "gt_valid.mat")
    points, missing = truth["pos_gt_src"] + 0.25, truth["jnt_missing"]
    missing[3, 2] = 1
    heads = np.random.default_rng(0).uniform(0, 50, (2, 2, 4))
    savemat(root / "annot" / "gt_valid.mat", {"pos_gt_src": points, "jnt_missing": missing, "headboxes_src": heads})
    found = datasets.load("mpii", "val", root)
    assert found.split == "valid"
    rows = [found.annotations(i) for i in range(2)]
    for k in range(4):  # person k of the json is person k // 2 of picture k % 2
        row, j = rows[k % 2], k // 2
        seen = missing[:, k] == 0
        np.testing.assert_array_equal(row["visible"][j], seen)
        np.testing.assert_allclose(row["points"][j][seen], points[seen, :, k] - 1)
        (x1, y1), (x2, y2) = heads[..., k]
        np.testing.assert_allclose(row["sizes"][j], 0.6 * np.hypot(x2 - x1, y2 - y1))


def test_the_golden_truth_gives_the_golden_score(golden, root):
    """The official PCKh from the set's rows, counted here: which joints count, their points, the heads' lengths."""
    _, arrays = golden("pose", "pose_mpii_pckh")
    missing, heads, truth = arrays["in_jnt_missing"], arrays["in_headboxes_src"], arrays["in_pos_gt_src"]
    persons = [{"image": f"{i % 2:09}.jpg", "center": [50.0, 50.0], "scale": 0.5, "joints": [[1.0, 1.0]] * 16,
                "joints_vis": [1] * 16} for i in range(40)]  # fmt: skip
    point_files.write_json(root / "annot" / "valid.json", persons)
    savemat(root / "annot" / "gt_valid.mat", {"pos_gt_src": truth, "jnt_missing": missing, "headboxes_src": heads})
    found = datasets.load("mpii", "valid", root)
    rows = [found.annotations(i) for i in range(2)]
    hits = np.zeros((40, 16), bool)
    for k in range(40):
        row, j = rows[k % 2], k // 2
        distance = np.linalg.norm(arrays["in_pred_zero_based"][k] - row["points"][j], axis=1)
        hits[k] = (distance / row["sizes"][j] <= 0.5) & (row["visible"][j] > 0)
    seen = np.stack([rows[k % 2]["visible"][k // 2] for k in range(40)]) > 0
    kept = [i for i in range(16) if i not in (6, 7)]
    np.testing.assert_allclose(100 * hits[:, kept].sum() / seen[:, kept].sum(), arrays["out_Mean"], rtol=1e-6)
    np.testing.assert_allclose(100 * hits[:, 9].sum() / seen[:, 9].sum(), arrays["out_Head"], rtol=1e-6)


def test_without_the_mat_the_json_is_the_truth(root):
    (root / "annot" / "gt_valid.mat").unlink()
    row = datasets.load("mpii", "valid", root).annotations(0)
    assert "sizes" not in row and row["visible"][0].tolist() == [0] + [1] * 15


def test_mmpose_s_names(root):
    one = datasets.load("mpii", "valid", root)
    (root / "annot").rename(root / "annotations")
    for old, new in (
        ("valid.json", "mpii_val.json"),
        ("gt_valid.mat", "mpii_gt_val.mat"),
        ("train.json", "mpii_train.json"),
    ):
        shutil.move(root / "annotations" / old, root / "annotations" / new)
    other = datasets.load("mpii", "valid", root)
    for a, b in zip(one.rows, other.rows, strict=True):
        assert set(a) == set(b) and "sizes" in a
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])
    assert len(datasets.load("mpii", "train", root)) == 2


def test_test_pictures_have_no_points(root):
    persons = [{"image": "000000001.jpg", "center": [81.0, 61.0], "scale": 0.5}]
    point_files.write_json(root / "annot" / "test.json", persons)
    example = datasets.load("mpii", "test", root).example(0)
    assert set(example) == {"image", "name", "boxes", "centers", "scales"}


def rewrite(root, change, name="train"):
    file = root / "annot" / f"{name}.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(change(whole) or whole))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda whole: {"a": 1}, r"expected a list of persons"),
        (lambda whole: whole[1].pop("image") == "", r"person \[1\]: has no 'image'"),
        (lambda whole: whole[1].update(image=3), r"person \[1\]: image 3: expected the name of a picture"),
        (lambda whole: whole[1].update(scale=0), r"person \[1\]: scale 0: a box of no size"),
        (lambda whole: whole[1].update(scale=None), r"person \[1\]: scale None: expected a finite number"),
        (lambda whole: whole[1].update(center=[1]), r"person \[1\]: center: 1 given, expected 2 numbers"),
        (lambda whole: whole[1].update(joints=[[1, 2]] * 15), r"person \[1\]: expected 16 joints"),
        (lambda whole: whole[1]["joints"].__setitem__(3, [1, "x"]), r"person \[1\]: joint 3: 2 given, not all numbers"),
        (lambda whole: whole[1]["joints"].__setitem__(3, [1, float("nan")]), r"joint 3: number 2 is not finite"),
        (lambda whole: whole[1].update(joints_vis=[2] * 16), r"person \[1\]: joints_vis: expected 0 or 1 each"),
        (lambda whole: whole.clear(), r"annotates nothing of use"),
    ],
)
def test_bad_persons_are_named(root, change, complaint):
    rewrite(root, change)
    with pytest.raises(DataError, match=r"train\.json: .*" + complaint):
        datasets.load("mpii", "train", root)


def test_bad_files_are_named(root, tmp_path):
    with pytest.raises(
        DataError, match=r"holds neither annot/valid\.json nor annotations/mpii_val\.json: unpack the ann"
    ):
        datasets.load("mpii", "val", tmp_path)
    with pytest.raises(ValueError, match="split='dev': mpii has 'train', 'valid', 'trainval', 'test'"):
        datasets.load("mpii", "dev", root)
    rewrite(root, lambda whole: whole[:3], "valid")
    with pytest.raises(
        DataError, match=r"gt_valid\.mat: .* have shapes .*: expected the 3 persons of .*valid\.json last"
    ):
        datasets.load("mpii", "valid", root)
    file = root / "annot" / "gt_valid.mat"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"gt_valid\.mat: cannot be read \(.*\): unpack it again"):
        datasets.load("mpii", "valid", root)
    savemat(file, {"other": np.zeros(3)})
    with pytest.raises(DataError, match=r"gt_valid\.mat: cannot be read \(KeyError: 'pos_gt_src'\)"):
        datasets.load("mpii", "valid", root)
    (root / "images" / "000000001.jpg").unlink()
    with pytest.raises(DataError, match=r"000000001\.jpg: no such file, .* unpack mpii_human_pose_v1\.tar\.gz there"):
        datasets.load("mpii", "train", root)

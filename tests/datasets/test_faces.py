"""300W, WFLW and AFLW from the official csv files and mmpose's json, and what is refused in them."""

import json

import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError, aflw, face_300w, wflw
from tests import point_files
from tests.point_files import replaced

SETS = {"300w": face_300w.SPLITS, "wflw": wflw.SPLITS, "aflw": aflw.SPLITS}
FILES = {
    "300w": ["train", "valid", "valid_common", "valid_challenge", "test"],
    "aflw": ["train", "test", "test_frontal"],
    "wflw": ["train", "test", "test_largepose", "test_expression", "test_illumination", "test_makeup",
             "test_occlusion", "test_blur"],
}  # fmt: skip


def csv_of(root, name, faces, split="test"):
    """A csv of `faces`: list of `(path, points)`; their pictures too."""
    for path, _ in faces:
        point_files.picture(root / "images" / path)
    rows = [point_files.face_row(name, path, points) for path, points in faces]
    return point_files.write_csv(root / f"face_landmarks_{name}_{split}.csv", rows)


@pytest.mark.parametrize("name", SETS)
def test_every_split_is_a_file(tmp_path, name):
    assert sorted(SETS[name].values()) == sorted(FILES[name])
    for i, file in enumerate(FILES[name]):
        csv_of(tmp_path, name, [(f"{i}.jpg", point_files.face_points(point_files.COUNTS[name], i))], file)
    for split, spelt in SETS[name].items():
        expected = str(FILES[name].index(spelt))
        assert datasets.load(name, split, tmp_path).names == (expected,)
        assert datasets.load(name, spelt, tmp_path).split == split
    with pytest.raises(ValueError, match=f"split='val': {name} has 'train'"):
        datasets.load(name, "val", tmp_path)


@pytest.mark.parametrize("name", SETS)
def test_a_csv_by_position(tmp_path, name):
    """Rows of two pictures, one with two faces, in the order of the file; the header's words do not matter."""
    count = point_files.COUNTS[name]
    points = [point_files.face_points(count, i) for i in range(3)]
    csv_of(tmp_path, name, [("a/x.png", points[0]), ("b.jpg", points[1]), ("a/x.png", points[2])])
    found = datasets.load(name, "test", tmp_path)
    assert found.names == ("a/x", "b")
    example = found.example(0)
    np.testing.assert_array_equal(example["points"], [points[0], points[2]])
    assert (example["visible"] == 1).all() and example["image"].shape == (120, 160, 3)
    around = [point_files.tight(points[i]) for i in (0, 2)]
    np.testing.assert_array_equal(example["centers"], [center for center, _ in around])
    np.testing.assert_array_equal(example["scales"], [scale for _, scale in around])
    half = 100 * example["scales"]
    np.testing.assert_allclose(example["boxes"][:, 2] - example["centers"][:, 0], half)
    np.testing.assert_allclose(example["centers"][:, 1] - example["boxes"][:, 1], half)
    assert ("sizes" in example) == (name == "aflw")
    if name == "aflw":
        np.testing.assert_allclose(example["sizes"], 200 * example["scales"])


def test_aflw_s_box_is_the_file_s_own(tmp_path):
    row = point_files.face_row("aflw", "a.jpg", point_files.face_points(19, 0), (50.5, 60.0), 0.4)
    row[2] = 77.0
    point_files.write_csv(tmp_path / "face_landmarks_aflw_train.csv", [row])
    point_files.picture(tmp_path / "images" / "a.jpg")
    row = datasets.load("aflw", "train", tmp_path).annotations(0)
    assert row["centers"].tolist() == [[50.5, 60]] and row["scales"].tolist() == [0.4] and row["sizes"].tolist() == [77]
    np.testing.assert_allclose(row["boxes"], [[10.5, 20, 90.5, 100]])


@pytest.mark.parametrize("name", SETS)
def test_the_json_says_the_same_as_the_csv_which_comes_first(samples, tmp_path, name):
    root = point_files.from_samples(samples, name, tmp_path)
    of_json = datasets.load(name, "test", root)
    whole = json.loads(of_json.origin.read_text())
    files = {one["id"]: one["file_name"] for one in whole["images"]}
    rows = []
    for one in sorted(whole["annotations"], key=lambda one: list(files).index(one["image_id"])):
        points = np.array(one["keypoints"]).reshape(-1, 3)[:, :2]
        rows.append(point_files.face_row(name, files[one["image_id"]], points, one["center"], one["scale"]))
    point_files.write_csv(root / f"face_landmarks_{name}_test.csv", rows)
    of_csv = datasets.load(name, "test", root)
    assert of_csv.origin.suffix == ".csv" and of_csv.names == of_json.names
    for i in range(len(of_csv)):
        one, other = of_csv.example(i), of_json.example(i)
        assert set(one) == set(other)
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def test_the_facts_travel(tmp_path):
    for name, normaliser in (("300w", (36, 45)), ("wflw", (60, 72)), ("aflw", "size")):
        root = point_files.MAKERS[name](tmp_path / name, {"train": 1})
        info = datasets.load(name, "train", root).info
        assert (info.name, info.metric, info.normaliser) == (name, "nme", normaliser)
        assert len(info.point_names) == point_files.COUNTS[name] and info.flip_pairs and info.edges
        if normaliser != "size":
            assert {info.point_names[i] for i in normaliser} == {"left_eye_outer", "right_eye_outer"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda row: row[:-1],
            r"line 3: 139 columns, expected 140 \(4 and x, y of 68 points\): cut short, or of another",
        ),
        (lambda row: [*row, 5], r"line 3: 141 columns, expected 140"),
        (lambda row: replaced(row, 9, "x"), r"line 3, column 10: 'x' given, expected a finite number"),
        (lambda row: replaced(row, 9, "nan"), r"line 3, column 10: 'nan' given"),
        (lambda row: replaced(row, 9, ""), r"line 3, column 10: '' given"),
        (lambda row: replaced(row, 3, "inf"), r"line 3, column 4: 'inf' given"),
        (lambda row: replaced(row, 1, 0), r"line 3: scale 0: a box of no size"),
        (lambda row: replaced(row, 1, -1.5), r"line 3: scale -1\.5: a box of no size"),
        (lambda row: replaced(row, 0, ""), r"line 3: names no picture"),
    ],
)
def test_a_bad_row_is_named(tmp_path, change, complaint):
    file = csv_of(tmp_path, "300w", [("a.jpg", point_files.face_points(68, 0))])
    row = point_files.face_row("300w", "a.jpg", point_files.face_points(68, 1))
    with open(file, "a") as stream:
        stream.write(",".join(map(str, change(row))) + "\n")
    with pytest.raises(DataError, match=r"face_landmarks_300w_test\.csv, " + complaint):
        datasets.load("300w", "test", tmp_path)


def test_a_csv_of_another_kind(tmp_path):
    file = tmp_path / "face_landmarks_aflw_test.csv"
    row = point_files.face_row("aflw", "a.jpg", point_files.face_points(19, 0))
    point_files.write_csv(file, [row], header=False)
    with pytest.raises(DataError, match=r"begins with \['a\.jpg'\], a face or nothing: expected a header row"):
        datasets.load("aflw", "test", tmp_path)
    file.write_text("")
    with pytest.raises(DataError, match=r"aflw_test\.csv: begins with \[\], a face or nothing"):
        datasets.load("aflw", "test", tmp_path)
    point_files.write_csv(file, [replaced(row, 2, 0)])
    with pytest.raises(DataError, match=r"line 2: box size 0: expected the side of the face's box"):
        datasets.load("aflw", "test", tmp_path)
    file.write_text("image_name,scale\n")
    with pytest.raises(DataError, match=r"aflw_test\.csv: annotates nothing of use"):
        datasets.load("aflw", "test", tmp_path)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(
        DataError,
        match=r"holds neither face_landmarks_300w_valid_common\.csv nor annotations/face_landmarks_300w_valid_common"
        r"\.json: unpack the annotations that the page of github\.com/HRNet",
    ):
        datasets.load("300w", "common", tmp_path)
    csv_of(tmp_path, "300w", [("a.jpg", point_files.face_points(68, 0)), ("b.png", point_files.face_points(68, 1))])
    (tmp_path / "images" / "b.png").unlink()
    with pytest.raises(
        DataError, match=r"images/b\.png: no such file, one of 1 absent of the 2 pictures that face_landm"
    ):
        datasets.load("300w", "test", tmp_path)
    assert datasets.load("300w", "test", tmp_path, partial=True).names == ("a",)


def change_json(root, change):
    (file,) = (root / "annotations").glob("*.json")
    whole = json.loads(file.read_text())
    change(whole["annotations"][0])
    file.write_text(json.dumps(whole))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda one: one.pop("center"), r"has no 'center'"),
        (lambda one: one.pop("box_size"), r"has no 'box_size'"),
        (lambda one: one.update(scale="1.2"), r"scale '1\.2': expected a finite number"),
        (lambda one: one.update(scale=0), r"scale 0: a box of no size"),
        (lambda one: one["keypoints"].pop(), r"keypoints \(x, y, v of 19 points\): 56 given, expected 57"),
        (lambda one: one.update(keypoints=[0] * 57), r"no point is labelled: remove this face"),
        (lambda one: one["keypoints"].__setitem__(4, float("nan")), r"number 5 is not finite"),
    ],
)
def test_a_bad_annotation_is_named(samples, tmp_path, change, complaint):
    root = point_files.from_samples(samples, "aflw", tmp_path)
    change_json(root, change)
    with pytest.raises(DataError, match=r"face_landmarks_aflw_test\.json: annotation 3: .*" + complaint):
        datasets.load("aflw", "test", root)


def test_a_box_outside_its_picture(tmp_path):
    row = point_files.face_row("300w", "a.jpg", point_files.face_points(68, 0), (500.0, 60.0), 0.4)
    point_files.write_csv(tmp_path / "face_landmarks_300w_test.csv", [row])
    point_files.picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(
        DataError, match=r"300w_test\.csv: .*a\.jpg: the box 460, 20, 540, 100 .* lies outside the pictu"
    ):
        datasets.load("300w", "test", tmp_path).example(0)

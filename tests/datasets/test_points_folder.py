"""People's own points: csv with and without a header, COCO's json, names and pairs, and what is refused."""

import json

import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.point_names import guessed_pairs, named_info, read_names
from tests import point_files

HEADER = "file,nose_x,nose_y,left_eye_x,left_eye_y,right_eye_x,right_eye_y"
BOX = ",box_left,box_top,box_right,box_bottom"


def opened(root, text, name="train.csv", **options):
    """The set of a csv of this text; there are pictures a.jpg and b.jpg, 160 wide and 120 high."""
    for i, picture in enumerate(("a.jpg", "b.jpg")):
        point_files.picture(root / "images" / picture, seed=i)
    (root / name).write_text(text)
    return datasets.load("points", "train", root, **options)


def test_a_csv_without_header(tmp_path):
    found = opened(tmp_path, "a.jpg,10.5,20,30,40.25\nb.jpg,1,2,7,8\na.jpg,50,60,70,90\n")
    assert found.names == ("a", "b") and found.info.point_names == ("point_0", "point_1")
    example = found.example(0)
    np.testing.assert_array_equal(example["points"], [[[10.5, 20], [30, 40.25]], [[50, 60], [70, 90]]])
    np.testing.assert_array_equal(example["boxes"], [[10, 20, 30, 41], [50, 60, 70, 90]])
    np.testing.assert_array_equal(example["centers"], [[20, 30.5], [60, 75]])
    np.testing.assert_allclose(example["scales"], [21 / 200, 30 / 200])
    np.testing.assert_array_equal(example["sizes"], [21, 30])
    assert (found.info.metric, found.info.normaliser, found.info.flip_pairs) == ("pck", "size", ())


def test_empty_cells_are_not_labelled(tmp_path):
    row = opened(tmp_path, "a.jpg,10.5,20,,,14,90\n").annotations(0)
    np.testing.assert_array_equal(row["visible"], [[1, 0, 1]])
    np.testing.assert_array_equal(row["points"], [[[10.5, 20], [0, 0], [14, 90]]])
    np.testing.assert_array_equal(row["boxes"], [[10, 20, 14, 90]])


@pytest.mark.parametrize("boxed", [False, True])
def test_a_header_names_the_points(tmp_path, boxed):
    text = f"{HEADER}{BOX if boxed else ''}\na.jpg,10,20,30,40,50,60{',1,2,130,101' if boxed else ''}\n"
    found = opened(tmp_path, text)
    assert found.info.point_names == ("nose", "left_eye", "right_eye") and found.info.flip_pairs == ((1, 2),)
    row = found.annotations(0)
    np.testing.assert_array_equal(row["boxes"], [[1, 2, 130, 101] if boxed else [10, 20, 50, 60]])
    np.testing.assert_array_equal(row["sizes"], [129 if boxed else 40])
    np.testing.assert_array_equal(row["centers"], [[30, 40]])
    np.testing.assert_array_equal(row["scales"], [0.2])


def test_a_header_of_x0_y0(tmp_path):
    assert opened(tmp_path, "file,x0,y0,x1,y1\na.jpg,10,20,30,40\n").info.point_names == ("point_0", "point_1")


def test_points_in_one_line_are_a_size(tmp_path):
    row = opened(tmp_path, "a.jpg,0,20,0,50\n").annotations(0)
    np.testing.assert_array_equal(row["centers"], [[0, 35]])
    np.testing.assert_array_equal(row["scales"], [0.15])


def test_one_labelled_point_takes_the_box_of_the_file(tmp_path):
    row = opened(tmp_path, f"{HEADER}{BOX}\na.jpg,10,20,,,,,0,0,40,60\n").annotations(0)
    np.testing.assert_array_equal(row["centers"], [[20, 30]])
    np.testing.assert_array_equal(row["scales"], [0.3])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"train\.csv: is empty"),
        ("a.jpg,1,2,3\n", r"train\.csv, line 1: 4 columns: expected a path, then x and y of every point; boxes need a"),
        ("a.jpg,1,2,3,4\nb.jpg,1,2,3\n", r"line 2: 4 columns, expected 5: cut short"),
        ("a.jpg,1,2,3,4\nb.jpg,1,2,3,x\n", r"line 2, column 5: 'x' given, expected a finite number"),
        ("a.jpg,1,2,3,nan\n", r"line 1, column 5: 'nan' given"),
        ("a.jpg,1,2,3,\n", r"line 1, column 5: '' given, expected a finite number"),
        ("a.jpg,1,2,3,4\n,1,2,3,4\n", r"line 2: names no picture"),
        ("a.jpg,1,2,3,4\nb.jpg,,,,\n", r"line 2: no point is labelled: label one or remove"),
        ("a.jpg,5,5,5,5\n", r"line 1: the labelled points are one, which says no size: label more or state a box"),
        ("a.jpg,5,5,,\n", r"line 1: the labelled points are one"),
        ("c.jpg,1,2,3,4\n", r"images/c\.jpg: no such file, one of 1 absent of the 1 pictures that train\.csv names"),
        (f"{HEADER}\na.jpg,1,2,3,4\n", r"line 2: 5 columns, expected 7"),
        (f"{HEADER}{BOX}\na.jpg,1,2,3,4,5,6,9,9,9,12\n", r"line 2: the box 9, 9, 9, 12 .* has no area"),
        (f"{HEADER}{BOX}\na.jpg,1,2,3,4,5,6,9,9,?,12\n", r"line 2, column 10: '\?' given"),
        ("file,nose_x,nose_y,left_x,right_y\na.jpg,1,2,3,4\n", r"columns 'left_x' and 'right_y' in the header"),
        ("file,nose_x\na.jpg,1\n", r"columns 'nose_x' and 'nothing' in the header: expected name_x and name_y"),
        ("file,a_x,a_y,a_x,a_y\na.jpg,1,2,3,4\n", r"line 1: the header names 1 different points: expected every point"),
        (f"file{BOX}\na.jpg,1,2,3,4\n", r"line 1: the header names 0 different points"),
    ],
)
def test_a_bad_csv_is_named(tmp_path, text, complaint):
    with pytest.raises(DataError, match=complaint):
        opened(tmp_path, text)


def test_a_box_outside_the_picture_is_named(tmp_path):
    found = opened(tmp_path, "a.jpg,10,20,30,40\nb.jpg,170,20,180,40\n")
    ((name, reason),) = datasets.validate(found)
    assert name == "b" and "train.csv: " in reason and "lies outside the picture of 160x120" in reason


def test_where_files_are_looked_for(tmp_path):
    with pytest.raises(
        DataError, match=r"holds no annotations of split 'train': expected one of train\.csv, train\.json"
    ):
        datasets.load("points", "train", tmp_path)
    assert opened(tmp_path, "a.jpg,1,2,3,4\n", "points.csv").names == ("a",)
    assert datasets.load("points", "val", tmp_path).names == ("a",)
    assert opened(tmp_path, "b.jpg,1,2,3,4\n").names == ("b",), "the split's own file comes first"
    (tmp_path / "images").rename(tmp_path / "pictures")
    (tmp_path / "train.csv").write_text("pictures/a.jpg,1,2,3,4\n")
    assert datasets.load("points", "train", tmp_path).example(0)["name"] == "pictures/a"


CATEGORY = {"id": 3, "name": "cat", "keypoints": ["nose", "left_ear", "right_ear"], "skeleton": [[1, 2], [1, 3]]}


def coco_set(root, change=lambda whole: None, **picture):
    point_files.picture(root / "images" / "a.jpg")
    points = [[10, 20], [30.5, 44], [90, 60]]
    cats = [
        point_files.person(i, 1, points, visible, category_id=3) for i, visible in enumerate(([2, 1, 2], [2, 0, 1]))
    ]
    whole = point_files.coco_json({1: ("a.jpg", (120, 160))}, cats, CATEGORY)
    whole["images"][0].update(picture)
    change(whole)
    (root / "train.json").write_text(json.dumps(whole))
    return datasets.load("points", "train", root)


def test_a_json_in_coco_s_layout(tmp_path):
    found = coco_set(tmp_path)
    assert found.info.point_names == ("nose", "left_ear", "right_ear") and found.info.flip_pairs == ((1, 2),)
    assert found.info.edges == ((0, 1), (0, 2))
    example = found.example(0)
    np.testing.assert_array_equal(example["points"][1], [[10, 20], [0, 0], [90, 60]])
    np.testing.assert_array_equal(example["visible"], [[2, 1, 2], [2, 0, 1]])
    np.testing.assert_array_equal(example["boxes"], [[7, 17, 93, 63]] * 2)
    np.testing.assert_array_equal(example["centers"], [[50, 40]] * 2)
    assert example["size"] == (120, 160)


def test_crowds_and_the_unlabelled_are_left_out(tmp_path):
    def change(whole):
        crowd, nobody, plain, other = (dict(whole["annotations"][0], id=i) for i in range(4))
        crowd["iscrowd"], nobody["keypoints"], other["category_id"] = 1, [0] * 9, 8
        del plain["bbox"]
        whole["annotations"] = [crowd, nobody, plain, other]
        whole["categories"].append({"id": 8, "name": "tree"})

    row = coco_set(tmp_path, change).annotations(0)
    np.testing.assert_array_equal(row["boxes"], [[10, 20, 90, 60]])


@pytest.mark.parametrize("keypoints", [None, [], "absent"])
def test_entries_without_keypoints_and_boxes_are_no_fault(tmp_path, keypoints):
    """A face or person without keypoints is left out, a crowd whatever it holds, and a box that is none is not used."""

    def change(whole):
        plain, nobody, crowd = (dict(whole["annotations"][0], id=i) for i in range(3))
        nobody["keypoints"], crowd["iscrowd"], plain["bbox"] = keypoints, True, keypoints
        crowd["segmentation"] = {"counts": [1], "size": [120, 160]}
        if keypoints == "absent":
            del nobody["keypoints"], crowd["keypoints"], plain["bbox"]
        whole["annotations"] = [nobody, crowd, plain]

    row = coco_set(tmp_path, change).annotations(0)
    np.testing.assert_array_equal(row["boxes"], [[10, 20, 90, 60]])  # the tight one


def test_points_that_are_not_labelled_may_be_no_numbers(tmp_path):
    def change(whole):
        whole["annotations"][0]["keypoints"][3:6] = [None, float("nan"), 0]

    row = coco_set(tmp_path, change).annotations(0)
    np.testing.assert_array_equal(row["points"][0], [[10, 20], [0, 0], [90, 60]])
    assert row["visible"][0].tolist() == [2, 0, 2]
    text = "a.jpg,10.5,20,nan,NaN,14,90\nb.jpg,1,2,NA,,3,4\n"
    (tmp_path / "train.json").unlink()
    np.testing.assert_array_equal(opened(tmp_path, text).annotations(0)["visible"], [[1, 0, 1]])


def test_a_json_without_names(tmp_path):
    assert coco_set(tmp_path, lambda whole: whole.update(categories=[])).info.point_names[2] == "point_2"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda whole: whole["annotations"][1]["keypoints"].pop(), r"annotation 1: keypoints .*: 8 given, expected 9"),
        (
            lambda whole: whole["annotations"][1].update(bbox=[1, 2, 0, 9]),
            r"annotation 1: the box 1, 2, 1, 11 .* no area",
        ),
        (lambda whole: whole["annotations"][1].update(bbox=[170, 2, 9, 9]), r"annotation 1: the box .* lies outside"),
        (
            lambda whole: whole["annotations"][1].update(bbox="1 2"),
            r"annotation 1: bbox .* '1 2' given, expected a list",
        ),
        (lambda whole: whole["categories"].append(CATEGORY | {"id": 4}), r"2 categories have keypoints: expected one"),
        (
            lambda whole: whole["categories"].__setitem__(0, CATEGORY | {"skeleton": [[0, 1]]}),
            r"skeleton: expected pairs",
        ),
        (
            lambda whole: whole["categories"].__setitem__(0, CATEGORY | {"skeleton": [["a", 1]]}),
            r"skeleton: expected pa",
        ),
        (
            lambda whole: whole["categories"].__setitem__(0, CATEGORY | {"keypoints": ["a"] * 3}),
            r"names a keypoint twice",
        ),
        (lambda whole: whole.update(annotations=[]), r"train\.json: annotates nothing of use"),
    ],
)
def test_a_bad_json_is_named(tmp_path, change, complaint):
    with pytest.raises(DataError, match=r"train\.json: .*" + complaint.removeprefix(r"train\.json: ")):
        coco_set(tmp_path, change)


def test_a_picture_of_another_size_is_named(tmp_path):
    found = coco_set(tmp_path, width=320, height=240)
    with pytest.raises(DataError, match=r"a\.jpg: the picture is 160x120, .*train\.json says 320x240"):
        found.example(0)
    found = coco_set(tmp_path, lambda whole: [whole["images"][0].pop(key) for key in ("width", "height")])
    assert "size" not in found.example(0)


def test_pairs_are_guessed_from_left_and_right():
    assert guessed_pairs(("nose", "left_eye", "right_eye", "ear_Right", "ear_Left", "upright")) == ((1, 2), (4, 3))
    assert guessed_pairs(("LeftHand", "RightHand", "left_foot", "leftover")) == ((0, 1),)
    assert guessed_pairs(()) == ()


def test_a_file_of_names(tmp_path):
    names, lines = "# my points\nnose\nl_eye\nr_eye\n\n", "flip l_eye r_eye\nline nose l_eye\nline nose r_eye\n"
    (tmp_path / "points.txt").write_text(f"{names}{lines}normaliser r_eye l_eye\n")
    info = opened(tmp_path, "a.jpg,1,2,3,4,5,6\n").info
    assert info.point_names == ("nose", "l_eye", "r_eye") and info.flip_pairs == ((1, 2),)
    assert info.edges == ((0, 1), (0, 2)) and info.normaliser == (2, 1)


def test_a_file_of_pairs_only_keeps_the_header_s_names(tmp_path):
    (tmp_path / "points.txt").write_text("flip nose left_eye\n")
    info = opened(tmp_path, f"{HEADER}\na.jpg,1,2,3,4,5,6\n").info
    assert info.point_names == ("nose", "left_eye", "right_eye") and info.flip_pairs == ((0, 1),)
    assert info.normaliser == "size"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a\nb\na\n", "names 'a' twice: expected every point once"),
        ("a\nb\nflip a c\n", r"line 3: 'a c': expected two of the points a, b"),
        ("a\nb\nflip a a\n", r"line 3: 'a a': expected two of the points a, b"),
        ("a\nb\nflip a\n", r"line 3: 'flip a': expected the name of a point \(one word\), or flip, line or"),
        ("a\nb\nflip a b\nflip b a\n", r"line 4: 'b' changes places with another point already, by line 3: expected"),
        ("a\nb\nleft eye\n", r"line 3: 'left eye': expected the name of a point"),
        ("a\nb\nc\n", r"points\.txt: names 3 points, .*train\.csv has 2"),
    ],
)
def test_a_bad_file_of_names_is_named(tmp_path, text, complaint):
    (tmp_path / "points.txt").write_text(text)
    with pytest.raises(DataError, match=r"points\.txt.*" + complaint.removeprefix(r"points\.txt")):
        opened(tmp_path, "a.jpg,1,2,3,4\n")


def test_names_that_are_no_text(tmp_path):
    (tmp_path / "points.txt").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match="not UTF-8 text"):
        read_names(tmp_path / "points.txt", named_info("mine", ("a", "b")))


def test_a_point_in_two_pairs_is_refused(tmp_path):
    (tmp_path / "points.txt").write_text("flip nose left_eye\n\nflip right_eye nose\n")
    with pytest.raises(DataError, match=r"points\.txt, line 3: 'nose' changes places with .* already, by line 1"):
        opened(tmp_path, f"{HEADER}\na.jpg,1,2,3,4,5,6\n")


def test_the_order_of_the_file_of_names_is_that_of_all_splits(tmp_path):
    """The header's columns are found by their names, not by their places."""
    (tmp_path / "points.txt").write_text("Right Eye\n".replace(" ", "_") + "nose\nleft-eye\n")
    found = opened(tmp_path, f"{HEADER}\na.jpg,1,2,3,4,5,6\nb.jpg,,,9,8,7,5\n")
    assert found.info.point_names == ("Right_Eye", "nose", "left-eye") and found.info.flip_pairs == ((2, 0),)
    np.testing.assert_array_equal(found.annotations(0)["points"], [[[5, 6], [1, 2], [3, 4]]])
    np.testing.assert_array_equal(found.annotations(1)["visible"], [[1, 0, 1]])
    (tmp_path / "points.txt").write_text("nose\nleft_ear\nright_eye\n")
    with pytest.raises(DataError, match=r"points\.txt has nose, left_ear, right_eye; .*train\.csv has nose, left_eye"):
        opened(tmp_path, f"{HEADER}\na.jpg,1,2,3,4,5,6\n")


def test_lines_of_a_json_follow_its_points(tmp_path):
    (tmp_path / "points.txt").write_text("right_ear\nleft_ear\nnose\n")
    found = coco_set(tmp_path)
    assert found.info.edges == ((2, 1), (2, 0)) and found.info.flip_pairs == ((1, 0),)
    np.testing.assert_array_equal(found.annotations(0)["points"][0], [[90, 60], [30.5, 44], [10, 20]])

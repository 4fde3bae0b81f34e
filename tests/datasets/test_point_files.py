"""Annotation files that are cut short, misshapen or hold no numbers: one line with file, place and remedy."""

import json

import pytest

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.point_files import (
    keypoints_of,
    numbers,
    parsed,
    read_coco,
    read_csv,
    read_json,
    size_of,
    xywh_of,
)

NAN = float("nan")


def test_a_json_is_whole_or_named(tmp_path):
    file = tmp_path / "a.json"
    with pytest.raises(DataError, match=r"a\.json: no such file: unpack x\.zip$"):
        read_json(file, "unpack x.zip")
    whole = json.dumps({"images": [1, 2, 3], "annotations": []})
    file.write_text(whole[: len(whole) // 2])
    with pytest.raises(
        DataError, match=r"a\.json: cut short or no json \(.*line 1 column.*\): unpack or copy it again"
    ):
        read_json(file, "")
    file.write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match=r"a\.json: cut short or no json"):
        read_json(file, "")
    file.write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"a\.json: cut short or no json"):
        read_json(file, "")
    file.write_text("\ufeff" + whole, encoding="utf-8")
    assert read_json(file, "")["images"] == [1, 2, 3]
    with pytest.raises(DataError, match=r"cannot be read"):
        read_json(tmp_path, "")


def coco(**more):
    return {"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}],
            "annotations": [{"id": 5, "image_id": 7}, {"id": 6, "image_id": 7}]} | more  # fmt: skip


def test_coco_s_layout_is_joined(tmp_path):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(coco()))
    found = read_coco(file, "")
    assert list(found.pictures) == [1, 7] and found.categories == []
    assert {k: [one["id"] for one in v] for k, v in found.annotations.items()} == {1: [], 7: [5, 6]}
    file.write_text(json.dumps({"images": coco()["images"]}))
    assert read_coco(file, "", annotated=False).annotations == {1: [], 7: []}


def test_ids_as_text_and_paths_of_windows_are_joined(tmp_path):
    """Some tools write an id as a number in one list and as text in the other."""
    images = [{"id": 1, "file_name": "sub\\a.jpg"}, {"id": "7", "file_name": "./b.jpg"}]
    entries = [{"id": 0, "image_id": "1", "category_id": "3"}, {"id": 1, "image_id": 7, "category_id": 3}]
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"images": images, "annotations": entries, "categories": [{"id": 3, "name": "cat"}]}))
    found = list(read_coco(file, "").pairs())
    assert [picture["file_name"] for picture, _ in found] == ["sub/a.jpg", "b.jpg"]
    assert [(entry["image_id"], entry["category_id"]) for _, entry in found] == [(1, 3), ("7", 3)]


@pytest.mark.parametrize(
    ("whole", "complaint"),
    [
        ([], r"expected a json in COCO's layout, with the lists images and annotations"),
        ({"images": []}, r"with the lists images and annotations"),
        (coco(images=[{"id": 1}]), r"images\[0\]: has no 'file_name'"),
        (coco(images=["a.jpg"]), r"images\[0\]: has no 'id'"),
        (coco(images=[{"id": 1.5, "file_name": "a"}]), r"images\[0\]: id 1\.5, file_name 'a': expected a number and"),
        (coco(images=[{"id": 1, "file_name": ""}]), r"expected a number and the path of a picture"),
        (coco(images=[{"id": 1, "file_name": "a"}] * 2), r"images\[1\]: id 1, file_name 'a': stands there twice"),
        (
            coco(annotations=[{"id": 5, "image_id": 7}] * 2),
            r"annotations\[1\]: id 5 stands there twice for one picture",
        ),
        (coco(annotations=[{"id": 1}]), r"annotations\[0\]: has no 'image_id'"),
        (coco(annotations=[{"image_id": 2}]), r"annotations\[0\]: belongs to picture 2, which images does not list"),
        (coco(annotations=[{"image_id": [2]}]), r"annotations\[0\]: belongs to picture \[2\]"),
    ],
)
def test_what_is_not_coco_s_layout_is_named(tmp_path, whole, complaint):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(whole))
    with pytest.raises(DataError, match=r"a\.json: .*" + complaint):
        read_coco(file, "")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([1, 2], "2 given, expected 3 numbers"),
        ([1, 2, "3"], "3 given, not all numbers, expected 3 numbers"),
        (["a", "b", "c"], "not all numbers"),
        ([1, None, 3], "not all numbers"),
        ([1, [2], 3], "not all numbers"),
        ([True, False, True], "not all numbers"),
        ([1, NAN, 3], "number 2 is not finite"),
        ([1, 2, float("inf")], "number 3 is not finite"),
        (7, "7 given, expected a list of 3 numbers"),
        (None, "None given, expected a list of 3 numbers"),
    ],
)
def test_what_is_no_number_is_named(values, complaint):
    with pytest.raises(DataError, match=f"^here: bbox: .*{complaint}"):
        numbers(values, 3, "here", "bbox")


def test_keypoints():
    points, visible = keypoints_of({"keypoints": [1, 2, 2, 5.5, 6, 1, 9, 9, 0]}, 3, "here")
    assert points.tolist() == [[1, 2], [5.5, 6], [0, 0]] and visible.tolist() == [2, 1, 0]
    assert visible.dtype == "int8" and points.dtype == "float64"
    unknown = {"keypoints": [NAN, None, 0, 1, 2, 1, None, NAN, 0.0]}  # what is not labelled may be anything
    points, visible = keypoints_of(unknown, 3, "here")
    assert points.tolist() == [[0, 0], [1, 2], [0, 0]] and visible.tolist() == [0, 1, 0]
    for bad, complaint in (
        ({"keypoints": [1, 2, None] * 3}, "not all numbers"),
        ({"keypoints": [1, 2, NAN] * 3}, "number 3 is not finite"),
        ({}, "here: has no 'keypoints'"),
        ({"keypoints": [1, 2, 2]}, r"here: keypoints \(x, y, v of 3 points\): 3 given, expected 9 numbers"),
        ({"keypoints": [1, 2, 3] * 3}, "here: keypoints hold a v of 3: expected 0, 1 or 2"),
        ({"keypoints": [1, NAN, 1] * 3}, "number 2 is not finite"),
        ([], "here: has no 'keypoints'"),
    ):
        with pytest.raises(DataError, match=complaint):
            keypoints_of(bad, 3, "here")


def test_boxes_and_sizes():
    assert xywh_of({"bbox": [1, 2, 3, 4]}, "").tolist() == [1, 2, 3, 4]
    assert size_of({"height": 10, "width": 20}, "") == (10, 20)
    for bad, complaint in (({"width": 3}, "here: has no 'height'"), ({"height": 0, "width": 3}, "a pixel or more"),
                           ({"height": "9", "width": 3}, "height '9': expected a fi")):  # fmt: skip
        with pytest.raises(DataError, match=complaint):
            size_of(bad, "here")


def test_csv_rows_know_their_lines(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('\ufefffile,x\n\n"a, b.jpg", 1 \n,\nc,2\n', encoding="utf-8")
    assert read_csv(file, "") == [(1, ["file", "x"]), (3, ["a, b.jpg", "1"]), (5, ["c", "2"])]
    with pytest.raises(DataError, match=r"b\.csv: no such file: unpack it"):
        read_csv(tmp_path / "b.csv", "unpack it")
    file.write_bytes(b"a,\xff\n")
    with pytest.raises(DataError, match=r"a\.csv: not UTF-8 text \(line 1; 'a,ÿ' if it is Windows-1252"):
        read_csv(file, "")
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(tmp_path, "")


def test_cells_are_numbers_or_named():
    assert parsed(["1", "-2.5", "1e3"], "here").tolist() == [1, -2.5, 1000]
    for cells, complaint in ((["1", "x"], "column 5: 'x' given"), (["nan", "1"], "column 4: 'nan' given"),
                             (["1", ""], "column 5: '' given"), (["1_0", "1"], "column 4: '1_0' given"),
                             (["1", "inf"], "column 5: 'inf' given")):  # fmt: skip
        with pytest.raises(DataError, match=f"^here, {complaint}, expected a finite number$"):
            parsed(cells, "here", first=4)

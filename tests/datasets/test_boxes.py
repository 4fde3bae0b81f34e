"""Boxes handed in with pictures, and what is said where they can't be used."""

import json

import numpy as np
import pytest

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.boxes import boxes_for


def test_a_list_for_one_picture():
    (found,) = boxes_for(["a/b.jpg"], " [[1, 2, 3.5, 4], [5, 6, 7, 8]]")
    assert found.dtype == np.float64 and found.tolist() == [[1, 2, 3.5, 4], [5, 6, 7, 8]]
    assert boxes_for(["b.jpg"], "[]")[0].shape == (0, 4)


def test_files_name_their_pictures(tmp_path):
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps({"b.jpg": [[1, 2, 3, 4]], "far/a.jpg": [[5, 6, 7, 8]], "a.jpg": [], "else.jpg": None}))
    found = boxes_for(["far/a.jpg", "near/a.jpg", "b.jpg"], str(file))
    assert [boxes.tolist() for boxes in found] == [[[5, 6, 7, 8]], [], [[1, 2, 3, 4]]]
    file.write_text("[[1, 2, 3, 4]]")
    assert boxes_for(["b.jpg"], str(file))[0].tolist() == [[1, 2, 3, 4]]
    assert boxes_for(["c.jpg"], '{"c.jpg": [[1, 2, 3, 4]]}')[0].tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("pictures", "text", "expected"),
    [
        (["a.jpg"], "nothing.json", r"nothing\.json: no such file: expected the path of a json file, or \[\[left, top"),
        (["a.jpg"], "[[1, 2, 3, 4]", r"boxes: no json \(.*\): expected \[\[left"),
        (["a.jpg"], "[1, 2, 3, 4]", r"boxes: a\.jpg: box \[0\]: 1 given, expected a list of 4 numbers"),
        (["a.jpg"], "[[1, 2, 3]]", r"boxes: a\.jpg: box \[0\]: 3 given, expected 4 numbers"),
        (["a.jpg"], '[[1, 2, 3, "4"]]', r"boxes: a\.jpg: box \[0\]: 4 given, not all numbers"),
        (["a.jpg"], "[[1, 2, 3, NaN]]", r"boxes: a\.jpg: box \[0\]: number 4 is not finite"),
        (["a.jpg", "b.jpg"], "[[1, 2, 3, 4]]", r"boxes: one list of boxes for 2 pictures: expected \{picture:"),
        (["a.jpg"], '{"b.jpg": []}', r"boxes: has no boxes of a\.jpg"),
        (["a.jpg"], '{"a.jpg": 3}', r"boxes: a\.jpg: expected \[\[left"),
    ],
)
def test_mistakes_are_named(pictures, text, expected):
    with pytest.raises(DataError, match=expected):
        boxes_for(pictures, text)


def test_a_file_that_says_something_else_is_named(tmp_path):
    (tmp_path / "boxes.json").write_text('"street.jpg"')
    with pytest.raises(DataError, match=r"boxes\.json: expected \[\[left"):
        boxes_for(["a.jpg"], str(tmp_path / "boxes.json"))

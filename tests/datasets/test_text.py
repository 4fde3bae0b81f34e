"""Text as Windows, macOS and spreadsheets write it: read, or refused with the name of its encoding."""

import codecs

import pytest

from hrnet_keras import datasets
from hrnet_keras.converting import _names
from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.folder import read_classes
from hrnet_keras.datasets.point_files import read_csv, read_json
from hrnet_keras.datasets.text import read_text
from hrnet_keras.layers.model_info import ModelInfo
from tests import point_files

NAMES = "straße 128 64 128\r\nAuto\r\n"
READABLE = {
    "plain": NAMES.encode(), "mark": codecs.BOM_UTF8 + NAMES.encode(), "old mac": NAMES.replace("\r\n", "\r").encode(),
    "utf-16": NAMES.encode("utf-16"), "utf-16-be": codecs.BOM_UTF16_BE + NAMES.encode("utf-16-be"),
    "utf-32": NAMES.encode("utf-32"),
}  # fmt: skip
REFUSED = {
    "cp1252": (NAMES.encode("cp1252"), r"not UTF-8 text \(line 1; 'straße 128 64 128' if it is Windows-1252, cp1252\): "
               "save it as UTF-8"),
    "utf-16 without mark": (NAMES.encode("utf-16-le"), "holds zero bytes: UTF-16 without its byte order mark, or no"),
    "utf-16 cut": (NAMES.encode("utf-16")[:-1], "begins like text in UTF-16 and is none"),
    "picture": (b"\x89PNG\r\n\x1a\nIHDR", "not UTF-8 text"),
}  # fmt: skip


@pytest.mark.parametrize("kind", READABLE)
def test_names_of_classes_for_every_purpose(tmp_path, kind):
    """A folder's classes.txt and `convert --classes` are one format."""
    file = tmp_path / "classes.txt"
    file.write_bytes(READABLE[kind])
    names, palette = read_classes(file)
    assert names == ("straße", "Auto") and palette[0] == (128, 64, 128)
    info = _names(str(file), ModelInfo("seg", num_classes=2))
    assert (info.class_names, info.palette, info.name) == (names, palette, "classes")


@pytest.mark.parametrize("kind", REFUSED)
def test_other_encodings_are_named(tmp_path, kind):
    contents, reason = REFUSED[kind]
    file = tmp_path / "a.txt"
    file.write_bytes(contents)
    for read in (read_text, read_classes, lambda path: read_csv(path, ""), lambda path: read_json(path, "")):
        with pytest.raises(DataError, match=rf"a\.txt: {reason}") as caught:
            read(file)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=rf"a\.txt: {reason}"):
        _names(str(file), ModelInfo("seg", num_classes=2))


def test_more_names_than_a_label_map_holds_are_for_convert_only(tmp_path):
    (tmp_path / "classes.txt").write_text("\n".join(f"class {i}" for i in range(256)))
    assert len(_names(str(tmp_path / "classes.txt"), ModelInfo("seg", num_classes=256)).class_names) == 256
    with pytest.raises(DataError, match=r"names 256 classes: expected 1\.\.255"):
        datasets.load("folder", "train", tmp_path)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("file,x0,y0\na.png,40.5,20\n", [["file", "x0", "y0"], ["a.png", "40.5", "20"]]),
        ("file;x0;y0\na,b.png;40,5;-2,25\n", [["file", "x0", "y0"], ["a,b.png", "40.5", "-2.25"]]),
        ("a.png;40,5;20,5\n", [["a.png", "40.5", "20.5"]]),
        ("file\tx0\ty0\r\na b.png\t40.5\t20\r\n", [["file", "x0", "y0"], ["a b.png", "40.5", "20"]]),
        ("a;b.png,40,20\n", [["a;b.png", "40", "20"]]),
        ("alone\n1,2\n", [["alone"], ["1", "2"]]),
    ],
)
def test_cells_are_parted_as_spreadsheets_do(tmp_path, text, rows):
    (tmp_path / "a.csv").write_text(text)
    assert [cells for _, cells in read_csv(tmp_path / "a.csv", "")] == rows


def test_points_from_a_table_of_windows(tmp_path):
    point_files.picture(tmp_path / "images" / "sub" / "a.jpg")
    head = "file;left_eye_x;left_eye_y;right_eye_x;right_eye_y"
    rows = f"{head}\r\nsub\\a.jpg;40,5;20;20;20\r\n.\\sub\\a.jpg;50;20;20;60\r\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "train.csv").write_bytes(rows.encode(encoding))
        found = datasets.load("points", "train", tmp_path)
        assert found.names == ("sub/a",) and found.info.point_names == ("left_eye", "right_eye")
        assert found.example(0)["points"].tolist() == [[[40.5, 20], [20, 20]], [[50, 20], [20, 60]]]

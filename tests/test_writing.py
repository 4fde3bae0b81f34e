"""Answers as files: told apart, inside their folder, over nothing that was given, and never half."""

import os
from pathlib import Path

import pytest

from hrnet_keras.writing import check_targets, stems_for, stems_inside, whole

PLAIN, LABELS = (".png",), (".png", "_labels.png")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*paths):
    for path in paths:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(path)
    return list(paths)


@pytest.mark.parametrize(
    ("pictures", "endings", "expected"),
    [
        (["a.jpg"], PLAIN, ["a"]),
        (["deep/er/a.jpg"], PLAIN, ["a"]),  # of one folder: no tree
        (["cams/a/1.png", "cams/b/1.png"], PLAIN, ["a/1", "b/1"]),
        (["cams/a/1.png", "cams/1.png"], PLAIN, ["a/1", "1"]),
        (["cams/a/../b/1.png", "other/1.png"], PLAIN, ["cams/b/1", "other/1"]),
        (["../one/1.png", "../two/1.png"], PLAIN, ["one/1", "two/1"]),
        (["a.jpg", "a.png", "b.png"], PLAIN, ["a.jpg", "a.png", "b"]),  # the suffix tells them apart
        (["x.jpg", "x_labels.jpg"], PLAIN, ["x", "x_labels"]),
        (["x.jpg", "x_labels.jpg"], LABELS, ["x.jpg", "x_labels.jpg"]),  # x_labels.png would be two answers
        (["a.jpg", "a.png", "a.jpg.png"], PLAIN, ["a.jpg", "a.png", "a.jpg.png"]),
        (["x.jpg", "x.png/1.jpg"], PLAIN, ["x.jpg", "x.png/1"]),  # out/x.png can't be a file and a folder
        (["A.jpg", "a.jpg"], PLAIN, ["A", "a"]),  # on a file system that knows case
    ],
)
def test_names_tell_answers_apart_and_keep_the_tree(here, pictures, endings, expected):
    (here / "work").mkdir()
    os.chdir(here / "work")
    assert stems_for(pictures, "out", endings) == [os.path.join("out", stem) for stem in expected]


def test_case_alone_tells_nothing_apart_where_file_systems_ignore_it(here, monkeypatch):
    monkeypatch.setattr("hrnet_keras.writing._same_file_name", lambda folder: str.casefold)
    assert stems_for(["A.jpg", "a.png"], "out", PLAIN) == ["out/A.jpg", "out/a.png"]
    with pytest.raises(ValueError, match="would have the name of another picture's"):
        stems_for(["A.jpg", "a.jpg"], "out", PLAIN)
    with pytest.raises(ValueError, match="would have the name of another one's"):
        stems_inside("out", ["A", "a"], ".png")


def test_pictures_and_what_is_given_beside_them_are_never_overwritten(here):
    touch("cams/a/1.png", "cams/b/1.png", "cams/boxes.json")
    for pictures, output in ((["cams/a/1.png", "cams/b/1.png"], "cams"), (["cams/a/1.png"], "cams/b/../a")):
        with pytest.raises(ValueError, match=r"1\.png: was given and would be overwritten"):
            stems_for(pictures, output, PLAIN)
    with pytest.raises(ValueError, match=r"boxes\.json: was given"):
        stems_for(["cams/boxes.jpg"], "cams", (".png", ".json"), keep=["cams/boxes.json"])
    os.symlink(here / "cams" / "a", here / "link")
    with pytest.raises(ValueError, match="was given and would be overwritten"):
        stems_for(["link/1.png"], "cams/a", PLAIN)


def test_an_answer_beside_the_pictures_replaces_nothing(here):
    touch("photos/a.jpg", "photos/a.png")
    with pytest.raises(ValueError, match=r"photos/a\.png: exists beside the pictures"):
        stems_for(["photos/a.jpg"], "photos", PLAIN)
    touch("out/a.png")  # of an earlier run
    assert stems_for(["photos/a.jpg"], "out", PLAIN) == ["out/a"]


def test_links_do_not_lead_out_of_the_folder(here):
    touch("cams/a/1.png", "cams/b/1.png", "elsewhere/kept.txt")
    os.makedirs("out")
    os.symlink(here / "elsewhere", here / "out" / "a")
    with pytest.raises(ValueError, match=r"out/a/1\.png: leads out of out"):
        stems_for(["cams/a/1.png", "cams/b/1.png"], "out", PLAIN)
    with pytest.raises(ValueError, match="leads out of out"):
        stems_inside("out", ["a/1"], ".png")
    os.makedirs("out/1.png")
    with pytest.raises(ValueError, match="is a folder"):
        check_targets(["out/1.png"], "out", [])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["city/1", "2"], ["city/1", "2"]),
        (["../images/1", "../images/2"], ["1", "2"]),
        (["../images/1", "../more/1"], ["images/1", "more/1"]),
        (["../1", "1"], ["1", "_/1"]),
        (["/data/x/1", "/data/y/1"], ["x/1", "y/1"]),
        (["a/../../b/1", "a/../c/1"], ["b/1", "_/c/1"]),
        (["a/../1", "2"], ["1", "2"]),
    ],
)
def test_names_of_examples_stay_inside_the_folder(here, names, expected):
    assert stems_inside("out", names, ".png") == [os.path.join("out", name) for name in expected]


def test_examples_that_nothing_tells_apart_are_refused(here):
    with pytest.raises(ValueError, match="'1' would have the name of another one's"):
        stems_inside("out", ["1", "a/../1"], ".png")
    touch("data/labels/1.png")
    with pytest.raises(ValueError, match=r"1\.png: was given and would be overwritten"):
        stems_inside("data/labels", ["1"], ".png", keep=["data/labels/1.png"])


def test_files_are_whole_or_not_there(here):
    touch("a.txt")
    with pytest.raises(RuntimeError), whole("a.txt") as path:
        touch(path)
        raise RuntimeError("the light went out")
    assert os.listdir() == ["a.txt"] and Path("a.txt").read_text() == "a.txt"
    with whole("a.txt") as path, open(path, "w", encoding="utf-8") as file:
        file.write("new")
    assert os.listdir() == ["a.txt"] and Path("a.txt").read_text() == "new"
    with whole(os.devnull) as path:
        assert path == os.devnull  # no regular file is put in a device's place
    with pytest.raises(OSError), whole("no/folder.txt"):
        pass

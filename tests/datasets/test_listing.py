"""What macOS, Windows and network disks leave in folders is no picture, in every data set that lists a folder."""

import shutil

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets.listing import files_in, pictures_in
from tests import published_sets, streets

RESOURCE_FORK = bytes([0, 5, 0x16, 7, 0, 2]) + bytes(76)  # AppleDouble, what lies in `._` files
MAKERS = {
    "ade20k": published_sets.ade20k, "cityscapes": published_sets.cityscapes, "cocostuff": published_sets.cocostuff,
    "imagenet": published_sets.imagenet, "lip": published_sets.lip,
    "folder": lambda root, counts: streets.draw(root, count=2, split="train"),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_what_systems_leave_behind_is_left_out(tmp_path, name):
    root = MAKERS[name](tmp_path, {"train": 2})
    options = {} if name in ("folder", "imagenet") else {"partial": True}
    names = datasets.load(name, "train", root, **options).names
    for folder in [path for path in (root, *root.rglob("*")) if path.is_dir()]:
        for file in [path for path in folder.iterdir() if path.is_file()]:
            (folder / f"._{file.name}").write_bytes(RESOURCE_FORK)
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    for folder in [path for path in root.rglob("*") if path.is_dir() and not path.name.startswith(("__", "@"))]:
        for left in ("__MACOSX", "@eaDir"):
            (folder / left).mkdir()
            for file in [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")][:1]:
                shutil.copy(file, folder / left / file.name)
    found = datasets.load(name, "train", root, **options)
    assert found.names == names and datasets.validate_headers(found) == []


def test_pictures_are_known_by_ending_or_content(tmp_path):
    picture = Image.fromarray(np.zeros((4, 5, 3), np.uint8))
    for name, kind in (("a.WEBP", "WEBP"), ("b.tif", "TIFF"), ("c", "PNG"), ("d.JPG_large", "JPEG"), ("e.x", "WEBP")):
        picture.save(tmp_path / name, kind)
    picture.save(tmp_path / "raw.nef", "TIFF")  # cameras' raw files look like TIFF
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    (tmp_path / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "notes.txt").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "more").mkdir()
    assert [file.name for file in pictures_in(tmp_path)] == ["a.WEBP", "b.tif", "c", "d.JPG_large", "e.x", "phone.HEIC"]
    assert files_in(tmp_path / "nowhere", "*.jpg") == []


def test_pictures_of_one_stem_in_a_class_folder_have_names_of_their_own(tmp_path):
    for name in ("cat/a.jpg", "cat/a.png", "cat/b.png", "dog/a.jpg", "dog/B.jpg", "owl/c.jpg", "owl/C.png"):
        file = tmp_path / "train" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(file)
    found = datasets.load("imagenet", "train", tmp_path)
    assert found.names == ("cat/a.jpg", "cat/a.png", "cat/b.png", "dog/B", "dog/a", "owl/C.png", "owl/c.jpg")
    assert found.picture_labels == (0, 0, 0, 1, 1, 2, 2)

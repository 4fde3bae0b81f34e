"""A folder of pictures: what is read, and one clear line for everything that can be wrong with it."""

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from tests import streets

RNG = np.random.default_rng(0)


def write(top, stem, size=(20, 30), suffix=".png", label_size=None, ids=3):
    for kind in ("images", "labels"):
        (top / kind).mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (*size, 3), np.uint8)).save(top / "images" / f"{stem}{suffix}")
    labels = RNG.integers(0, ids, label_size or size).astype(np.uint8)
    Image.fromarray(labels).save(top / "labels" / f"{stem}.png")
    return labels


@pytest.fixture
def root(tmp_path):
    (tmp_path / "classes.txt").write_text("road\ntraffic light 250 170 30\n\nsky\n")
    return tmp_path


def test_reads_every_format(root):
    labels = {
        stem: write(root, stem, suffix=suffix)
        for stem, suffix in zip("abcdefg", (".png", ".JPG", ".jpeg", ".bmp", ".webp", ".tif", ".ppm"), strict=True)
    }
    (root / "images" / "notes.txt").write_text("not a picture")
    dataset = datasets.load("folder", "train", root)
    assert dataset.names == tuple("abcdefg") and datasets.load("folder", "val", root).names == dataset.names
    for i, stem in enumerate(dataset.names):
        example = dataset.example(i)
        np.testing.assert_array_equal(example["label_map"], labels[stem])
        np.testing.assert_array_equal(example["image"], np.asarray(Image.open(dataset.image_files[i])))


def test_splits_and_info(root):
    write(root / "train", "a")
    write(root / "val", "b")
    dataset = datasets.load("folder", "val", root)
    assert dataset.names == ("b",) and dataset.info.class_names == ("road", "traffic light", "sky")
    assert dataset.info.palette[1] == (250, 170, 30) and len(set(dataset.info.palette)) == 3
    with pytest.raises(datasets.DataError, match=r"no split 'test'.*the splits here are train, val"):
        datasets.load("folder", "test", root)


def test_generated_colours_are_distinct(root):
    (root / "classes.txt").write_text("\n".join(f"class {i}" for i in range(150)))
    write(root, "a")
    palette = datasets.load("folder", "train", root).info.palette
    assert len(set(palette)) == 150 and all(0 <= part <= 255 for colour in palette for part in colour)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("L", "grey"), ("P", "RGB"), ("RGBA", "RGB"), ("1", "RGB"), ("LA", "RGB")],
)
def test_pictures_of_other_modes_become_rgb(root, mode, expected):
    write(root, "a")
    file = root / "images" / "a.png"
    picture = Image.open(file).convert(mode)
    picture.save(file)
    image = datasets.load("folder", "train", root).example(0)["image"]
    np.testing.assert_array_equal(image, np.asarray(picture.convert("RGB")))


def test_sixteen_bits_keep_the_upper_eight(root):
    write(root, "a")
    deep = RNG.integers(0, 65536, (20, 30)).astype(np.uint16)
    Image.fromarray(deep).save(root / "images" / "a.png")
    image = datasets.load("folder", "train", root).example(0)["image"]
    np.testing.assert_array_equal(image, np.repeat((deep >> 8)[..., None], 3, axis=2))


def test_exif_orientation_is_ignored(root):
    write(root, "a", suffix=".jpg")
    file = root / "images" / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees"
    Image.open(file).save(file, exif=exif)
    assert datasets.load("folder", "train", root).example(0)["image"].shape == (20, 30, 3)


def empty_folder(root):
    (root / "images").mkdir()
    (root / "labels").mkdir()


def unlabelled(root):
    write(root, "a")
    (root / "labels" / "a.png").unlink()


def other_masks(root):
    write(root, "a")
    (root / "labels" / "a.png").rename(root / "labels" / "a.webp")


def no_picture(root):
    for stem in "abc":
        write(root, stem)
    for stem in "bc":
        (root / "images" / f"{stem}.png").unlink()


def no_classes(root):
    write(root, "a")
    (root / "classes.txt").unlink()


def class_twice(root):
    write(root, "a")
    (root / "classes.txt").write_text("road\nroad\n")


def stem_twice(root):
    write(root, "a")
    write(root, "a", suffix=".jpg")


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda root: None, r"no split 'train': expected train/images and train/labels, or images and labels$"),
        (empty_folder, r"images: holds no pictures: expected jpg, png, bmp, gif, webp or tif files$"),
        (unlabelled, r"images/a.png: has no label map: expected .*labels/a.png$"),
        (other_masks, r"has no label map: expected .*labels/a.png; a.webp is of a kind that may change class ids$"),
        (no_picture, r"labels/b.png: has no picture \(and 1 more label maps\): expected .*images/b.jpg, or png, bmp"),
        (no_classes, r"classes.txt: no such file: expected one class name per line"),
        (class_twice, r"classes.txt: names 'road' twice"),
        (stem_twice, r"a.png: has the same stem as a.jpg"),
    ],
)
def test_what_can_be_wrong_with_a_folder(root, spoil, line):
    spoil(root)
    with pytest.raises(datasets.DataError, match=line) as caught:
        datasets.load("folder", "train", root)
    assert "\n" not in str(caught.value)


def test_no_such_folder(tmp_path):
    with pytest.raises(datasets.DataError, match=r"nowhere: no such folder$"):
        datasets.load("folder", "train", tmp_path / "nowhere")


def truncate(file):
    file.write_bytes(file.read_bytes()[:-200])


def spoiled(root):
    """A set with one example of each fault, and what the report must say of it."""
    write(root, "a_sound", suffix=".jpg")
    for stem, suffix in (("cut", ".jpg"), ("cut_png", ".png"), ("empty", ".png"), ("text", ".jpg"), ("colour", ".png")):
        write(root, stem, suffix=suffix)
    truncate(root / "images" / "cut.jpg")
    truncate(root / "images" / "cut_png.png")
    (root / "images" / "empty.png").write_bytes(b"")
    (root / "images" / "text.jpg").write_text("<html>not found</html>")
    Image.new("RGB", (30, 20)).save(root / "labels" / "colour.png")
    write(root, "size", label_size=(20, 31))
    write(root, "stranger", ids=5)
    return {
        "colour": r"labels/colour.png: a picture of mode RGB: expected class ids in one channel",
        "cut": r"images/cut.jpg: cannot be read as a picture \(.*truncated",
        "cut_png": r"images/cut_png.png: cannot be read as a picture",
        "empty": r"images/empty.png: cannot be read as a picture",
        "size": r"labels/size.png: the label map is 31x20, its picture 30x20",
        "stranger": r"labels/stranger.png: holds class ids 3, 4: expected 0..2 \(3 classes\) or 255",
        "text": r"images/text.jpg: cannot be read as a picture",
    }


def test_check_names_every_broken_file(root):
    faults = spoiled(root)
    dataset = datasets.load("folder", "train", root)
    problems = datasets.validate(dataset)
    assert [name for name, _ in problems] == sorted(faults)
    for name, reason in problems:
        with pytest.raises(datasets.DataError, match=faults[name]) as caught:
            dataset.example(dataset.names.index(name))
        assert str(caught.value) == reason and "\n" not in reason
    rest = datasets.exclude(dataset, problems)
    assert rest.names == ("a_sound",) and datasets.validate(rest) == [] and len(dataset) == 8
    assert rest.example(0)["name"] == "a_sound"


def test_ignored_label_is_no_stranger(root):
    write(root, "a")
    labels = np.full((20, 30), 255, np.uint8)
    picture = Image.fromarray(labels).convert("P")
    picture.save(root / "labels" / "a.png")
    assert datasets.validate(datasets.load("folder", "train", root)) == []


def test_only_names_of_the_set_are_excluded(root):
    write(root, "a")
    with pytest.raises(ValueError, match="problems name 'b'"):
        datasets.exclude(datasets.load("folder", "train", root), [("b", "broken")])


def test_class_weights_by_how_often_classes_occur(tmp_path):
    root = streets.draw(tmp_path, count=3)
    plain = datasets.load("folder", "train", root)
    assert plain.info.class_weights is None
    found = datasets.load("folder", "train", root, class_weights="balanced").info.class_weights
    label_maps = np.stack([plain.example(i)["label_map"] for i in range(3)])
    shares = np.array([(label_maps == c).sum() for c in range(len(found))]) / (label_maps != 255).sum()
    raw = 1 / np.log(1.10 + shares)  # the rule of ENet, arXiv:1606.02147
    np.testing.assert_allclose(found, raw / raw.mean())
    given = datasets.load("folder", "train", root, class_weights=[1, 2, 3]).info.class_weights
    assert given == (1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match=r"class_weights=\[1\]: expected 'balanced' or 3 numbers"):
        datasets.load("folder", "train", root, class_weights=[1])


def test_classes_with_a_side_change_places_in_a_mirror(root):
    (root / "classes.txt").write_text("background\nright_arm 1 2 3\nhead\nleft_arm\n")
    write(root, "a")
    assert datasets.load("folder", "train", root).info.label_flip_pairs == ((3, 1),)

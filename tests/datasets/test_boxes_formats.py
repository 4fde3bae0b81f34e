"""Your own boxes as xml files, text files and tables: the same boxes whichever way they are written."""

import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from tests import box_files
from tests.box_files import BOXES, CLASSES, SIZES, pictures, write

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax"


def check(found, names, pictures=("a.jpg", "b.png", "sub/c.jpg"), atol=1e-9):
    """Boxes, classes and sizes of a set, whatever the pictures are called."""
    assert found.info.class_names == names and len(found) == len(pictures)
    ids = set()
    for i, name in enumerate(pictures):
        example = found.example(i)
        np.testing.assert_allclose(example["boxes"], np.array(BOXES[name], np.float64).reshape(-1, 4), atol=atol)
        assert [names[label] for label in example["labels"]] == CLASSES[name]
        assert example["size"] == found.size(i) == SIZES[name][::-1] and found.trainable(i) == bool(BOXES[name])
        for entry, box, area in zip(example["truth"], example["boxes"], example["areas"], strict=True):
            left, top, wide, high = entry["bbox"]
            np.testing.assert_allclose([left, top, left + wide, top + high], box)
            assert entry["area"] == area and entry["image_id"] == example["image_id"]
            assert names[entry["category_id"] - 1] in CLASSES[name]
            ids.add(entry["id"])
    assert len(ids) == sum(len(BOXES[name]) for name in pictures)


@pytest.mark.parametrize(
    ("images", "xmls"),
    [
        ("JPEGImages", "Annotations"), ("images", "annotations"), ("train", "train"),
        ("train/images", "train/annotations"), ("images/train", "annotations/train"),
    ],
)  # fmt: skip
def test_voc(tmp_path, images, xmls):
    pictures(tmp_path / images, flat=True)
    box_files.voc(tmp_path / xmls)
    if "train" not in xmls:
        write(tmp_path / "ImageSets" / "Main" / "train.txt", "a\nb  1\nsub_c\n")
    check(datasets.load("boxes", "train", tmp_path), ("cat", "dog"))
    everything = datasets.load("boxes", "all", tmp_path, annotations=xmls) if "train" not in xmls else None
    assert everything is None or len(everything) == 3


def test_voc_of_one_folder_is_drawn(tmp_path):
    box_files.voc(pictures(tmp_path, flat=True))
    with pytest.raises(DataError, match=r"holds 3 xml files and nothing says which are of split 'train'.*val_part"):
        datasets.load("boxes", "train", tmp_path)
    val = datasets.load("boxes", "val", tmp_path, val_part=1)
    train = datasets.load("boxes", "train", tmp_path, val_part=1)
    assert len(val) == 1 and sorted(val.names + train.names) == ["a", "b", "sub_c"]
    check(datasets.load("boxes", "all", tmp_path), ("cat", "dog"))


def test_what_is_difficult_is_ignored(tmp_path):
    box_files.voc(pictures(tmp_path / "train", flat=True), difficult=1, size=(0, 0))
    found = datasets.load("boxes", "train", tmp_path)
    check(found, ("cat", "dog"))  # sizes of 0, as labelImg writes some, come from the picture
    assert found.annotations(0)["crowd"].all() and found.annotations(0)["truth"][0]["iscrowd"] == 1


def test_classes_of_a_list_and_of_other_splits(tmp_path):
    box_files.voc(pictures(tmp_path / "train", flat=True))
    pictures(tmp_path / "val", flat=True)
    write(tmp_path / "val" / "a.xml", box_files.voc_xml("a.jpg").replace("cat", "ant"))
    for split in ("train", "val"):
        assert datasets.load("boxes", split, tmp_path).info.class_names == ("ant", "cat", "dog")
    write(tmp_path / "classes.txt", "dog\ncat\nant\n")
    assert datasets.load("boxes", "val", tmp_path).info.class_names == ("dog", "cat", "ant")
    assert datasets.load("boxes", "val", tmp_path).annotations(0)["labels"].tolist() == [0, 2]
    chosen = datasets.load("boxes", "train", tmp_path, class_names=["cat"])
    assert chosen.annotations(0)["labels"].tolist() == [0] and not chosen.trainable(2)


YAML = "path: ../somewhere\ntrain: {train}\nval: images/val\nnames: {names}\n"


@pytest.mark.parametrize(
    ("images", "labels", "settings"),
    [
        ("images/train", "labels/train", ("images/train", "[dog, cat]")),
        ("train/images", "train/labels", ("../train/images", "{0: dog, 1: cat}")),
        ("train", "train", None),
        ("obj_train_data", "obj_train_data", None),
    ],
)
def test_yolo(tmp_path, images, labels, settings):
    pictures(tmp_path / images)
    box_files.yolo(tmp_path / labels)
    if settings:
        write(tmp_path / "data.yaml", YAML.format(train=settings[0], names=settings[1]))
    else:
        write(tmp_path / "classes.txt", "dog\ncat\n")
    check(datasets.load("boxes", "train", tmp_path), ("dog", "cat"))
    with pytest.raises(DataError):
        datasets.load("boxes", "val", tmp_path)


def test_yolo_without_names(tmp_path):
    box_files.yolo(pictures(tmp_path / "train"))
    assert datasets.load("boxes", "train", tmp_path).info.class_names == ("class_0", "class_1")


def test_yolo_of_outlines(tmp_path):
    pictures(tmp_path / "images" / "train")
    write(tmp_path / "labels" / "train" / "a.txt", "0 0.25 0.25 0.75 0.25 0.75 0.5 0.25 0.5\n1 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "classes.txt", "dog\ncat\n")
    found = datasets.load("boxes", "train", tmp_path)
    example = found.example(0)
    np.testing.assert_allclose(example["boxes"], [[24, 20, 72, 40], [24, 20, 72, 60]])
    masks = datasets.masks_of(example)
    assert masks.shape == (2, 80, 96) and masks[0, 20:40, 24:72].all() and masks[0].sum() == 48 * 20
    assert not masks[1].any() and example["areas"].tolist() == [48 * 20, 48 * 40]
    assert example["truth"][0]["segmentation"] == example["segments"][0] and "segmentation" not in example["truth"][1]


@pytest.mark.parametrize(
    ("header", "form"),
    [
        (HEADER, "{name},{width},{height},{label},{0},{1},{2},{3}"),
        ("image,x1,y1,x2,y2,label", "{name},{0},{1},{2},{3},{label}"),
        ("file;left;top;width;height;class", "{name};{0};{1};{w};{h};{label}"),
        ("image_path,class,x,y,w,h,image_width,image_height", "{name},{label},{0},{1},{w},{h},{width},{height}"),
        (None, "{name},{0},{1},{2},{3},{label}"),
    ],
)
@pytest.mark.parametrize("place", ["train.csv", "train_labels.csv", "train/_annotations.csv", "data/train_labels.csv"])
def test_csv(tmp_path, header, form, place):
    pictures(tmp_path / "images")
    mark = ";" if ";" in form else ","
    rows = box_files.csv_rows(form)
    rows.insert(2, "b.png" + mark * form.count(mark))  # a picture without objects
    write(tmp_path / place, "\n".join([*([header] if header else []), *rows]) + "\n")
    check(datasets.load("boxes", "train", tmp_path), ("cat", "dog"))


def put_voc(root, text):
    pictures(root / "train", flat=True)
    write(root / "train" / "a.xml", text)


def put_yolo(root, text):
    pictures(root / "train")
    write(root / "classes.txt", "dog\ncat\n")
    write(root / "train" / "a.txt", text)


def put_csv(root, text):
    pictures(root / "images")
    write(root / "train.csv", text)


def xml(*corners, name="dog"):
    first = box_files.OBJECT.format(*corners, name=name, difficult=0)
    return box_files.XML.format(name="a.jpg", width=96, height=80, objects=first)


WRONG = [
    (put_voc, xml(1, 1, 1, "x"), r"a.xml: object 1: ymax 'x': expected a finite number in bndbox"),
    (put_voc, xml(1, 1, "nan", 7), r"a.xml: object 1: xmax 'nan': expected a finite number"),
    (put_voc, xml(90, 70, 10, 20), r"a.xml: object 1: the box 89, 69, 10, 20 .* has no area: correct it or leave"),
    (put_voc, xml(200, 10, 240, 70), r"a.xml: object 1: the box .* lies outside the picture of 96x80"),
    (put_voc, xml(1, 2, 3, 4, name=""), r"object 1: has no name"),
    (put_voc, "<annotation>", r"a.xml: cut short or no xml"),
    (put_voc, xml(60, 50, 20, 10), r"1 of 1 boxes don't fit .* and nearly all do as left, top, width, height, which"),
    (put_voc, xml(0.1, 0.2, 0.5, 0.9), r"all 1 boxes lie between -0.9 and 0.9"),
    (
        put_yolo,
        "0 0.5 0.5 0.1 0.1\n2 0.5 0.5 0.1 0.1\n",
        r"a.txt, line 2: class 2: expected a whole number from 0 to 1",
    ),
    (put_yolo, "0 48 40 20 20\n", r"a.txt, line 1: 48 given, expected shares .* divide pixels by width and height"),
    (put_yolo, "0 0.5 0.5 0.1\n", r"a.txt, line 1: 4 numbers: expected class, centre x"),
    (put_yolo, "0 0.5 0.5 0.1 0.1 0.9\n", r"a.txt, line 1: 6 numbers: expected class, centre x"),
    (put_yolo, "dog 0.5 0.5 0.1 0.1\n", r"a.txt, line 1: 'dog' given, expected a finite number"),
    (put_yolo, "0 0.5 0.5 0 0.1\n", r"a.txt, line 1: the box .* has no area"),
    (put_yolo, "0 0.6 0.1 0.9 0.8\n", r"1 of 1 boxes don't fit .* as centre x, .* nearly all do as left, top, right"),
    (put_csv, f"{HEADER}\na.jpg,96,80,dog,10,10,60,x\n", r"train.csv, line 2, column 8: 'x' given, expected a finite"),
    (put_csv, f"{HEADER}\na.jpg,96,80,dog,10,10,60\n", r"train.csv, line 2: 7 columns, expected 8"),
    (put_csv, f"{HEADER}\na.jpg,96,80,,10,10,60,70\n", r"train.csv, line 2: has a box without a class"),
    (put_csv, f"{HEADER}\n,96,80,dog,10,10,60,70\n", r"train.csv, line 2: names no picture"),
    (put_csv, f"{HEADER}\nz.jpg,96,80,dog,10,10,60,70\n", r"z.jpg: no such file, one of 1 absent of the 1 pictures"),
    (put_csv, f"{HEADER}\na.jpg,96,80,dog,.1,.1,.6,.7\n", r"train.csv: all 1 boxes lie between 0 and 0.7, as shares"),
    (
        put_csv,
        f"{HEADER}\na.jpg,96,80,dog,50,40,30,20\n",
        r"nearly all do as left, top, width, height, which they seem",
    ),
    (put_csv, "filename,what\na.jpg,b\n", r"line 1: columns filename, what: expected filename, class, xmin"),
    (put_csv, "", r"train.csv: is empty"),
]


@pytest.mark.parametrize(("put", "text", "message"), WRONG)
def test_what_is_refused(tmp_path, put, text, message):
    put(tmp_path, text)
    with pytest.raises(DataError, match=message):
        datasets.load("boxes", "train", tmp_path)


def test_formats_are_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"holds no boxes: expected a json in COCO's layout, VOC's xml files, YOLO's"):
        datasets.load("boxes", "train", tmp_path)
    put_voc(tmp_path, box_files.voc_xml("a.jpg"))
    write(tmp_path / "train.csv", "\n".join([HEADER, *box_files.csv_rows()]))
    with pytest.raises(DataError, match=r"holds files of the formats voc and csv: say which with the option format"):
        datasets.load("boxes", "train", tmp_path)
    assert len(datasets.load("boxes", "train", tmp_path, format="voc")) == 1
    pictures(tmp_path / "images")
    assert len(datasets.load("boxes", "train", tmp_path, annotations="train.csv")) == 2


def test_pictures_and_files_without_each_other(tmp_path):
    put_yolo(tmp_path, box_files.yolo_lines("a.jpg"))
    write(tmp_path / "train" / "d.txt", "0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match=r"d.txt: has no picture in .* \(1 such files\)"):
        datasets.load("boxes", "train", tmp_path)
    assert len(datasets.load("boxes", "train", tmp_path, partial=True)) == 3
    put_voc(tmp_path / "voc", box_files.voc_xml("a.jpg"))
    write(tmp_path / "voc" / "train" / "d.xml", box_files.voc_xml("a.jpg").replace("a.jpg", "e.jpg"))
    with pytest.raises(DataError, match=r"d.xml: its picture d is not in .*option partial: true"):
        datasets.load("boxes", "train", tmp_path / "voc")
    assert datasets.load("boxes", "train", tmp_path / "voc", partial=True).names == ("a",)

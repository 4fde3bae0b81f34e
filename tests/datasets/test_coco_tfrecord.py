"""COCO's objects in TFRecord files: written by Model Garden's own tool, and record by record."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError


@pytest.fixture(scope="module")
def garden():
    """Model Garden's tool; its name is asked for first since importing it takes seconds."""
    pytest.importorskip("official", reason="needs tf-models-official (extra detection)")
    from official.vision.data import create_coco_tf_record

    return create_coco_tf_record


def png(size, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return pixels, file.getvalue()


def write(path, records):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def record(size=(40, 60), **changes):
    """A record as the tool writes it."""
    import tensorflow as tf

    values = {
        "image/height": [size[0]], "image/width": [size[1]], "image/filename": [b"a.png"], "image/source_id": [b"17"],
        "image/encoded": [png(size)[1]], "image/format": [b"png"],
        "image/object/bbox/xmin": [0.25, 0.5], "image/object/bbox/xmax": [0.75, 1.0],
        "image/object/bbox/ymin": [0.25, 0.0], "image/object/bbox/ymax": [0.5, 0.5],
        "image/object/class/label": [13, 90], "image/object/class/text": [b"stop sign", b"toothbrush"],
        "image/object/is_crowd": [0, 1], "image/object/area": [200.0, 400.0],
    } | changes  # fmt: skip
    kinds = {bytes: ("bytes_list", tf.train.BytesList), int: ("int64_list", tf.train.Int64List),
             float: ("float_list", tf.train.FloatList)}  # fmt: skip
    features = {}
    for word, value in values.items():
        if value:
            key, kind = kinds[type(value[0])]
            features[word] = tf.train.Feature(**{key: kind(value=value)})
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_it_says_what_is_missing(tmp_path):
    try:
        import official  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match=r"through tf-models-official: pip install 'hrnet-keras\[detection\]'"):
            datasets.load("coco_tfrecord", "train", tmp_path)


def test_records(garden, tmp_path):
    write(tmp_path / "train-00000-of-00002.tfrecord", [record(), record(**{"image/source_id": [b"x1"]})])
    nothing = {f"image/object/{word}": [] for word in ("bbox/xmin", "bbox/xmax", "bbox/ymin", "bbox/ymax",
               "class/label", "class/text", "is_crowd", "area")}  # fmt: skip
    write(tmp_path / "train-00001-of-00002.tfrecord", [record((20, 64), **nothing)])
    found = datasets.load("coco_tfrecord", "train", tmp_path)
    assert found.names == tuple(f"train-0000{i}-of-00002-{j}" for i, j in ((0, 0), (0, 1), (1, 0)))
    example = found.example(0)
    np.testing.assert_array_equal(example["image"], png((40, 60))[0])
    np.testing.assert_array_equal(example["boxes"], [[15, 10, 45, 20], [30, 0, 60, 20]])
    assert example["labels"].tolist() == [11, 79] and example["crowd"].tolist() == [False, True]
    assert example["areas"].tolist() == [200, 400] and example["image_id"] == 17
    assert [entry["category_id"] for entry in example["truth"]] == [13, 90] and "masks" not in example
    assert found.annotations(1)["image_id"] == "x1"
    assert found.size(2) == (20, 64) and found.annotations(2)["boxes"].shape == (0, 4)
    assert [found.trainable(i) for i in range(3)] == [True, True, False]
    assert found.subset([2]).names == ("train-00001-of-00002-0",)
    chosen = datasets.load("coco_tfrecord", "val", tmp_path, files="train-00000*", categories={90: "brush"})
    assert chosen.annotations(0)["labels"].tolist() == [0] and chosen.info.class_names == ("brush",)


def test_the_tool_s_files_are_coco_s_json(garden, golden, tmp_path):
    """But for what the tool knows nothing of, "ignore", and boxes that reach beyond their picture, which it drops."""
    case = golden("detection", "det_coco")[0]["annotations"]
    sizes = {image["id"]: (image["width"], image["height"]) for image in case["images"]}

    def is_written(entry):
        x, y, wide, high = entry["bbox"]
        width, height = sizes[entry["image_id"]]
        return x >= 0 and x + wide <= width and y + high <= height and not entry.get("ignore")

    case = {**case, "annotations": [entry for entry in case["annotations"] if is_written(entry)]}
    folder = tmp_path / "val2017"
    folder.mkdir()
    (tmp_path / "instances_val2017.json").write_text(json.dumps(case))
    names = {entry["id"]: entry["name"] for entry in case["categories"]}
    records = []
    for image in case["images"]:
        Image.new("RGB", (image["width"], image["height"])).save(folder / image["file_name"])
        entries = [entry for entry in case["annotations"] if entry["image_id"] == image["id"]]
        made, _ = garden.create_tf_example(image, [str(folder)], None, entries, names, include_masks=True)
        records.append(made.SerializeToString())
    write(tmp_path / "val-00000-of-00001.tfrecord", records)
    ours = datasets.load("coco_detection", "val", tmp_path)
    theirs = datasets.load("coco_tfrecord", "val", tmp_path, masks=True)
    assert len(ours) == len(theirs) and ours.info.category_ids == theirs.info.category_ids
    for i in range(len(ours)):
        one, other = ours.annotations(i), theirs.annotations(i)
        assert one["image_id"] == other["image_id"] and one["size"] == other["size"]
        np.testing.assert_allclose(other["boxes"], one["boxes"], atol=1e-4)
        for word in ("labels", "crowd", "areas"):
            np.testing.assert_array_equal(other[word], one[word])
        np.testing.assert_array_equal(datasets.masks_of(other), datasets.masks_of(one))
        assert ours.trainable(i) == theirs.trainable(i)


def test_what_is_refused(garden, tmp_path):
    with pytest.raises(DataError, match=r"holds no TFRecord files of split 'train': expected train\*.tfrecord or"):
        datasets.load("coco_tfrecord", "train", tmp_path)
    path = tmp_path / "train.tfrecord"
    write(path, [record(), record()])
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"train.tfrecord: cut short in record 1, or no TFRecord file"):
        datasets.load("coco_tfrecord", "train", tmp_path)
    write(path, [b"nonsense", record(**{"image/encoded": [b"no picture"]})])
    found = datasets.load("coco_tfrecord", "train", tmp_path)
    for i in range(2):
        with pytest.raises(DataError, match=f"train.tfrecord: record {i}: cannot be decoded"):
            found.example(i)

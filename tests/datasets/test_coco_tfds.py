"""COCO's objects as tensorflow_datasets prepares them, beside what it reads from the same files itself."""

import io

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.published import published_info


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Three pictures in `coco/2017`'s own features, as its builder stores them; its classes in an order of its own."""
    import tensorflow_datasets as tfds

    root = tmp_path_factory.mktemp("tfds")
    folder = root / "coco" / "2017" / "1.1.0"
    folder.mkdir(parents=True)
    features = tfds.builder("coco/2017", data_dir=root).info.features
    features["objects"]["label"].names = [*reversed(published_info("coco").class_names)]
    write(folder, features, examples(tfds.features.BBox))
    return root


def examples(box):
    rng = np.random.default_rng(0)
    objects = [
        [{"area": 300, "bbox": box(0.25, 0.125, 0.5, 0.75), "id": 5, "is_crowd": False, "label": 79},
         {"area": 90, "bbox": box(0.0, 0.5, 1.0, 1.0), "id": 6, "is_crowd": True, "label": 0}],
        [],
        [{"area": 64, "bbox": box(0.5, 0.5, 1.0, 0.75), "id": 9, "is_crowd": False, "label": 77}],
    ]  # fmt: skip
    for number, own in zip((139, 285, 632), objects, strict=True):
        image = rng.integers(0, 256, (40, 64, 3), np.uint8)
        yield {"image": image, "image/filename": f"{number:012}.jpg", "image/id": number, "objects": own}


def write(folder, features, rows):
    import tensorflow as tf
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.naming import ShardedFileTemplate

    records = [features.serialize_example(features.encode_example(row)) for row in rows]
    template = ShardedFileTemplate(data_dir=folder, dataset_name="coco", split="validation", filetype_suffix="tfrecord")
    split = tfds.core.SplitInfo(
        name="validation", shard_lengths=[len(records)], num_bytes=sum(map(len, records)), filename_template=template
    )
    with tf.io.TFRecordWriter(str(folder / "coco-validation.tfrecord-00000-of-00001")) as writer:
        for record in records:
            writer.write(record)
    tfds.folder_dataset.write_metadata(data_dir=folder, features=features, split_infos=[split], check_data=False)


def test_its_pictures_and_boxes(prepared):
    import tensorflow_datasets as tfds

    ours = datasets.load("coco_tfds", "val", prepared)
    folder = prepared / "coco" / "2017" / "1.1.0"
    skipped = {"image": tfds.decode.SkipDecoding()}  # its graph decodes JPEG files with other rounding than Pillow
    builder = tfds.builder_from_directory(folder)
    theirs = list(tfds.as_numpy(builder.as_dataset(split="validation", decoders=skipped)))
    theirs.sort(key=lambda row: row["image/id"])
    assert len(ours) == 3 and [ours.trainable(i) for i in range(3)] == [True, False, True]
    for i, row in enumerate(theirs):
        example = ours.example(i)
        np.testing.assert_array_equal(example["image"], Image.open(io.BytesIO(row["image"])))
        assert example["image_id"] == row["image/id"] and example["size"] == (40, 64)
        shares = example["boxes"][:, [1, 0, 3, 2]] / [40, 64, 40, 64]
        np.testing.assert_allclose(shares, row["objects"]["bbox"], atol=1e-6)
        np.testing.assert_array_equal(example["crowd"], row["objects"]["is_crowd"])
        np.testing.assert_array_equal(example["areas"], row["objects"]["area"])
    names = ours.info.class_names
    assert [names[label] for label in ours.example(0)["labels"]] == ["person", "toothbrush"]
    assert [entry["category_id"] for entry in ours.example(0)["truth"]] == [1, 90]
    assert [names[label] for label in ours.example(2)["labels"]] == ["car"]


def test_what_is_refused(prepared, tmp_path):
    with pytest.raises(ValueError, match="split='dev': coco_tfds has 'train', 'val', 'test-dev'"):
        datasets.load("coco_tfds", "dev", prepared)
    with pytest.raises(DataError, match="holds no prepared data set: expected that of `tfds build coco/2017"):
        datasets.load("coco_tfds", "val", tmp_path)
    with pytest.raises(DataError, match="has no split 'train': its own are"):
        datasets.load("coco_tfds", "train", prepared)

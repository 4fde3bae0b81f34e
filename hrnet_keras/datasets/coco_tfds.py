"""COCO's objects as tensorflow_datasets prepares them: `coco/2017`, boxes without outlines."""

from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo, distinct_colour
from hrnet_keras.datasets.coco_detection import CATEGORY_IDS
from hrnet_keras.datasets.coco_tfrecord import Decode, RecordSet, record_set
from hrnet_keras.datasets.matching import in_words, places_in
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath

SPLITS = {"train": "train", "val": "validation", "test-dev": "test"}  # ours and theirs
DEFAULT_FOLDER = "~/tensorflow_datasets"  # of tensorflow_datasets


def load(split: str, root: FilePath | None = None, *, version: str = "1.1.0") -> RecordSet:
    """Opens `coco/2017` of tensorflow_datasets, which `tfds build coco/2017` has prepared as TFRecord files.

    Args:
        split: `"train"`, `"val"` or `"test-dev"`, whose objects are not published.
        root: the folder that tensorflow_datasets calls `data_dir`; `None`: its default, `~/tensorflow_datasets`.
        version: of the prepared files.

    Returns:
        A `BoxSet` (see `hrnet_keras.datasets.objects`) in the order of the files, which is not COCO's. Names are those
        of the files and the number of the record; `image_id` is COCO's. Classes are matched with COCO's 80 by name.

    Raises:
        ValueError: unknown split; `DataError` where nothing is prepared, or in another file format than TFRecord.

    Source: `tensorflow_datasets.object_detection.coco`; boxes are stored as shares of the picture's sides in 32-bit
        floats, and areas as whole numbers.
    """
    if split not in SPLITS:
        raise ValueError(f"split={split!r}: coco_tfds has {', '.join(map(repr, SPLITS))}")
    folder = Path(root or DEFAULT_FOLDER).expanduser() / "coco" / "2017" / version
    if not (folder / "dataset_info.json").is_file():
        raise DataError(
            f"{folder}: holds no prepared data set: expected that of `tfds build coco/2017 --data_dir={root or ''}`"
        )
    import tensorflow_datasets as tfds

    prepared = tfds.builder_from_directory(str(folder)).info
    if prepared.file_format.value != "tfrecord":
        raise DataError(f"{folder}: prepared as {prepared.file_format.value}: expected --file_format=tfrecord")
    if SPLITS[split] not in prepared.splits:
        raise DataError(f"{folder}: has no split {SPLITS[split]!r}: its own are {in_words(list(prepared.splits))}")
    names = published_info("coco").class_names
    info = DatasetInfo(
        "coco", names, tuple(distinct_colour(i) for i in range(len(names))), source=str(folder),
        terms="annotations CC BY 4.0, pictures: Flickr's terms of use", category_ids=CATEGORY_IDS,
    )  # fmt: skip
    paths = [Path(path) for path in prepared.splits[SPLITS[split]].filepaths]
    return record_set(info, split, folder, paths, _decoder(prepared.features, folder))


def _decoder(features: Any, folder: Path) -> Decode:
    """Records to arrays by Model Garden's names, their labels to COCO's category ids."""
    own = features["objects"]["label"].names
    places = places_in(own, published_info("coco").class_names)
    if None in places:
        unknown = [name for name, place in zip(own, places, strict=True) if place is None]
        raise DataError(f"{folder}: has classes that are none of COCO's 80: {in_words(unknown)}")
    category_ids = np.array([CATEGORY_IDS[place] for place in places if place is not None])

    def decode(record: bytes) -> dict[str, np.ndarray]:
        example = features.deserialize_example_np(record)
        objects = example["objects"]
        return {
            "image": np.asarray(example["image"]),
            "source_id": np.asarray(str(int(example["image/id"])).encode()),
            "groundtruth_boxes": np.asarray(objects["bbox"], np.float32).reshape(-1, 4),
            "groundtruth_classes": category_ids[np.asarray(objects["label"], np.int64)],
            "groundtruth_is_crowd": np.asarray(objects["is_crowd"], bool),
            "groundtruth_area": np.asarray(objects["area"], np.float64),
        }

    return decode

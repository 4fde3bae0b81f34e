"""COCO's objects in TFRecord files, as `create_coco_tf_record.py` of TensorFlow's Model Garden writes them."""

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo, distinct_colour
from hrnet_keras.datasets.box_places import spellings
from hrnet_keras.datasets.coco_detection import CATEGORY_IDS
from hrnet_keras.datasets.dataset import Example
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.objects import LEAST_SIDE, BoxSet, as_truth, cut_boxes, learnable
from hrnet_keras.datasets.outlines import run_lengths_of
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath

# Record -> arrays as Model Garden names them: `image`, `source_id`, and `groundtruth_` `boxes` (shares of the sides:
# top, left, bottom, right), `classes` (category ids), `is_crowd`, `area`, perhaps `instance_masks`.
Decode: TypeAlias = Callable[[bytes], dict[str, np.ndarray]]
LENGTH, CHECKSUM = struct.Struct("<Q"), 4  # of a record: its length, a checksum of that, the bytes, their checksum


def load(
    split: str, root: FilePath | None = None, *, files: str | None = None,
    categories: Mapping[int, str] | None = None, masks: bool = False,
) -> BoxSet:  # fmt: skip
    """Opens TFRecord files of pictures with boxes; their pictures are read through Model Garden's own decoder.

    Args:
        split: the files are those in `root` whose names begin with it: `train-00000-of-00256.tfrecord`.
        root: the folder.
        files: another pattern of their names, such as `"coco_train*"`.
        categories: `{category id: name}` of the classes, in the order of the labels; `None`: COCO's 80. Objects of
            other categories are left out.
        masks: whether to read the instance masks, which the files have where they were written with them.

    Returns:
        A `BoxSet` (see `hrnet_keras.datasets.objects`) in the order of the files; with `masks`, where they are read.
        Names are those of the files and the number of the record.

    Raises:
        ImportError: tf-models-official is not installed.
        DataError: no such files, or one that is cut short; when an example is read: a record that is none of these.

    Source: `official.vision.dataloaders.tf_example_decoder` of tf-models-official; boxes are stored as shares of the
        picture's sides in 32-bit floats, so they are those of COCO's json to about a ten-thousandth of a pixel.
    """
    decode = _decoder(masks)
    if root is None:
        raise DataError("coco_tfrecord is read from files: expected root, the folder that holds *.tfrecord")
    root = Path(root)
    patterns = [files] if files else [f"{word}{end}" for word in spellings(split) for end in ("*.tfrecord", "-*-of-*")]
    paths = list(dict.fromkeys(path for pattern in patterns for path in files_in(root, pattern)))
    if not paths:
        raise DataError(f"{root}: holds no TFRecord files of split {split!r}: expected {' or '.join(patterns)}")
    names = dict(zip(CATEGORY_IDS, published_info("coco").class_names, strict=True))
    if categories is not None:
        names = {int(number): str(name) for number, name in categories.items()}
    info = DatasetInfo(
        "coco" if categories is None else root.resolve().name, tuple(names.values()),
        tuple(distinct_colour(i) for i in range(len(names))), source=str(root), category_ids=tuple(names),
    )  # fmt: skip
    return record_set(info, split, root, paths, decode)


def record_set(info: DatasetInfo, split: str, root: Path, paths: Sequence[Path], decode: "Decode") -> "RecordSet":
    """The pictures of TFRecord files.

    Args:
        info: of the set, with the category id of every label.
        split: its name.
        root: the folder.
        paths: the files, in order.
        decode: of a record, see `Decode`.

    Raises:
        DataError: a file that is cut short.
    """
    table = RecordTable(root, [place for path in paths for place in _records_of(path)], info.category_ids, decode)
    return RecordSet(info, split, [f"{path.stem}-{i}" for path, i, *_ in table.places], (), table)


def _decoder(masks: bool) -> "Decode":
    try:
        from official.vision.dataloaders import tf_example_decoder
    except ImportError as error:
        raise ImportError(
            "coco_tfrecord is read through tf-models-official: pip install 'hrnet-keras[detection]'"
        ) from error
    decoder = tf_example_decoder.TfExampleDecoder(include_mask=masks)
    return lambda record: {word: np.asarray(value) for word, value in decoder.decode(record).items()}


def _records_of(path: Path) -> list[tuple[Path, int, int, int]]:
    """`(file, number, first byte, count of bytes)` of every record of a file; only their lengths are read."""
    records: list[tuple[Path, int, int, int]] = []
    size = path.stat().st_size
    at = 0
    with open(path, "rb") as stream:
        while at < size:
            stream.seek(at)
            head = stream.read(LENGTH.size)
            begin = at + LENGTH.size + CHECKSUM
            count = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else size
            at = begin + count + CHECKSUM
            if at > size:
                raise DataError(f"{path}: cut short in record {len(records)}, or no TFRecord file: copy it again")
            records.append((path, len(records), begin, count))
    return records


class RecordTable:
    """The annotations of records, an `ObjectTable`; a record is read when it is asked for.

    Args:
        origin: the folder.
        places: `(file, number, first byte, count of bytes)` of every record.
        category_ids: of every label.
        decode: of a record, see `Decode`.
    """

    def __init__(
        self, origin: Path, places: list[tuple[Path, int, int, int]], category_ids: tuple[int, ...], decode: "Decode"
    ) -> None:
        self.origin = origin
        self.places = places
        self.category_ids = category_ids
        self.decode = decode
        self._sizes: dict[int, tuple[int, int]] = {}
        self._is_trained: dict[int, bool] = {}

    def example(self, number: int) -> Example:
        """What a record holds, with its `image`; `DataError` where it cannot be decoded."""
        path, i, begin, count = self.places[number]
        with open(path, "rb") as stream:
            stream.seek(begin)
            record = stream.read(count)
        where = f"{path}: record {i}"
        try:
            tensors = self.decode(record)
        except Exception as error:  # TensorFlow's errors for what is no such record, or no picture
            raise DataError(f"{where}: cannot be decoded ({str(error).splitlines()[0]}): write it again") from error
        return self._row(tensors, number, where)

    def row(self, number: int) -> Example:
        """See `ObjectTable`."""
        return {word: value for word, value in self.example(number).items() if word != "image"}

    def size_of(self, number: int) -> tuple[int, int]:
        """See `ObjectTable`; decodes the record when it is first asked for."""
        if number not in self._sizes:
            self.example(number)
        return self._sizes[number]

    def labels_of(self, number: int) -> None:
        """See `ObjectTable`."""

    def trainable(self, number: int) -> bool:
        """See `BoxSet.trainable`; decodes the record when it is first asked for."""
        self.size_of(number)
        return self._is_trained[number]

    def _row(self, tensors: dict[str, np.ndarray], number: int, where: str) -> Example:
        image = tensors["image"]
        height, width = image.shape[:2]
        top, left, bottom, right = tensors["groundtruth_boxes"].astype(np.float64).reshape(-1, 4).T
        boxes = np.stack([left * width, top * height, right * width, bottom * height], axis=1)
        if not np.isfinite(boxes).all():
            raise DataError(f"{where}: a box with something else than finite numbers")
        areas = tensors["groundtruth_area"].astype(np.float64)
        sizes = np.tile((height, width), (len(boxes), 1))
        places = {category: label for label, category in enumerate(self.category_ids)}
        labels = np.array([places.get(int(one), -1) for one in tensors["groundtruth_classes"]], np.int32)
        xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        kept = learnable(xywh, areas, sizes) & (labels >= 0)
        self._sizes[number] = (height, width)
        self._is_trained[number] = bool((labels >= 0).any()) and min(height, width) >= LEAST_SIDE
        source = tensors["source_id"].item().decode()
        row: Example = {
            "image": image,
            "size": (height, width),
            "image_id": int(source) if source.isdecimal() else source,
            "boxes": cut_boxes(boxes, sizes)[kept],
            "labels": labels[kept],
            "crowd": tensors["groundtruth_is_crowd"][kept],
            "areas": areas[kept],
        }
        if "groundtruth_instance_masks" in tensors:
            row["masks"] = tensors["groundtruth_instance_masks"][kept] > 0
            row["segments"] = tuple(run_lengths_of(mask) for mask in row["masks"])
        row["truth"] = as_truth(row, self.category_ids, first_id=1 + 1000 * number)
        return row


class RecordSet(BoxSet):
    """Pictures of records."""

    table: RecordTable

    def example(self, i: int) -> Example:
        """Example `i`, for which its record is decoded once."""
        return {**self.table.example(self.numbers[i]), "name": self.names[i]}

    def image(self, i: int) -> np.ndarray:
        """Picture `i`, uint8 RGB `(height, width, 3)`."""
        return self.example(i)["image"]

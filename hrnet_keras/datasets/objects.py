"""Pictures with boxes around objects, and their outlines where somebody drew them: what such data sets have in common.

An example is one picture; its arrays have a row per object. `boxes` float64 `(n, 4)` are xyxy in pixels of the picture,
cut at its edge; `labels` int32 `(n,)` are ranks among `info.class_names`; `crowd` bool `(n,)` marks boxes around a
crowd, which are neither learnt nor missed; `areas` float64 `(n,)`, in pixels, are those that COCO's evaluator sorts
objects into small and large by. `size` is the picture's `(height, width)`, `image_id` what its file calls it.
`segments`, where the set has outlines, is a tuple of `n` in COCO's forms: a list of polygons x, y, x, y, ..., a run
length encoding `{"size": (height, width), "counts": ...}`, or `None`; `masks_of` draws them. `truth` is the list of the
picture's entries of "annotations", as COCO's evaluator takes them, with the file's own category ids.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from hrnet_keras.datasets.dataset import Dataset, Example
from hrnet_keras.datasets.info import DatasetInfo
from hrnet_keras.datasets.reading import DataError, FilePath, ImageFile, read_label_map

Size = tuple[int, int]
LEAST_SIDE = 32  # pixels of the shorter side of a picture that is trained on: mmdet's `min_size`
LEAST_EDGE = 1.0  # pixels of a box's width and height


class ObjectTable(Protocol):
    """The annotations of all pictures of a file; pictures are counted from 0."""

    @property
    def origin(self) -> FilePath:
        """Where they come from, for messages."""

    def row(self, number: int) -> Example:
        """What is known of a picture: the words of the module, without `name`. The arrays are the caller's own."""

    def size_of(self, number: int) -> Size:
        """`(height, width)` of the picture, without more work than that."""

    def labels_of(self, number: int) -> np.ndarray | None:
        """Labels of the picture's objects without crowds; `None` where that is as much work as `row`."""

    def trainable(self, number: int) -> bool:
        """Whether a training takes the picture; see `BoxSet.trainable`."""


class BoxSet(Dataset):
    """One split of a data set of objects.

    Args:
        info, split, names, image_files: as in `Dataset`.
        table: the annotations.
        numbers: of every picture in the table, in the order of the names; default: as they stand there.

    Attributes:
        label_files: one per example, maps of classes per pixel, where the set says what lies beside them.
    """

    per_example = (*Dataset.per_example, "numbers", "label_files")
    label_files: tuple[ImageFile, ...] = ()

    def __init__(
        self, info: DatasetInfo, split: str, names: Iterable[str], image_files: Iterable[ImageFile],
        table: ObjectTable, numbers: Iterable[int] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(info, split, names, image_files)
        self.table = table
        self.numbers = tuple(range(len(self.names)) if numbers is None else numbers)

    def annotations(self, i: int) -> Example:
        """What is known of picture `i` without its pixels: the words of the module, and `name`.

        Raises:
            DataError: an outline that is none (two points, a run length encoding of another size).
        """
        return {**self.table.row(self.numbers[i]), "name": self.names[i]}

    def label_map(self, i: int) -> np.ndarray:
        """The class of every pixel of picture `i`, things and stuff, uint8 `(height, width)`, 255 for none.

        Raises:
            DataError: the set has no such maps, or this one is missing, broken or of another size.
        """
        if not self.label_files:
            raise DataError(
                f"{self.info.name} {self.split} has no semantic maps: expected a data set with them "
                "('coco_detection' with stuffthingmaps/ beside its pictures)"
            )
        labels = read_label_map(self.label_files[i])
        if labels.shape != tuple(self.size(i)):
            height, width = self.size(i)
            raise DataError(
                f"{self.label_files[i]}: {labels.shape[1]}x{labels.shape[0]}, its picture is {width}x{height} "
                "(width x height)"
            )
        return labels

    def size(self, i: int) -> Size:
        """`(height, width)` of picture `i` as annotated; reads no pixels."""
        return self.table.size_of(self.numbers[i])

    def trainable(self, i: int) -> bool:
        """Whether a training takes picture `i`; reads no pixels.

        Left out are pictures in which no object of the classes is annotated, be it a crowd, and those whose shorter
        side has less than 32 pixels.

        Source: `filter_cfg` of mmdet's COCO configurations.
        """
        return self.table.trainable(self.numbers[i])

    def count_labels(self) -> np.ndarray | None:
        """How many objects of each class there are, no crowds, int64 `(classes,)`; `None` where that takes long."""
        labels = [self.table.labels_of(number) for number in self.numbers]
        if any(one is None for one in labels):
            return None
        joined = np.concatenate([np.zeros(0, np.int32), *(one for one in labels if one is not None)])
        return np.bincount(joined, minlength=len(self.info.class_names))

    def check_fit(self, i: int, annotations: Example, size: Size) -> None:
        """Raises `DataError` where the annotations are of a picture of another size."""
        stated = tuple(annotations["size"])
        if stated != tuple(size):
            file: Any = self.names[i]
            if self.image_files:
                file = self.image_files[i]
            raise DataError(
                f"{file}: the picture is {size[1]}x{size[0]}, {self.table.origin} says {stated[1]}x{stated[0]} "
                "(width x height): the boxes would lie elsewhere; take the picture that was annotated"
            )


def cut_boxes(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Boxes cut at the edges of their pictures.

    Args:
        boxes: float64 `(n, 4)` xyxy.
        sizes: `(n, 2)`, height and width of every box's picture.

    Returns:
        float64 `(n, 4)`.
    """
    limits = np.asarray(sizes, np.float64)[:, [1, 0, 1, 0]]
    return np.clip(boxes, 0.0, limits)


def learnable(xywh: np.ndarray, areas: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which annotations are objects: they overlap their picture and have an area and a pixel of width and height.

    Args:
        xywh: float64 `(n, 4)`: left, top, width, height.
        areas: `(n,)` as stated.
        sizes: `(n, 2)`, height and width of every annotation's picture.

    Returns:
        bool `(n,)`.

    Source: the reader of mmdet's data sets in COCO's layout.
    """
    left, top, wide, high = np.asarray(xywh, np.float64).T
    height, width = np.asarray(sizes, np.float64).T
    overlap_x = np.minimum(left + wide, width) - np.maximum(left, 0)
    overlap_y = np.minimum(top + high, height) - np.maximum(top, 0)
    overlaps = (overlap_x > 0) & (overlap_y > 0)
    return overlaps & (np.asarray(areas) > 0) & (wide >= LEAST_EDGE) & (high >= LEAST_EDGE)


def masks_of(annotations: Example) -> np.ndarray:
    """The masks of a picture's objects.

    Args:
        annotations: an example, or its annotations: with `masks`, which are used as they are, or `segments` and `size`.

    Returns:
        bool `(n, height, width)`; nothing is set of an object without an outline.

    Raises:
        DataError: the data set has no outlines.
        ImportError: pycocotools is not installed.

    Source: polygons are drawn by pycocotools, as COCO's evaluator does it.
    """
    if "masks" in annotations:
        return annotations["masks"]
    if "segments" not in annotations:
        raise DataError(f"{annotations['name']}: has boxes alone: expected outlines (polygons, run lengths)")
    height, width = annotations["size"]
    masks = np.zeros((len(annotations["segments"]), height, width), bool)
    for mask, segment in zip(masks, annotations["segments"], strict=True):
        if segment is not None:
            mask[:] = _drawn(segment, (height, width))
    return masks


def _drawn(segment: Any, size: Size) -> np.ndarray:
    """Mask of one object, uint8 `(height, width)`."""
    try:
        from pycocotools import mask as run_lengths
    except ImportError as error:
        raise ImportError("masks need pycocotools: pip install pycocotools") from error
    if isinstance(segment, list):
        return run_lengths.decode(run_lengths.merge(run_lengths.frPyObjects(segment, *size)))
    if isinstance(segment["counts"], list):
        return run_lengths.decode(run_lengths.frPyObjects(segment, *size))
    return run_lengths.decode(segment)


def as_truth(row: Example, category_ids: Sequence[int] = (), first_id: int = 1) -> list[dict[str, Any]]:
    """Entries for COCO's evaluator of a set whose files are not in COCO's layout.

    Args:
        row: `boxes`, `labels`, `crowd`, `areas`, `image_id` and perhaps `segments` of a picture.
        category_ids: of every label; default label + 1.
        first_id: `id` of the first entry; no two entries of a set may have one.

    Returns:
        A list with `id`, `image_id`, `category_id`, `bbox` (left, top, width, height), `area`, `iscrowd` and,
        where there is an outline, `segmentation`.
    """
    entries = []
    for j, (left, top, right, bottom) in enumerate(row["boxes"].tolist()):
        label = int(row["labels"][j])
        entry = {
            "id": first_id + j,
            "image_id": row["image_id"],
            "category_id": category_ids[label] if category_ids else label + 1,
            "bbox": [left, top, right - left, bottom - top],
            "area": float(row["areas"][j]),
            "iscrowd": int(row["crowd"][j]),
        }
        if row.get("segments", ())[j : j + 1] not in ((), (None,)):
            entry["segmentation"] = row["segments"][j]
        entries.append(entry)
    return entries

"""Data sets by name: `load` opens one; an example is a dict of NumPy arrays.

An example has `image` (uint8 RGB `(height, width, 3)`), `name`, and what the set knows of: `label` (class id),
`label_map` (uint8 `(height, width)`), `points` (float `(n, k, 2)` as `(x, y)`), `visible` `(n, k)`, `boxes` (float
`(n, 4)` xyxy), `labels` (int32 `(n,)`, of the boxes), `masks` (bool `(n, height, width)`) or `segments`, of which
`masks_of` makes them, `crowd` (bool `(n,)`).
`hrnet_keras.datasets.dataset` says what a data set is, and which kinds there are.
"""

import importlib
import inspect
from types import ModuleType
from typing import Any

from hrnet_keras.datasets.balance import label_report as label_report
from hrnet_keras.datasets.dataset import (
    ClassSet as ClassSet,
    Dataset as Dataset,
    exclude as exclude,
    read_ahead as read_ahead,
)
from hrnet_keras.datasets.info import DatasetInfo as DatasetInfo, distinct_colour as distinct_colour
from hrnet_keras.datasets.masks import MaskSet as MaskSet
from hrnet_keras.datasets.objects import BoxSet as BoxSet, masks_of as masks_of
from hrnet_keras.datasets.points import PointSet as PointSet
from hrnet_keras.datasets.reading import DataError as DataError, FilePath as FilePath, read_image as read_image
from hrnet_keras.datasets.validation import validate as validate, validate_headers as validate_headers
from hrnet_keras.spelling import did_you_mean, nearest

NAMES = (
    "300w", "ade20k", "aflw", "boxes", "camvid", "cityscapes", "coco", "coco_detection", "coco_keypoints",
    "coco_tfds", "coco_tfrecord", "cocostuff", "cofw", "folder", "imagenet", "lip", "mpii", "pascal_context", "points",
    "toytown", "wflw",
)  # fmt: skip
# Where a module is not called as its data set; `coco` is what `coco_keypoints` was called, and still opens it.
MODULES = {"300w": "face_300w", "boxes": "boxes_folder", "coco": "coco_keypoints", "points": "points_folder"}


def module_of(name: str) -> ModuleType:
    """The module of a data set, one of `NAMES`: its `load`, and `TEST_SPLIT` where scores are not of `"val"`."""
    return importlib.import_module(f"hrnet_keras.datasets.{MODULES.get(name, name)}")


def load(name: str, split: str, root: FilePath | None = None, **options: Any) -> Dataset:
    """Opens one split of a data set.

    Args:
        name: one of `NAMES`.
        split: for example `"train"` or `"val"`.
        root: folder of the files, for the sets that are read from files.
        **options: the set's own, see its module.

    Returns:
        A `Dataset`: a `MaskSet`, `ClassSet`, `PointSet` or `BoxSet`.

    Raises:
        ValueError: unknown name or split; `DataError` where files are missing.
    """
    if name not in NAMES:
        near = nearest(name, NAMES)
        meant = f"did you mean {near!r}? There are" if near else "expected one of"
        raise ValueError(f"name={name!r}: {meant} {', '.join(map(repr, NAMES))}")
    opener = module_of(name).load
    accepted = [word for word in inspect.signature(opener).parameters if word not in ("split", "root")]
    for word in options:
        if word not in accepted:
            raise ValueError(f"data set {name!r} has no option {word!r}: {did_you_mean(word, accepted)}")
    return opener(split, root, **options)

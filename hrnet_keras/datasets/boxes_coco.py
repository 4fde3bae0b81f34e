"""Your own boxes as a json in COCO's layout."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo, distinct_colour
from hrnet_keras.datasets.box_checks import XYWH, check_convention, check_each, corners_of
from hrnet_keras.datasets.box_places import file_of_split, folder_of_pictures, within
from hrnet_keras.datasets.coco_objects import CocoObjects, name_of, read_objects
from hrnet_keras.datasets.coco_table import CocoTable, box_set, check_ids, located, picture_places, sizes_of
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.matching import in_words, places_in
from hrnet_keras.datasets.objects import BoxSet
from hrnet_keras.datasets.point_files import Id
from hrnet_keras.datasets.reading import FilePath

# Where tools put the json of a split.
PLACES = (
    "{split}.json", "annotations/{split}.json", "instances_{split}.json", "annotations/instances_{split}.json",
    "annotations/instances_{split}2017.json", "{split}/_annotations.coco.json", "{split}/annotations.json",
    "annotations/{split}/instances.json",
)  # fmt: skip
START = 1 << 16  # bytes of a json in which the lists of COCO's layout begin


def read_coco_boxes(
    split: str, root: Path, *, annotations: FilePath | None = None, images: FilePath | None = None,
    class_names: Sequence[str] | None = None, partial: bool = False, drawn: bool = False,
) -> BoxSet:  # fmt: skip
    """Opens a split whose boxes are in a json in COCO's layout.

    Args:
        split, root, annotations, images, class_names, partial: as in `boxes_folder.load`.
        drawn: whether the split is drawn from all pictures of one file.

    Raises:
        DataError: as `boxes_folder.load`.
    """
    if annotations is None:
        file = file_of_split(split, root, PLACES, jsons_in(root), drawn=drawn, what="json")
    else:
        file = within(root, annotations)
    objects = read_objects(file)
    check_ids(objects)
    folder = folder_of_pictures(split, root, file, list(objects.pictures.values()))
    if images is not None:
        folder = within(root, images)
    numbers, files = located(objects, folder, archive="the pictures", partial=partial)
    sizes = sizes_of(objects, numbers, files)
    names, labels = _classes(objects, class_names)
    checked = _checked(objects, sizes)
    ids = {label: number for number, label in labels.items()}
    numbers_of_labels = [ids[label] for label in range(len(names))]
    category_ids = tuple(number for number in numbers_of_labels if isinstance(number, int))
    info = DatasetInfo(
        root.resolve().name, names, tuple(distinct_colour(i) for i in range(len(names))), source=str(root),
        category_ids=category_ids if len(category_ids) == len(names) else (),
    )  # fmt: skip
    return box_set(info, split, CocoTable(checked, sizes, labels), checked, numbers, files)


def jsons_in(root: Path) -> list[Path]:
    """The json files in COCO's layout in a folder, where tools put them."""
    files = [file for pattern in ("*.json", "annotations/*.json", "*/_annotations.coco.json", "*/annotations.json")
             for file in files_in(root, pattern)]  # fmt: skip
    return [file for file in dict.fromkeys(files) if _is_coco(file)]


def _is_coco(file: Path) -> bool:
    """Whether a json begins like one in COCO's layout."""
    with open(file, "rb") as stream:
        start = stream.read(START).replace(b"\0", b"")  # UTF-16 has a zero byte in every letter
    return b'"images"' in start or b'"annotations"' in start


def _classes(objects: CocoObjects, chosen: Sequence[str] | None) -> tuple[tuple[str, ...], dict[Id, int]]:
    """Names of the classes, and `{category id: label}`."""
    own = list(objects.categories.values())
    origin = objects.file.path
    if not own:
        raise DataError(f"{origin}: has no categories: expected a list of them with id and name")
    twice = next((name for i, name in enumerate(own) if name in own[:i]), None)
    if twice is not None:
        raise DataError(f"{origin}: two categories are called {twice!r}: expected every class once")
    if chosen is None:
        return tuple(own), {number: i for i, number in enumerate(objects.categories)}
    places = places_in(list(chosen), own)
    absent = [name for name, place in zip(chosen, places, strict=True) if place is None]
    if absent:
        raise DataError(f"{origin}: has no class {absent[0]!r}: class_names expects some of {in_words(own)}")
    numbers = list(objects.categories)
    return tuple(chosen), {numbers[place]: i for i, place in enumerate(places) if place is not None}


def _checked(objects: CocoObjects, sizes: np.ndarray) -> CocoObjects:
    """The objects, whose boxes are checked; an `area` of 0 or less, which some tools write, counts as not stated."""
    columns = objects.columns
    sides = sizes[picture_places(objects)]
    taken = np.flatnonzero(~columns.ignored)
    xywh = columns.xywh[taken]
    check_convention(xywh, sides[taken], objects.file.path, XYWH)

    def where(j: int) -> str:
        number = int(taken[j])
        begin, end = int(columns.begins[number]), int(columns.ends[number])
        return name_of(objects.file.parsed(objects.file.read(begin, end)), objects.file)

    check_each(corners_of(xywh, XYWH), sides[taken], where)
    areas = np.where(columns.areas > 0, columns.areas, np.nan)
    return replace(objects, columns=replace(columns, areas=areas))

"""Your own boxes as a json in COCO's layout."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo, distinct_colour
from hrnet_keras.datasets.box_checks import XYWH, check_convention, check_each, corners_of
from hrnet_keras.datasets.coco_objects import CocoObjects, name_of, read_objects
from hrnet_keras.datasets.coco_table import CocoTable, box_set, check_ids, located, picture_places, sizes_of
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.matching import in_words, places_in
from hrnet_keras.datasets.objects import BoxSet
from hrnet_keras.datasets.point_files import Id
from hrnet_keras.datasets.reading import FilePath

# What tools call the splits, and where they put a split's json.
OTHER_NAMES = {"train": ("training",), "val": ("valid", "validation"), "test": ("testing",)}
PLACES = (
    "{split}.json", "annotations/{split}.json", "instances_{split}.json", "annotations/instances_{split}.json",
    "annotations/instances_{split}2017.json", "{split}/_annotations.coco.json", "{split}/annotations.json",
    "annotations/{split}/instances.json",
)  # fmt: skip
FOLDERS = ("images/{split}", "{split}/images", "{split}", "images", "images/{split}2017", "{split}2017", "data", ".")


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
    file = within(root, annotations) if annotations is not None else _json_of(split, root, drawn)
    objects = read_objects(file)
    check_ids(objects)
    folder = within(root, images) if images is not None else _folder_of(split, root, file, objects)
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


def within(root: Path, path: FilePath) -> Path:
    """A path that is given as it is, or within `root`."""
    inside = root / path
    return inside if inside.exists() and not Path(path).exists() else Path(path)


def spellings(split: str) -> tuple[str, ...]:
    """What a split may be called."""
    return (split, *OTHER_NAMES.get(split, ()))


def _json_of(split: str, root: Path, drawn: bool) -> Path:
    """The json of a split; `drawn`: also the only one that is there."""
    for word in spellings(split):
        for place in PLACES:
            if (root / place.format(split=word)).is_file():
                return root / place.format(split=word)
    found = [*files_in(root, "*.json"), *files_in(root, "annotations/*.json")]
    if drawn and split != "train":
        return _json_of("train", root, drawn)
    if len(found) == 1 and drawn:
        return found[0]
    here = ", ".join(str(file.relative_to(root)) for file in found) or "none"
    hint = "; option annotations names another, val_part draws a split from one file" if found else ""
    raise DataError(
        f"{root}: holds no json of split {split!r}: expected {split}.json, annotations/instances_{split}.json or "
        f"{split}/_annotations.coco.json (json files here: {here}){hint}"
    )


def _folder_of(split: str, root: Path, file: Path, objects: CocoObjects) -> Path:
    """The folder in which the first picture lies; where none is, the one in which it should."""
    first = next(iter(objects.pictures.values()), "")
    places = [file.parent, *(root / place.format(split=word) for place in FOLDERS for word in spellings(split))]
    there = next((place for place in places if first and (place / first).is_file()), None)
    if there is not None:
        return there
    return next((place for place in places[1:] if place != root and place.is_dir()), root)


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

    check_each(corners_of(xywh), sides[taken], where)
    areas = np.where(columns.areas > 0, columns.areas, np.nan)
    return replace(objects, columns=replace(columns, areas=areas))

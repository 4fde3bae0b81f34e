"""COCO's objects (Lin et al., ECCV 2014): boxes and outlines of 80 classes."""

from pathlib import Path

from hrnet_keras.datasets import DataError, DatasetInfo, distinct_colour
from hrnet_keras.datasets.box_places import within
from hrnet_keras.datasets.coco_objects import CocoObjects, read_objects
from hrnet_keras.datasets.coco_table import CocoTable, box_set, check_ids, located, sizes_of
from hrnet_keras.datasets.matching import in_words, places_in
from hrnet_keras.datasets.objects import BoxSet
from hrnet_keras.datasets.point_files import Id
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath

FILES = {"train": ("instances_train2017.json", "train2017"), "val": ("instances_val2017.json", "val2017"),
         "test-dev": ("image_info_test-dev2017.json", "test2017")}  # fmt: skip
MAPS = "stuffthingmaps"  # of COCO-Stuff: classes 0 to 181 of things and stuff, 255 for none
ARCHIVES = {"test-dev": "image_info_test2017.zip"}  # where it is not the one of the others
# Ids of the 80 categories: 1 to 90 without those that COCO has no pictures of.
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
CATEGORY_IDS = tuple(number for number in range(1, 91) if number not in UNUSED)


def load(
    split: str, root: FilePath | None = None, *, annotations: FilePath | None = None, images: FilePath | None = None,
    partial: bool = False,
) -> BoxSet:  # fmt: skip
    """Opens COCO 2017 at `<root>/annotations/*.json` and `<root>/images/{train2017,val2017,test2017}`, or these folders
    in `<root>` itself, as its archives unpack.

    Pictures come in the order of the json, those without objects, too (`BoxSet.trainable` says which are trained on).
    Left out are objects that are marked `ignore`, lie outside their picture, or have no area or less than a pixel of
    width or height, and polygons of fewer than three points, all of which COCO's files have. The classes are COCO's 80,
    found by their names. Semantic maps (`BoxSet.label_map`) lie in `<root>/stuffthingmaps/{train2017,val2017}`, as
    stuffthingmaps_trainval2017.zip of github.com/nightrome/cocostuff unpacks, and are read when they are asked for.

    Args:
        split: `"train"`, `"val"` or `"test-dev"`, whose objects are not published.
        root: the folder.
        annotations: another json in COCO's layout; a path, or one within `root`.
        images: another folder of the pictures; a path, or one within `root`.
        partial: takes the pictures that are there, where not all are.

    Returns:
        A `BoxSet` (see `hrnet_keras.datasets.objects`).

    Raises:
        ValueError: unknown split; `DataError` where files are missing or broken.

    Source: ids and order of the classes, and which objects are left out, as in mmdet's reader.
    """
    if split not in FILES:
        raise ValueError(f"split={split!r}: coco_detection has {', '.join(map(repr, FILES))}")
    if root is None and (annotations is None or images is None):
        raise DataError("coco_detection is read from files: expected root, the folder that holds annotations/")
    root = Path(root or ".")
    archive = ARCHIVES.get(split, "annotations_trainval2017.zip")
    objects = read_objects(_json_of(split, root, annotations), f"unpack {archive} of cocodataset.org in {root}",
                           annotated=split != "test-dev")  # fmt: skip
    labels = _labels_of(objects)
    check_ids(objects)
    archive = f"{FILES[split][1]}.zip of cocodataset.org"
    numbers, files = located(objects, _folder_of(split, root, images), archive=archive, partial=partial)
    table = CocoTable(objects, sizes_of(objects, numbers, files), labels, lenient=True)
    dataset = box_set(_info(labels), split, table, objects, numbers, files)
    maps = root / MAPS / FILES[split][1]
    dataset.label_files = tuple(maps / f"{file.stem}.png" for file in files)
    return dataset


def _json_of(split: str, root: Path, given: FilePath | None) -> Path:
    if given is not None:
        return within(root, given)
    name = FILES[split][0]
    beside = root / name
    return beside if beside.is_file() else root / "annotations" / name


def _folder_of(split: str, root: Path, given: FilePath | None) -> Path:
    if given is not None:
        return within(root, given)
    name = FILES[split][1]
    places = (root / "images" / name, root / name)
    return next((place for place in places if place.is_dir()), places[0])


def _labels_of(objects: CocoObjects) -> dict[Id, int]:
    """`{category id: label}` of the categories that are COCO's."""
    names = published_info("coco").class_names
    own = list(objects.categories.values())
    labels = {
        number: place
        for number, place in zip(objects.categories, places_in(own, names), strict=True)
        if place is not None
    }
    if not labels and objects.annotated:
        raise DataError(
            f"{objects.file.path}: has none of COCO's 80 categories (its own: {in_words(own)}): expected COCO's "
            "annotations; data set 'boxes' reads any"
        )
    return labels


def _info(labels: dict[Id, int]) -> DatasetInfo:
    """The `DatasetInfo` of COCO's objects, with the category ids of the file."""
    names = published_info("coco").class_names
    ids = list(CATEGORY_IDS)
    for number, label in labels.items():
        if isinstance(number, int):
            ids[label] = number
    return DatasetInfo(
        "coco", names, tuple(distinct_colour(i) for i in range(len(names))), source="cocodataset.org",
        terms="annotations CC BY 4.0, pictures: Flickr's terms of use", category_ids=tuple(ids),
    )  # fmt: skip

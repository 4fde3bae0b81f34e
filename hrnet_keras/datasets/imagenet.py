"""ImageNet-1k, or any folder with a folder of pictures per class."""

from pathlib import Path

from hrnet_keras.datasets import ClassSet, DataError, DatasetInfo
from hrnet_keras.datasets.listing import EXPECTED, folders_in, pictures_in, told_apart
from hrnet_keras.datasets.matching import places_in
from hrnet_keras.datasets.prepared import open_prepared, place_of
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath
from hrnet_keras.datasets.sides import mirror_pairs

TRAIN = "train"  # the split whose folders are the classes of all


def load(split: str, root: FilePath | None = None, *, prepared: FilePath | None = None) -> ClassSet:
    """Opens `<root>/<split>/<class>/<picture>`.

    The classes are the folders of `<root>/train`, where there is such a split, else the split's own: a class id is the
    rank of the folder's name among them, the same in every split. Another split need not have all of them; folders that
    `train` lacks get ids behind the others, and no model of the training classes is scored on them. A thousand folders
    are taken for ImageNet's (`n01440764`, ...), whose names in words are known; else a class has the name of its
    folder. Classes whose names differ by left and right change places when a picture is mirrored.

    Args:
        split: for example `"train"` or `"val"`.
        root: the folder.
        prepared: instead, TFDS's folder with the shards of `imagenet2012` (see `datasets.prepared`), whose splits are
            `"train"` and `"val"`.

    Raises:
        ValueError: root and prepared both, or a split that the shards cannot have.
        DataError: no such folder, no class folders (the validation archive of ImageNet unpacks without them), or an
            empty one.

    Source: layout and order of the official classification repository.
    """
    place = place_of("imagenet", root, prepared, holds="train/ and val/")
    if prepared is not None:
        if split not in ("train", "val"):
            raise ValueError(f"split={split!r}: imagenet2012 has 'train' and 'val' (its test pictures have no classes)")
        return open_prepared("imagenet2012", split, place, published_info("imagenet"))
    top = place / split
    if not top.is_dir():
        raise DataError(f"{top}: no such folder: expected a folder per class in it")
    folders = _class_folders(top)
    if not folders:
        raise DataError(
            f"{top}: holds no folders: expected one per class; sort the pictures into their synsets' folders"
        )
    classes, ids = _classes([folder.name for folder in folders], _class_folders(place / TRAIN))
    names: list[str] = []
    files: list[Path] = []
    labels: list[int] = []
    for label, folder in zip(ids, folders, strict=True):
        inside = pictures_in(folder)
        if not inside:
            raise DataError(f"{folder}: holds no pictures: expected {EXPECTED}")
        names += [f"{folder.name}/{name}" for name in told_apart(inside)]
        files += inside
        labels += [label] * len(inside)
    return ClassSet(_info(classes, place), split, names, files, labels)


def _class_folders(top: Path) -> list[Path]:
    """The folders in `top`, by name; none where it is no folder."""
    if not top.is_dir():
        return []
    return folders_in(top)


def _classes(names: list[str], trained: list[Path]) -> tuple[list[str], list[int]]:
    """The names of all classes, and the id of each of `names`, a split's folders; `trained`: folders of `train`."""
    # Classes are numbered by the rank of the folder's name, as torchvision's `ImageFolder` does.
    classes = [folder.name for folder in trained]
    ranks = places_in(names, classes)
    classes += [name for name, rank in zip(names, ranks, strict=True) if rank is None]
    return classes, [rank for rank in places_in(names, classes) if rank is not None]


def _info(classes: list[str], root: Path) -> DatasetInfo:
    imagenet = published_info("imagenet")
    if len(classes) == len(imagenet.class_names) and all(name.startswith("n") for name in classes):
        return imagenet
    return DatasetInfo(
        root.resolve().name, class_names=tuple(classes), source=str(root), label_flip_pairs=mirror_pairs(classes)
    )

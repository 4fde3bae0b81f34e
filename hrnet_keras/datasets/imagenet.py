"""ImageNet-1k, or any folder with a folder of pictures per class."""

from pathlib import Path

from hrnet_keras.datasets import DataError, Dataset, Facts, read_image
from hrnet_keras.datasets.listing import EXPECTED, folders_in, pictures_in, told_apart
from hrnet_keras.datasets.prepared import check_place, open_prepared
from hrnet_keras.datasets.published import published


def load(split, root=None, *, prepared=None):
    """Opens `<root>/<split>/<class>/<picture>`; the class id is the rank of the folder's name.

    A thousand folders are taken for ImageNet's (`n01440764`, ...), whose names in words are known; else a class has the
    name of its folder.

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
    check_place("imagenet", root, prepared, holds="train/ and val/")
    if prepared is not None:
        if split not in ("train", "val"):
            raise ValueError(f"split={split!r}: imagenet2012 has 'train' and 'val' (its test pictures have no classes)")
        return open_prepared("imagenet2012", split, prepared, published("imagenet"), kind=Labelled)
    top = Path(root) / split
    if not top.is_dir():
        raise DataError(f"{top}: no such folder: expected a folder per class in it")
    folders = folders_in(top)
    if not folders:
        raise DataError(
            f"{top}: holds no folders: expected one per class; sort the pictures into their synsets' folders"
        )
    names, files, labels = [], [], []
    for label, folder in enumerate(folders):
        inside = pictures_in(folder)
        if not inside:
            raise DataError(f"{folder}: holds no pictures: expected {EXPECTED}")
        names += [f"{folder.name}/{name}" for name in told_apart(inside)]
        files += inside
        labels += [label] * len(inside)
    known = published("imagenet")
    if len(folders) == len(known.class_names) and all(folder.name.startswith("n") for folder in folders):
        facts = known
    else:
        facts = Facts(Path(root).resolve().name, class_names=tuple(folder.name for folder in folders), source=str(root))
    found = Labelled(facts, split, names, files)
    found.labels = tuple(labels)
    return found


class Labelled(Dataset):
    """Pictures with one class each, `labels`, in the order of the names."""

    labels = ()

    def example(self, i):
        """Example `i`: `image`, `label` (class id) and `name`; raises `DataError` where the file is broken."""
        return {"image": read_image(self.image_files[i]), "label": self.labels[i], "name": self.names[i]}

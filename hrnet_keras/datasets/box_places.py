"""Where people keep pictures, boxes and class names: names of splits and folders that tools agree on."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hrnet_keras.datasets.folder import read_classes
from hrnet_keras.datasets.listing import folders_in, is_ours, pictures_in
from hrnet_keras.datasets.reading import DataError, FilePath

# What tools call the splits.
OTHER_NAMES = {"train": ("training",), "val": ("valid", "validation"), "test": ("testing",)}
SPLITS = ("train", "val", "test")
ALL = "all"  # the split of everything that lies there
FOLDERS = ("images/{split}", "{split}/images", "{split}", "images", "images/{split}2017", "{split}2017", "data",
           "JPEGImages", ".")  # fmt: skip
CLASS_FILES = ("classes.txt", "obj.names", "labels.txt", "predefined_classes.txt")


def spellings(split: str) -> tuple[str, ...]:
    """What a split may be called."""
    return (split, *OTHER_NAMES.get(split, ()))


def within(root: Path, path: FilePath) -> Path:
    """A path that is given as it is, or within `root`."""
    inside = root / path
    return inside if inside.exists() and not Path(path).exists() else Path(path)


def first_file(root: Path, places: Sequence[str], splits: Iterable[str]) -> Path | None:
    """The first of the places, patterns with `{split}`, that is a file."""
    for split in splits:
        for word in spellings(split):
            for place in places:
                if (root / place.format(split=word)).is_file():
                    return root / place.format(split=word)
    return None


def file_of_split(
    split: str, root: Path, places: Sequence[str], found: Sequence[Path], *, drawn: bool, what: str
) -> Path:
    """The annotation file of a split.

    Args:
        split, root: as in `boxes_folder.load`.
        places: patterns of where it may lie.
        found: all files of the kind.
        drawn: whether splits are drawn from the pictures of one file: that of the training split, or the only one.
        what: the kind of file, for messages.

    Raises:
        DataError: there is none; lists what is there.
    """
    if drawn or split == ALL:
        file = first_file(root, places, SPLITS) if drawn else None
        if file is None and len(found) == 1:
            file = found[0]
    else:
        file = first_file(root, places, [split])
    if file is not None:
        return file
    expected = ", ".join(place.format(split=split) for place in places[:4])
    here = ", ".join(str(path.relative_to(root)) for path in found[:5]) or "none"
    hint = "; the option annotations names another, val_part draws splits from one" if found else ""
    raise DataError(
        f"{root}: holds no {what} of split {split!r}: expected {expected} ({what} files here: {here}){hint}"
    )


def folder_of_pictures(split: str, root: Path, file: Path, names: Sequence[str]) -> Path:
    """The folder in which the pictures of an annotation file lie, by some of them; where none is, where they should."""
    some = {names[i] for i in (0, len(names) // 2, len(names) - 1) if names}
    places = [file.parent, *(root / place.format(split=word) for place in FOLDERS for word in spellings(split))]
    counts = [len([name for name in some if (place / name).is_file()]) for place in places]
    most = max(counts)
    if most > 0:
        return places[counts.index(most)]
    return next((place for place in places[1:] if place != root and place.is_dir()), root)


def pictures_below(folder: Path) -> dict[str, Path]:
    """`{path without suffix: file}` of the pictures in a folder and the folders in it."""
    files: dict[str, Path] = {}
    waiting = [folder]
    while waiting:
        current = waiting.pop(0)
        waiting += folders_in(current)
        for file in pictures_in(current):
            key = file.relative_to(folder).with_suffix("").as_posix()
            if key in files:
                raise DataError(f"{file}: has the same stem as {files[key].name}: expected one file per stem")
            files[key] = file
    return files


def classes_of(root: Path, folder: Path | None = None) -> tuple[str, ...] | None:
    """Names of the classes from a file of them, one per line, in `root` or another folder; `None` without one."""
    for place in (root, *([folder] if folder else [])):
        for name in CLASS_FILES:
            if (place / name).is_file():
                return read_classes(place / name)[0]
    return None


def shown(paths: Iterable[Path], root: Path) -> str:
    """Folders and files in words, as they lie in `root`."""
    return ", ".join(str(path.relative_to(root)) for path in paths if is_ours(path)) or "nothing"

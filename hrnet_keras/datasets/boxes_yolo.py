"""Your own boxes as a text file per picture, as programs called YOLO read them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.box_checks import CXCYWH
from hrnet_keras.datasets.box_places import ALL, CLASS_FILES, SPLITS, classes_of, pictures_below, spellings, within
from hrnet_keras.datasets.listed_objects import Picture, Thing, listed_set
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.objects import BoxSet
from hrnet_keras.datasets.outlines import FEWEST_NUMBERS
from hrnet_keras.datasets.point_files import as_path, is_number
from hrnet_keras.datasets.reading import FilePath, image_size
from hrnet_keras.datasets.text import read_text

SETTINGS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
PLACES = ("images/{split}", "{split}/images", "{split}", "images/{split}2017", "obj_{split}_data")
WHOLE = ("images", "obj_train_data", ".")
UNIT = "shares of the picture's sides"
MOST = 1.02  # share up to which a number may lie outside its picture


def read_yolo_boxes(
    split: str, root: Path, *, annotations: FilePath | None = None, images: FilePath | None = None,
    class_names: Sequence[str] | None = None, partial: bool = False, drawn: bool = False,
) -> BoxSet:  # fmt: skip
    """Opens a split whose boxes are in text files: a line per object, its class's number, then centre x, centre y,
    width and height as shares of the picture's sides, or x and y of three or more points of its outline.

    A picture `images/train/a.jpg` has `labels/train/a.txt` (or one beside it); without one it has no objects. Splits
    are those of `data.yaml`, or folders called like them; classes are named there or in `classes.txt`.

    Args:
        split, root, images, class_names: as in `boxes_folder.load`.
        annotations: a folder of the text files.
        partial: ignores text files whose picture is not there.
        drawn: whether the split is drawn from all pictures.

    Raises:
        DataError: as `boxes_folder.load`.

    Source: the layout as in the documentation of Ultralytics.
    """
    settings = _settings_of(root)
    if images is not None:
        folders = [within(root, images)]
    else:
        folders = _folders_of(split, root, settings, drawn)
    names = _names_of(root, settings)
    pictures: list[Picture] = []
    for folder in folders:
        labels = within(root, annotations) if annotations is not None else _label_folder(folder)
        pictures += _pictures_in(folder, labels, names, partial)
    if pictures and not any(picture.things for picture in pictures):
        raise DataError(
            f"{folders[0]}: none of the {len(pictures)} pictures has a text file with objects: expected "
            f"{_label_folder(folders[0])}/*.txt"
        )
    made_up = max((int(thing.name) for one in pictures for thing in one.things if not names), default=-1) + 1
    own = names or tuple(f"class_{i}" for i in range(made_up))
    named = [_named(picture, own) for picture in pictures]
    return listed_set(
        split, root, named, names=own, chosen=class_names, convention=CXCYWH, origin=folders[0], unit=UNIT
    )


def is_yolo(root: Path) -> bool:
    """Whether a folder looks like one."""
    if any((root / name).is_file() for name in SETTINGS):
        return True
    return any(_is_labels(file) for pattern in ("labels/*.txt", "labels/*/*.txt", "*/labels/*.txt", "*.txt",
                                               "*/*.txt") for file in files_in(root, pattern)[:20])  # fmt: skip


def _is_labels(file: Path) -> bool:
    if file.name in CLASS_FILES:
        return False
    line = file.read_bytes()[:400].split(b"\n")[0].split()
    return len(line) >= 4 and all(is_number(word.decode(errors="replace")) for word in line[1:])


def _settings_of(root: Path) -> dict[str, Any]:
    file = next((root / name for name in SETTINGS if (root / name).is_file()), None)
    if file is None:
        return {}
    try:
        settings = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise DataError(f"{file}: is no YAML ({error})") from error
    if not isinstance(settings, dict):
        raise DataError(f"{file}: expected keys names, train and val")
    return settings


def _names_of(root: Path, settings: dict[str, Any]) -> tuple[str, ...]:
    """Names of the classes; () where nothing says them."""
    names = settings.get("names")
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise DataError(f"{root}: names in data.yaml has keys {sorted(names)}: expected 0, 1, 2, ...")
        names = [names[i] for i in range(len(names))]
    if isinstance(names, list):
        return tuple(map(str, names))
    return classes_of(root, root / "labels") or ()


def _folders_of(split: str, root: Path, settings: dict[str, Any], drawn: bool) -> list[Path]:
    """The folders of a split's pictures."""
    if drawn or split == ALL:
        folder = next((root / place for place in WHOLE if (root / place).is_dir()), root)
        return [folder]
    for word in spellings(split):
        stated = settings.get(word)
        if stated:
            return [_stated(root, settings, str(one)) for one in (stated if isinstance(stated, list) else [stated])]
    for word in spellings(split):
        for place in PLACES:
            folder = root / place.format(split=word)
            if folder.is_dir():
                return [folder]
    known = [name for name in SPLITS if settings.get(name)]
    raise DataError(
        f"{root}: holds no pictures of split {split!r}: expected images/{split}, {split}/images, or {split} in "
        f"data.yaml{' (which has ' + ', '.join(known) + ')' if known else ''}; the option val_part draws splits"
    )


def _stated(root: Path, settings: dict[str, Any], stated: str) -> Path:
    """A folder that data.yaml names; the tools' own paths often lead nowhere, which is why their ends are tried."""
    base = root / str(settings.get("path") or "")
    parts = [part for part in Path(as_path(stated)).parts if part not in ("..", "/")]
    tried = [base / stated, root / stated, *(root.joinpath(*parts[i:]) for i in range(len(parts)))]
    folder = next((path for path in tried if path.is_dir() and path != root), None)
    if folder is None:
        raise DataError(f"{root / 'data.yaml'}: names the folder {stated}, which is not in {root}")
    return folder


def _label_folder(folder: Path) -> Path:
    """Where the text files of a folder of pictures are: "images" in its path is "labels", where that exists."""
    parts = list(folder.parts)
    for i in range(len(parts) - 1, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            other = Path(*parts)
            return other if other.is_dir() else folder
    return folder


def _pictures_in(folder: Path, labels: Path, names: Sequence[str], partial: bool) -> list[Picture]:
    images = pictures_below(folder)
    files = {file.relative_to(labels).with_suffix("").as_posix(): file for file in files_in(labels, "**/*.txt")
             if file.name not in CLASS_FILES}  # fmt: skip
    alone = [file for key, file in files.items() if key not in images and _is_labels(file)]
    if alone and not partial and labels != folder.parent:
        raise DataError(
            f"{alone[0]}: has no picture in {folder} ({len(alone)} such files): add it, remove the file, or take what "
            "is there with the option partial: true"
        )
    pictures = []
    for key, image in sorted(images.items()):
        size = image_size(image)
        things: tuple[Thing, ...] = ()
        if key in files:
            things = _things_in(files[key], size, names)
        pictures.append(Picture(image, image.relative_to(folder).as_posix(), size, things))
    return pictures


def _things_in(file: Path, size: tuple[int, int], names: Sequence[str]) -> tuple[Thing, ...]:
    lines = enumerate(read_text(file).splitlines(), start=1)
    return tuple(_thing(line.split(), f"{file}, line {i}", size, names) for i, line in lines if line.strip())


def _thing(words: list[str], where: str, size: tuple[int, int], names: Sequence[str]) -> Thing:
    bad = next((word for word in words if not is_number(word)), None)
    if bad is not None:
        raise DataError(f"{where}: {bad!r} given, expected a finite number")
    numbers = np.array(words[1:], np.float64)
    label = float(words[0])
    if label != int(label) or label < 0 or (names and label >= len(names)):
        expected = f"0 to {len(names) - 1}, of the {len(names)} classes" if names else "0 or more"
        raise DataError(f"{where}: class {words[0]}: expected a whole number from {expected}")
    is_outline = len(numbers) >= FEWEST_NUMBERS and len(numbers) % 2 == 0
    if len(numbers) != 4 and not is_outline:
        raise DataError(
            f"{where}: {len(words)} numbers: expected class, centre x, centre y, width, height, or class and x and y "
            "of three points or more"
        )
    if numbers.max() > MOST:
        raise DataError(f"{where}: {numbers.max():g} given, expected {UNIT}, 0 to 1: divide pixels by width and height")
    scaled = numbers * np.tile(size[::-1], len(numbers) // 2)
    if not is_outline:
        return Thing(where, str(int(label)), tuple(scaled.tolist()))
    points = scaled.reshape(-1, 2)
    low, high = points.min(0), points.max(0)
    box = (*((low + high) / 2).tolist(), *(high - low).tolist())
    return Thing(where, str(int(label)), box, polygon=tuple(scaled.tolist()))


def _named(picture: Picture, names: Sequence[str]) -> Picture:
    """The picture, whose objects' numbers of classes are turned into names."""
    things = tuple(
        Thing(thing.where, names[int(thing.name)], thing.numbers, thing.is_crowd, thing.polygon)
        for thing in picture.things
    )
    return Picture(picture.file, picture.path, picture.size, things)

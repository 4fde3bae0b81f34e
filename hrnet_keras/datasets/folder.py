"""Your own pictures: `images/` and `labels/` of the same stem, and `classes.txt` with one class per line."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo, MaskSet, distinct_colour
from hrnet_keras.datasets.balance import balanced_weights, count_pixels
from hrnet_keras.datasets.listing import EXPECTED, is_ours, pictures_in
from hrnet_keras.datasets.reading import FilePath
from hrnet_keras.datasets.sides import mirror_pairs
from hrnet_keras.datasets.text import read_text

LABEL_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")  # that keep every number
IGNORED = 255


def load(
    split: str, root: FilePath | None = None, *, class_weights: Sequence[float] | str | None = None,
    mask_values: Mapping[int, int] | None = None,
) -> MaskSet:  # fmt: skip
    """Opens a folder of pictures and label maps.

    The files lie in `<root>/<split>/{images,labels}`, or in `<root>/{images,labels}`, which then is every split. A
    picture is jpg, png, bmp, gif, webp, tif or another that Pillow opens (`reading.read_image`); its label map is a
    png, bmp or tif of the same stem, grey or palette: the pixel value is the class id, 255 is ignored.
    `<root>/classes.txt` names the classes in the order of their ids (`read_classes`). Classes whose names differ by
    left and right (`left arm`, `right arm`) change places when a picture is mirrored.

    Args:
        split: for example `"train"`.
        root: the folder.
        class_weights: of the training loss: a number per class in the order of the ids; `"balanced"`: from how often
            the classes occur in the split (`balance.balanced_weights`); `None`: all alike.
        mask_values: `{value in a mask: class id}` where the values are not the ids, for example `{0: 0, 255: 1}` of
            masks that are drawn black and white; the id 255 ignores a value.

    Returns:
        A `MaskSet`, in the order of the names.

    Raises:
        ValueError: weights of another count than the classes, or `mask_values` that are none.
        DataError: no such folder, nothing in it, no `classes.txt`, a picture without label map or the other way round.
    """
    if root is None:
        raise DataError("folder: expected root, the folder that holds images/, labels/ and classes.txt")
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    dataset = read_split(_read_info(root), split, root)
    if mask_values is not None:
        dataset.ids, dataset.to_file = _coding(mask_values, len(dataset.info.class_names))
    if class_weights is not None:
        dataset.info = replace(dataset.info, class_weights=_weights(dataset, class_weights))
    return dataset


def _coding(mask_values: Any, count: int) -> tuple[dict[int, int], Callable[[np.ndarray], np.ndarray]]:
    """`MaskSet.ids` and `MaskSet.to_file` of what the values of masks mean."""
    try:
        ids = {int(value): int(label) for value, label in dict(mask_values).items()}
    except (TypeError, ValueError):
        ids = {}
    labels = {*range(count), IGNORED}
    if not ids or not all(0 <= value <= 255 and label in labels for value, label in ids.items()):
        raise ValueError(
            f"mask_values={mask_values!r}: expected {{value in a mask, 0..255: class id, 0..{count - 1} or 255 to "
            "ignore it}, such as {0: 0, 255: 1}"
        )
    table = np.full(256, IGNORED, np.uint8)
    # Of several values of a class, the first one is written.
    for value, label in reversed(ids.items()):
        table[label] = value
    return ids, lambda label_map: table[label_map]


def _weights(dataset: MaskSet, given: Any) -> tuple[float, ...]:
    names = dataset.info.class_names
    if given == "balanced":
        return balanced_weights(count_pixels(dataset).tolist())
    is_list = isinstance(given, (list, tuple)) and all(isinstance(x, (int, float)) and x >= 0 for x in given)
    if not is_list or len(given) != len(names):
        raise ValueError(f"class_weights={given!r}: expected 'balanced' or {len(names)} numbers, one per class")
    return tuple(float(weight) for weight in given)


def read_split(info: DatasetInfo, split: str, root: FilePath) -> MaskSet:
    """The `MaskSet` of one split of `root`, laid out as `load` says; `info` are known already."""
    top = _split_folder(Path(root), split)
    images = _by_stem(pictures_in(top / "images"))
    masks = pictures_in(top / "labels")
    labels = _by_stem(file for file in masks if file.suffix.lower() in LABEL_SUFFIXES)
    if not images:
        raise DataError(f"{top / 'images'}: holds no pictures: expected {EXPECTED}")
    unlabelled = _without_partner(images, labels)
    if unlabelled:
        raise DataError(_lacks_label_map(unlabelled, top / "labels", masks))
    alone = _without_partner(labels, images)
    if alone:
        raise DataError(_lacks_picture(alone, top / "images"))
    return MaskSet(info, split, images, images.values(), [labels[stem] for stem in images])


def _without_partner(files: dict[str, Path], partners: dict[str, Path]) -> list[Path]:
    return [file for stem, file in files.items() if stem not in partners]


def _lacks_label_map(pictures: list[Path], folder: Path, masks: list[Path]) -> str:
    """How many pictures lack a label map, where the first one's is expected, and what lies there instead."""
    first = pictures[0]
    message = f"{first}: has no label map"
    if len(pictures) > 1:
        message += f" (and {len(pictures) - 1} more pictures)"
    message += f": expected {folder / f'{first.stem}.png'}"
    lossy = next((file.name for file in masks if file.stem == first.stem), None)
    if lossy:
        message += f"; {lossy} is of a kind that may change class ids"
    return message


def _lacks_picture(label_files: list[Path], folder: Path) -> str:
    message = f"{label_files[0]}: has no picture"
    if len(label_files) > 1:
        message += f" (and {len(label_files) - 1} more label maps)"
    wanted = folder / f"{label_files[0].stem}.jpg"
    return f"{message}: expected {wanted}, or png, bmp, gif, webp, tif; remove it, or add the picture"


def _split_folder(root: Path, split: str) -> Path:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    for top in (root / split, root):
        if (top / "images").is_dir() and (top / "labels").is_dir():
            return top
    splits = sorted(path.parent.name for path in root.glob("*/images") if is_ours(path.parent))
    hint = f"; the splits here are {', '.join(splits)}" if splits else ""
    raise DataError(
        f"{root}: no split {split!r}: expected {split}/images and {split}/labels, or images and labels{hint}"
    )


def _by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """{stem: file} in the order given; two files of one stem would be told apart by nothing."""
    files: dict[str, Path] = {}
    for file in paths:
        if file.stem in files:
            raise DataError(f"{file}: has the same stem as {files[file.stem].name}: expected one file per stem")
        files[file.stem] = file
    return files


def _read_info(root: Path) -> DatasetInfo:
    file = root / "classes.txt"
    names, palette = read_classes(file)
    if len(names) > 255:
        raise DataError(f"{file}: names {len(names)} classes: expected 1..255 (id 255 is ignored)")
    pairs = mirror_pairs(names)
    return DatasetInfo(root.resolve().name, names, palette, source=str(root), label_flip_pairs=pairs)


def read_classes(file: FilePath) -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    """Names and colours of classes from a text file: a class per line in the order of the ids, empty lines left out.

    A colour may stand behind the name: `traffic light 250 170 30`; the others get one.

    Args:
        file: its path.

    Returns:
        Tuple of names, and tuple of RGB colours 0..255.

    Raises:
        DataError: missing, no text (`text.read_text`), no names or one twice.
    """
    text = read_text(file, "expected one class name per line, in the order of the class ids")
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{file}: names no classes: expected one per line, in the order of the class ids")
    names: list[str] = []
    palette = []
    for words in lines:
        colour = _colour(words)
        if colour is not None:
            words = words[:-3]
        name = " ".join(words)
        if name in names:
            raise DataError(f"{file}: names {name!r} twice: expected every class once")
        palette.append(colour or distinct_colour(len(names)))
        names.append(name)
    return tuple(names), tuple(palette)


def _colour(words: list[str]) -> tuple[int, int, int] | None:
    """The ` r g b` at the end of a line, or None: a name stands in front of it."""
    if len(words) < 4 or not all(word.isdecimal() and int(word) < 256 for word in words[-3:]):
        return None
    red, green, blue = map(int, words[-3:])
    return red, green, blue

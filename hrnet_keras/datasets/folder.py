"""Your own pictures: `images/` and `labels/` of the same stem, and `classes.txt` with one class per line."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError, Dataset, DatasetInfo, distinct_colour
from hrnet_keras.datasets.balance import balanced_weights, count_pixels
from hrnet_keras.datasets.listing import EXPECTED, is_ours, pictures_in
from hrnet_keras.datasets.sides import mirror_pairs
from hrnet_keras.datasets.text import read_text

LABEL_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")  # that keep every number
IGNORED = 255


def load(split, root=None, *, class_weights=None, mask_values=None):
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
        A `Dataset`, in the order of the names.

    Raises:
        ValueError: weights of another count than the classes, or `mask_values` that are none.
        DataError: no such folder, nothing in it, no `classes.txt`, a picture without label map or the other way round.
    """
    if root is None:
        raise DataError("folder: expected root, the folder that holds images/, labels/ and classes.txt")
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    found = read_split(_read_info(root), split, root)
    if mask_values is not None:
        found.ids, found.to_file = _coding(mask_values, len(found.info.class_names))
    if class_weights is not None:
        found.info = replace(found.info, class_weights=_weights(found, class_weights))
    return found


def _coding(mask_values, count):
    """`Dataset.ids` and `Dataset.to_file` of what the values of masks mean."""
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
    for value, label in reversed(ids.items()):  # of several values of a class, the first one is written
        table[label] = value
    return ids, lambda label_map: table[label_map]


def _weights(dataset, given):
    names = dataset.info.class_names
    if given == "balanced":
        return balanced_weights(count_pixels(dataset).tolist())
    is_list = isinstance(given, (list, tuple)) and all(isinstance(x, (int, float)) and x >= 0 for x in given)
    if not is_list or len(given) != len(names):
        raise ValueError(f"class_weights={given!r}: expected 'balanced' or {len(names)} numbers, one per class")
    return tuple(float(weight) for weight in given)


def read_split(info, split, root):
    """The `Dataset` of one split of `root`, laid out as `load` says; `info` are known already."""
    top = _split_folder(Path(root), split)
    images = _by_stem(pictures_in(top / "images"))
    masks = pictures_in(top / "labels")
    labels = _by_stem(file for file in masks if file.suffix.lower() in LABEL_SUFFIXES)
    if not images:
        raise DataError(f"{top / 'images'}: holds no pictures: expected {EXPECTED}")
    unlabelled = [file for stem, file in images.items() if stem not in labels]
    if unlabelled:
        raise DataError(f"{unlabelled[0]}: has no label map{_unlabelled(unlabelled, top / 'labels', masks)}")
    alone = [file for stem, file in labels.items() if stem not in images]
    if alone:
        rest = f" (and {len(alone) - 1} more label maps)" if len(alone) > 1 else ""
        wanted = top / "images" / f"{alone[0].stem}.jpg"
        raise DataError(
            f"{alone[0]}: has no picture{rest}: expected {wanted}, or png, bmp, gif, webp, tif; remove it, or add the "
            "picture"
        )
    return Dataset(info, split, images, images.values(), [labels[stem] for stem in images])


def _unlabelled(pictures, folder, masks):
    """How many pictures lack a label map, where the first one's is expected, and what lies there instead."""
    rest = f" (and {len(pictures) - 1} more pictures)" if len(pictures) > 1 else ""
    lossy = next((file.name for file in masks if file.stem == pictures[0].stem), None)
    hint = f"; {lossy} is of a kind that may change class ids" if lossy else ""
    return f"{rest}: expected {folder / f'{pictures[0].stem}.png'}{hint}"


def _split_folder(root, split):
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    for top in (root / split, root):
        if (top / "images").is_dir() and (top / "labels").is_dir():
            return top
    found = sorted(path.parent.name for path in root.glob("*/images") if is_ours(path.parent))
    hint = f"; the splits here are {', '.join(found)}" if found else ""
    raise DataError(
        f"{root}: no split {split!r}: expected {split}/images and {split}/labels, or images and labels{hint}"
    )


def _by_stem(paths):
    """{stem: file} in the order given; two files of one stem would be told apart by nothing."""
    files = {}
    for file in paths:
        if file.stem in files:
            raise DataError(f"{file}: has the same stem as {files[file.stem].name}: expected one file per stem")
        files[file.stem] = file
    return files


def _read_info(root):
    file = root / "classes.txt"
    names, palette = read_classes(file)
    if len(names) > 255:
        raise DataError(f"{file}: names {len(names)} classes: expected 1..255 (id 255 is ignored)")
    pairs = mirror_pairs(names)
    return DatasetInfo(root.resolve().name, names, palette, source=str(root), label_flip_pairs=pairs)


def read_classes(file):
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
    names = tuple(" ".join(words[:-3] if _colour(words) else words) for words in lines)
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise DataError(f"{file}: names {twice!r} twice: expected every class once")
    return names, tuple(_colour(words) or distinct_colour(i) for i, words in enumerate(lines))


def _colour(words):
    """The ` r g b` at the end of a line, or None: a name stands in front of it."""
    if len(words) < 4 or not all(word.isdecimal() and int(word) < 256 for word in words[-3:]):
        return None
    return tuple(int(word) for word in words[-3:])

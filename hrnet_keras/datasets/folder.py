"""Your own pictures: `images/` and `labels/` of the same stem, and `classes.txt` with one class per line."""

from dataclasses import replace
from pathlib import Path

from hrnet_keras.datasets import DataError, Dataset, Facts, distinct_colour
from hrnet_keras.datasets.balance import balanced_weights, count_pixels
from hrnet_keras.datasets.sides import mirror_pairs

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def load(split, root=None, *, class_weights=None):
    """Opens a folder of pictures and label maps.

    The files lie in `<root>/<split>/{images,labels}`, or in `<root>/{images,labels}`, which then is every split. A
    picture is jpg, jpeg, png or bmp; its label map is a png of the same stem, grey or palette: the pixel value is the
    class id, 255 is ignored. `<root>/classes.txt` names the classes in the order of their ids, one per line, with a
    colour behind the name if wanted: `traffic light 250 170 30`. Classes whose names differ by left and right (`left
    arm`, `right arm`) change places when a picture is mirrored.

    Args:
        split: for example `"train"`.
        root: the folder.
        class_weights: of the training loss: a number per class in the order of the ids; `"balanced"`: from how often
            the classes occur in the split (`balance.balanced_weights`); `None`: all alike.

    Returns:
        A `Dataset`, in the order of the names.

    Raises:
        ValueError: weights of another count than the classes.
        DataError: no such folder, nothing in it, no `classes.txt`, or a picture without label map.
    """
    if root is None:
        raise DataError("folder: expected root, the folder that holds images/, labels/ and classes.txt")
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    found = read_split(_read_facts(root), split, root)
    if class_weights is not None:
        found.facts = replace(found.facts, class_weights=_weights(found, class_weights))
    return found


def _weights(dataset, given):
    names = dataset.facts.class_names
    if given == "balanced":
        return balanced_weights(count_pixels(dataset).tolist())
    is_list = isinstance(given, (list, tuple)) and all(isinstance(x, (int, float)) and x >= 0 for x in given)
    if not is_list or len(given) != len(names):
        raise ValueError(f"class_weights={given!r}: expected 'balanced' or {len(names)} numbers, one per class")
    return tuple(float(weight) for weight in given)


def read_split(facts, split, root):
    """The `Dataset` of one split of `root`, laid out as `load` says; `facts` are known already."""
    top = _split_folder(Path(root), split)
    images, labels = _by_stem(top / "images", IMAGE_SUFFIXES), _by_stem(top / "labels", (".png",))
    if not images:
        raise DataError(f"{top / 'images'}: holds no pictures: expected {', '.join(IMAGE_SUFFIXES)}")
    unlabelled = [file for stem, file in images.items() if stem not in labels]
    if unlabelled:
        rest = f" (and {len(unlabelled) - 1} more pictures)" if len(unlabelled) > 1 else ""
        wanted = top / "labels" / f"{unlabelled[0].stem}.png"
        raise DataError(f"{unlabelled[0]}: has no label map{rest}: expected {wanted}")
    return Dataset(facts, split, images, images.values(), [labels[stem] for stem in images])


def _split_folder(root, split):
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    for top in (root / split, root):
        if (top / "images").is_dir() and (top / "labels").is_dir():
            return top
    found = sorted(path.parent.name for path in root.glob("*/images"))
    hint = f"; the splits here are {', '.join(found)}" if found else ""
    raise DataError(
        f"{root}: no split {split!r}: expected {split}/images and {split}/labels, or images and labels{hint}"
    )


def _by_stem(folder, suffixes):
    """{stem: file}, sorted; two files of one stem would be told apart by nothing."""
    files = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() not in suffixes or file.name.startswith("."):
            continue
        if file.stem in files:
            raise DataError(f"{file}: has the same stem as {files[file.stem].name}: expected one file per stem")
        files[file.stem] = file
    return files


def _read_facts(root):
    file = root / "classes.txt"
    if not file.is_file():
        raise DataError(f"{file}: no such file: expected one class name per line, in the order of the class ids")
    try:
        lines = [line.split() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    if not 1 <= len(lines) <= 255:
        raise DataError(f"{file}: names {len(lines)} classes: expected 1..255 (id 255 is ignored)")
    names = tuple(" ".join(words[:-3] if _colour(words) else words) for words in lines)
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise DataError(f"{file}: names {twice!r} twice: expected every class once")
    palette = tuple(_colour(words) or distinct_colour(i) for i, words in enumerate(lines))
    return Facts(
        name=root.resolve().name, class_names=names, palette=palette, source=str(root),
        label_flip_pairs=mirror_pairs(names),
    )  # fmt: skip


def _colour(words):
    """The ` r g b` at the end of a line, or None: a name stands in front of it."""
    if len(words) < 4 or not all(word.isdecimal() and int(word) < 256 for word in words[-3:]):
        return None
    return tuple(int(word) for word in words[-3:])

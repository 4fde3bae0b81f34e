"""Data sets by name: what an example is, the facts that travel with a set, and the check of its files.

An example is a dict with `image` (uint8 RGB `(height, width, 3)`), `name`, and what the set knows of: `label_map`
(uint8 `(height, width)`), `points` (float32 `(n, k, 2)` as `(x, y)`), `visible` `(n, k)`, `boxes` (float32 `(n, 4)`
xyxy), `labels` (int32 `(n,)`), `masks` (bool `(n, height, width)`), `crowd` (bool `(n,)`).
"""

import collections
import colorsys
import copy
import importlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("camvid", "cityscapes", "folder", "imagenet", "lip", "pascal_context", "toytown")


class DataError(ValueError):
    """A file of a data set that cannot be used; the message names the file, what is wrong and what was expected."""


@dataclass(frozen=True)
class Facts:
    """What is true of every picture of a data set.

    Attributes:
        name: of the data set.
        class_names: in the order of the class ids.
        palette: RGB of every class, 0..255.
        ignore_label: id in a label map that is neither trained on nor scored.
        class_weights: of the training loss, or None where all count alike.
        point_names: of the `k` points of an example.
        flip_pairs: indices of points that change places when a picture is mirrored.
        edges: pairs of points joined by a line in a drawing.
        source: where the data comes from.
        terms: what it may be used for.
        label_flip_pairs: class ids of a label map that change places when a picture is mirrored (left arm, right arm).
    """

    name: str
    class_names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    ignore_label: int = 255
    class_weights: tuple[float, ...] | None = None
    point_names: tuple[str, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    source: str = ""
    terms: str = ""
    label_flip_pairs: tuple[tuple[int, int], ...] = ()


class Dataset:
    """One split of a data set, read from files or, where a subclass overrides `example`, made some other way.

    Attributes:
        facts: the `Facts` of the set.
        split: for example `"train"`.
        names: one per example, unique.
        image_files, label_files: tuples of paths, one per example, or `()` for a set without files.
        ids: `{value in a label file: class id}`; `None` where the values are the class ids.
        to_file: turns class ids into what the set's own label files store, for predictions that are handed in.
        as_stored: whether pictures are used as the files store them, so that a crop may read a part of a file.
    """

    as_stored = True
    to_file = None

    def __init__(self, facts, split, names, image_files=(), label_files=(), ids=None):
        self.facts = facts
        self.split = split
        self.names = tuple(names)
        self.image_files = tuple(Path(file) for file in image_files)
        self.label_files = tuple(Path(file) for file in label_files)
        self.ids = ids

    def __len__(self):
        return len(self.names)

    def example(self, i):
        """Example `i` as a dict of NumPy arrays (see the module).

        Raises:
            DataError: a file of it is unreadable, cut short, or its label map does not fit (size, class ids).
        """
        image, label_map = read_image(self.image_files[i]), self.label_map(i)
        if image.shape[:2] != label_map.shape:
            (height, width), (rows, columns) = image.shape[:2], label_map.shape
            raise DataError(
                f"{self.label_files[i]}: the label map is {columns}x{rows}, its picture {width}x{height} "
                "(width x height): expected the same size"
            )
        return {"image": image, "label_map": label_map, "name": self.names[i]}

    def label_map(self, i):
        """Label map `i` alone, uint8 `(height, width)`; raises `DataError` as `example` does."""
        label_map = read_label_map(self.label_files[i])
        num_classes = len(self.facts.class_names)
        ids = self.ids or {value: value for value in (*range(num_classes or 256), self.facts.ignore_label)}
        table = np.full(256, -1, np.int16)
        table[list(ids)] = list(ids.values())
        classes = table[label_map]
        if classes.min(initial=0) < 0:
            strangers = ", ".join(str(value) for value in np.unique(label_map[classes < 0])[:5])
            if self.ids:
                expected = f"one of the {len(ids)} values of {self.facts.name}"
            else:
                expected = f"0..{num_classes - 1} ({num_classes} classes) or {self.facts.ignore_label} (ignored)"
            raise DataError(f"{self.label_files[i]}: holds class ids {strangers}: expected {expected}")
        return classes.astype(np.uint8)


def load(name, split, root=None, **options):
    """Opens one split of a data set.

    Args:
        name: one of `NAMES`.
        split: for example `"train"` or `"val"`.
        root: folder of the files, for the sets that are read from files.
        **options: the set's own, see its module.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: unknown name or split; `DataError` where files are missing.
    """
    if name not in NAMES:
        raise ValueError(f"name={name!r}: expected one of {', '.join(map(repr, NAMES))}")
    module = importlib.import_module(f"hrnet_keras.datasets.{name}")  # here, as it imports this module
    return module.load(split, root, **options)


def paired(facts, split, folder, pairs, *, expected, archive, partial=False, ids=None, kind=Dataset):
    """The `Dataset` of picture and label files that belong together; what lacks is said with its remedy.

    Args:
        facts, split, ids: as in `Dataset`.
        folder: where the pictures should lie.
        pairs: list of `(name, picture, label file)`, sorted.
        expected: number of pictures of the whole split.
        archive: which archives to unpack, for the message.
        partial: takes what is there.
        kind: the class to make.

    Raises:
        DataError: nothing there, too few pictures, or a picture without its label map.
    """
    if not pairs:
        raise DataError(f"{folder}: holds no pictures of split {split!r}: unpack {archive} there")
    for _, picture, label in pairs:
        if not label.is_file():
            raise DataError(f"{picture}: has no label map: expected {label}; unpack {archive} again")
    if len(pairs) != expected and not partial:
        raise DataError(
            f"{folder}: holds {len(pairs)} of the {expected} pictures of split {split!r}: unpack {archive} again, or "
            "take what is there with the option partial: true"
        )
    names, pictures, labels = zip(*pairs, strict=True)
    return kind(facts, split, names, pictures, labels, ids)


def read_image(file):
    """Reads a picture as uint8 RGB `(height, width, 3)`.

    Grey, palette and 16-bit pictures are widened or narrowed to 8-bit RGB, transparency is dropped. The orientation in
    EXIF data is ignored: label maps and boxes are drawn on the pixels as stored.

    Raises:
        DataError: the file is missing, unreadable or cut short.
    """
    picture = _decode(file)
    if picture.mode.startswith("I"):  # 16-bit grey; Pillow would clip it to 255 instead of scaling
        grey = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(picture.convert("RGB"))


def read_label_map(file):
    """Reads a label map, grey or palette, as the uint8 ids `(height, width)` that the file stores.

    Raises:
        DataError: the file is missing, unreadable, cut short or a colour picture.
    """
    picture = _decode(file)
    ids = np.array(picture)
    if ids.ndim != 2 or ids.dtype.kind not in "uib":
        raise DataError(
            f"{file}: a picture of mode {picture.mode}: expected class ids in one channel (grey or palette)"
        )
    if ids.size and (ids.max() > 255 or ids.min() < 0):
        raise DataError(f"{file}: holds class id {ids.max() if ids.max() > 255 else ids.min()}: expected 0..255")
    return ids.astype(np.uint8)


def _decode(file):
    try:
        with Image.open(file) as picture:
            picture.load()
            return picture
    except FileNotFoundError:
        raise DataError(f"{file}: no such file") from None
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error and more
        raise DataError(f"{file}: cannot be read as a picture ({error})") from error


def read_ahead(dataset, workers=2):
    """The examples of a `Dataset` in its order, as NumPy dicts, read ahead by `workers` threads."""
    with ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque()
        for i in range(len(dataset)):
            waiting.append(pool.submit(dataset.example, i))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def check(dataset, workers=2):
    """Decodes every picture and label map of a data set, so that a broken file shows before a long training.

    Args:
        dataset: a `Dataset`; one without files has nothing to check.
        workers: threads.

    Returns:
        A list of `(name, reason)`, in the order of the set, empty where all is well. A reason names the file.
    """
    if not dataset.image_files:
        return []

    def reason(i):
        try:
            dataset.example(i)
        except DataError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(workers) as pool:
        reasons = list(pool.map(reason, range(len(dataset))))
    return [(name, text) for name, text in zip(dataset.names, reasons, strict=False) if text]


def without(dataset, problems):
    """The `Dataset` without the examples that `check` complained of; `problems` is its list of `(name, reason)`."""
    broken = {name for name, _ in problems}
    unknown = sorted(broken - set(dataset.names))
    if unknown:
        raise ValueError(f"problems name {unknown[0]!r}: expected names of {dataset.facts.name} {dataset.split}")
    if broken and not dataset.image_files:
        raise ValueError(f"{dataset.facts.name} has no files: expected a data set read from files")
    kept = [i for i, name in enumerate(dataset.names) if name not in broken]
    rest = copy.copy(dataset)
    for word in ("names", "image_files", "label_files", "labels"):
        if getattr(dataset, word, ()):
            setattr(rest, word, tuple(getattr(dataset, word)[i] for i in kept))
    return rest


def distinct_colour(i):
    """RGB 0..255 of class `i` where nobody chose one: hues a golden angle apart, in three strengths by turns."""
    hue, value = i * 0.618034 % 1, (0.9, 0.6, 0.75)[i % 3]
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, value))

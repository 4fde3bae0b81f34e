"""Data sets by name: what an example is, the info that travel with a set, and the check of its files.

An example is a dict with `image` (uint8 RGB `(height, width, 3)`), `name`, and what the set knows of: `label_map`
(uint8 `(height, width)`), `points` (float `(n, k, 2)` as `(x, y)`), `visible` `(n, k)`, `boxes` (float `(n, 4)`
xyxy), `labels` (int32 `(n,)`), `masks` (bool `(n, height, width)`), `crowd` (bool `(n,)`).
"""

import collections
import colorsys
import copy
import importlib
import inspect
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet_keras.datasets.balance import label_report as label_report
from hrnet_keras.datasets.checking import check as check, glance as glance
from hrnet_keras.datasets.reading import DataError as DataError, image_size, read_image, read_label_map
from hrnet_keras.datasets.sides import mirror_order
from hrnet_keras.spelling import did_you_mean, nearest

NAMES = (
    "300w", "ade20k", "aflw", "camvid", "cityscapes", "coco", "cocostuff", "cofw", "folder", "imagenet", "lip", "mpii",
    "pascal_context", "points", "toytown", "wflw",
)  # fmt: skip
MODULES = {"300w": "face_300w", "points": "points_folder"}  # where a module is not called as its data set


@dataclass(frozen=True)
class DatasetInfo:
    """What is true of every picture of a data set.

    Raises:
        ValueError: a point or class stands in two pairs.

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
        label_flip_pairs: class ids that change places when a picture is mirrored (left arm, right arm), in label maps
            and of whole pictures.
        metric: how points are scored: `"nme"` (landmark), `"oks"`, `"pckh"` or `"pck"` (pose).
        normaliser: what the normalised mean error divides by: two points whose distance it is, or `"size"`, the length
            that the example states in `sizes`.
        sigmas: of every point, for object keypoint similarity.
        upper_body: points that make up the upper half of a body; the others make up the lower.
        crop_drop: of a set that states centre and scale of persons: how far below the centre the middle of their crop
            lies, in pixels per unit of scale (MPII: 15); `None`: persons are cropped by their boxes.
        stretch_first: whether the official crop of a face stretches the grey levels of a large picture before it
            shrinks it (300W, AFLW and WFLW, which the official code reads as floats; COFW it does not).
        crop_box: which box of a face its centre and scale are of: `"tight"` around the points, `"aflw"`, `"cofw"`
            (`hrnet_keras.tasks.landmark.faces.BOXES`).
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
    metric: str = ""
    normaliser: tuple[int, int] | str = ""
    sigmas: tuple[float, ...] = ()
    upper_body: tuple[int, ...] = ()
    crop_drop: float | None = None
    stretch_first: bool = True
    crop_box: str = "tight"

    def __post_init__(self):
        for word in ("flip_pairs", "label_flip_pairs"):
            mirror_order(None, getattr(self, word), f"data set {self.name!r}: {word}")


class Dataset:
    """One split of a data set, read from files or, where a subclass overrides `example`, made some other way.

    Attributes:
        info: the `DatasetInfo` of the set.
        split: for example `"train"`.
        names: one per example, unique.
        image_files, label_files: tuples of paths, one per example, or `()` for a set without files.
        ids: `{value in a label file: class id}`; `None` where the values are the class ids.
        to_file: turns class ids into what the set's own label files store, for predictions that are handed in.
        new_size: `None`, or a function from a picture's `(height, width)` to the one that it is brought to when it is
            read, with its label map (`datasets.resized`).
    """

    new_size = None
    to_file = None

    def __init__(self, info, split, names, image_files=(), label_files=(), ids=None):
        self.info = info
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
        example = {"image": image, "label_map": label_map, "name": self.names[i]}
        if self.new_size is None:
            return example
        from hrnet_keras.datasets.resized import resized

        return resized(example, self.new_size(label_map.shape))

    @property
    def as_stored(self):
        """Whether pictures are used as the files store them, so that a crop may read a part of a file."""
        return self.new_size is None

    def image(self, i):
        """Picture `i` alone, as its file stores it, uint8 RGB; raises `DataError` as `example` does."""
        return read_image(self.image_files[i])

    def image_size(self, i):
        """`(height, width)` of picture `i` by the header of its file; raises `DataError` as `example` does."""
        return image_size(self.image_files[i])

    def label_map(self, i):
        """Label map `i` alone, uint8 `(height, width)`; raises `DataError` as `example` does."""
        import cv2  # building a net imports this module and needs no OpenCV

        label_map = self.stored_labels(i)
        num_classes = len(self.info.class_names)
        ids = self.ids or {value: value for value in (*range(num_classes or 256), self.info.ignore_label)}
        table, is_known = np.zeros(256, np.uint8), np.zeros(256, bool)
        table[list(ids)], is_known[list(ids)] = list(ids.values()), True
        if not is_known.all() and not cv2.LUT(label_map, is_known.view(np.uint8)).all():
            strangers = ", ".join(str(value) for value in np.unique(label_map[~is_known[label_map]])[:5])
            if self.ids:
                expected = f"one of the {len(ids)} values of {self.info.name}"
            else:
                expected = f"0..{num_classes - 1} ({num_classes} classes) or {self.info.ignore_label} (ignored)"
            raise DataError(f"{self.label_files[i]}: holds class ids {strangers}: expected {expected}")
        return cv2.LUT(label_map, table)

    def stored_labels(self, i):
        """Label map `i` in the values that its file stores, uint8 `(height, width)`."""
        return read_label_map(self.label_files[i])


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
        near = nearest(name, NAMES)
        meant = f"did you mean {near!r}? There are" if near else "expected one of"
        raise ValueError(f"name={name!r}: {meant} {', '.join(map(repr, NAMES))}")
    # Here, as the module imports this one.
    module = importlib.import_module(f"hrnet_keras.datasets.{MODULES.get(name, name)}")
    known = [word for word in inspect.signature(module.load).parameters if word not in ("split", "root")]
    for word in options:
        if word not in known:
            raise ValueError(f"data set {name!r} has no option {word!r}: {did_you_mean(word, known)}")
    return module.load(split, root, **options)


def paired(info, split, folder, pairs, *, expected, archive, partial=False, ids=None, kind=Dataset):
    """The `Dataset` of picture and label files that belong together; what lacks is said with its remedy.

    Args:
        info, split, ids: as in `Dataset`.
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
    return kind(info, split, names, pictures, labels, ids)


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


def without(dataset, problems):
    """The `Dataset` without the examples that `check` complained of; `problems` is its list of `(name, reason)`."""
    broken = {name for name, _ in problems}
    unknown = sorted(broken - set(dataset.names))
    if unknown:
        raise ValueError(f"problems name {unknown[0]!r}: expected names of {dataset.info.name} {dataset.split}")
    if broken and not dataset.image_files:
        raise ValueError(f"{dataset.info.name} has no files: expected a data set read from files")
    kept = [i for i, name in enumerate(dataset.names) if name not in broken]
    rest = copy.copy(dataset)
    for word, values in vars(dataset).items():  # whatever has an entry per example: names, files, labels, ...
        if isinstance(values, tuple) and len(values) == len(dataset):
            setattr(rest, word, tuple(values[i] for i in kept))
    return rest


def distinct_colour(i):
    """RGB 0..255 of class `i` where nobody chose one: hues a golden angle apart, in three strengths by turns."""
    hue, value = i * 0.618034 % 1, (0.9, 0.6, 0.75)[i % 3]
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, value))

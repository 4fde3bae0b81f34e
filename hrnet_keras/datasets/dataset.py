"""What every data set is: named pictures, and what is known of each; the kinds say what that is.

| kind | an example also has |
|---|---|
| `ClassSet` (here) | `label`, the class id of the picture |
| `MaskSet` (`hrnet_keras.datasets.masks`) | `label_map`, a class id per pixel |
| `PointSet` (`hrnet_keras.datasets.points`) | `points`, `visible` and `boxes` of faces or persons |
| `BoxSet` (`hrnet_keras.datasets.objects`) | `boxes`, `labels`, `crowd`, `areas` and perhaps `segments` of objects |

Words of examples: `label` is one id of a picture; `labels` `(n,)` are those of its boxes.
"""

import collections
import copy
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np

from hrnet_keras.datasets.info import DatasetInfo
from hrnet_keras.datasets.reading import ImageFile, read_image

Example = dict[str, Any]


class Dataset:
    """One split of a data set.

    A kind says in `annotations` what is known of a picture. A set whose pictures don't lie in files of their own
    overrides `image`, or `example` as a whole.

    Args:
        info: of the set.
        split: for example `"train"`.
        names: one per example, unique.
        image_files: one per example, or none for a set that is drawn or kept otherwise.

    Attributes:
        to_file: turns a result's class ids into what the set's own label files store, for results that are handed in;
            `None` where they store the ids.
        per_example: the attributes that are tuples with an entry per example, or empty.
    """

    per_example: tuple[str, ...] = ("names", "image_files")
    to_file: Any = None

    def __init__(
        self, info: DatasetInfo, split: str, names: Iterable[str], image_files: Iterable[ImageFile] = ()
    ) -> None:
        self.info = info
        self.split = split
        self.names = tuple(names)
        self.image_files = tuple(image_files)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def files(self) -> tuple[ImageFile, ...]:
        """All files that the examples are read from."""
        return self.image_files

    @property
    def as_stored(self) -> bool:
        """Whether the pixels of examples are those of `image_files`, so that a part of a file may be decoded alone."""
        return bool(self.image_files)

    def annotations(self, i: int) -> Example:
        """What is known of picture `i`, and its `name`; reads no pixels of the picture."""
        return {"name": self.names[i]}

    def image(self, i: int) -> np.ndarray:
        """Picture `i`, uint8 RGB `(height, width, 3)`; raises `DataError` where its file is broken."""
        return read_image(self.image_files[i])

    def check_fit(self, i: int, annotations: Example, size: tuple[int, int]) -> None:
        """Raises `DataError` where `annotations` are not of a picture of `size` `(height, width)`."""

    def example(self, i: int) -> Example:
        """`annotations(i)` and `image`.

        Raises:
            DataError: a file of it is unreadable or cut short, or the annotations don't fit the picture.
        """
        image = self.image(i)
        annotations = self.annotations(i)
        self.check_fit(i, annotations, (image.shape[0], image.shape[1]))
        return {**annotations, "image": image}

    def subset(self, indices: Sequence[int]) -> Self:
        """The set with some of its examples, in the order of `indices`."""
        part = copy.copy(self)
        for word in self.per_example:
            values = getattr(self, word)
            if values:
                setattr(part, word, tuple(values[i] for i in indices))
        return part


class ClassSet(Dataset):
    """Pictures of one class each.

    Args:
        info, split, names, image_files: as in `Dataset`.
        picture_labels: class id of every picture.
    """

    per_example = (*Dataset.per_example, "picture_labels")

    def __init__(
        self, info: DatasetInfo, split: str, names: Iterable[str], image_files: Iterable[ImageFile],
        picture_labels: Iterable[int],
    ) -> None:  # fmt: skip
        super().__init__(info, split, names, image_files)
        self.picture_labels = tuple(picture_labels)

    def annotations(self, i: int) -> Example:
        """`label` (class id) and `name` of picture `i`."""
        return {"label": self.picture_labels[i], "name": self.names[i]}


def read_ahead(dataset: Dataset, workers: int = 2) -> Iterator[Example]:
    """The examples of a `Dataset` in its order, as NumPy dicts, read ahead by `workers` threads."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: collections.deque = collections.deque()
        for i in range(len(dataset)):
            waiting.append(pool.submit(dataset.example, i))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def exclude(dataset: Dataset, problems: Iterable[tuple[str, str]]) -> Dataset:
    """The `Dataset` without the examples that `validate` complained of; `problems` is its list of `(name, reason)`.

    Raises:
        ValueError: a name that the set does not have, or a set that is not read from files.
    """
    broken = {name for name, _ in problems}
    unknown = sorted(broken - set(dataset.names))
    if unknown:
        raise ValueError(f"problems name {unknown[0]!r}: expected names of {dataset.info.name} {dataset.split}")
    if broken and not dataset.image_files:
        raise ValueError(f"{dataset.info.name} has no files: expected a data set read from files")
    return dataset.subset([i for i, name in enumerate(dataset.names) if name not in broken])

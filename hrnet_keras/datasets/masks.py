"""Pictures with a class id per pixel: label maps from files, their sizes and their coding."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from hrnet_keras.datasets.dataset import Dataset, Example
from hrnet_keras.datasets.info import DatasetInfo
from hrnet_keras.datasets.reading import DataError, ImageFile, read_image, read_label_map

Size = tuple[int, int]


class MaskSet(Dataset):
    """One split of a data set with label maps.

    Args:
        info, split, names, image_files: as in `Dataset`.
        label_files: one per example, or none for a set that is drawn.
        ids: `{value in a label file: class id}`; `None` where the values are the class ids.

    Attributes:
        new_size: `None`, or a function from a picture's `(height, width)` to the one that it is brought to when it is
            read, with its label map (`to_size`, `to_short_side`).
    """

    per_example = (*Dataset.per_example, "label_files")
    new_size: Callable[[Size], Size] | None = None

    def __init__(
        self, info: DatasetInfo, split: str, names: Iterable[str], image_files: Iterable[ImageFile] = (),
        label_files: Iterable[ImageFile] = (), ids: dict[int, int] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(info, split, names, image_files)
        self.label_files = tuple(label_files)
        self.ids = ids

    @property
    def files(self) -> tuple[ImageFile, ...]:
        """All files that the examples are read from: pictures and label maps."""
        return (*self.image_files, *self.label_files)

    @property
    def as_stored(self) -> bool:
        """Whether the pixels of examples are those of `image_files`: pictures from files, not resized."""
        return bool(self.image_files) and self.new_size is None

    def annotations(self, i: int) -> Example:
        """`label_map` and `name` of picture `i`."""
        return self._resized({"label_map": self.label_map(i), "name": self.names[i]})

    def image(self, i: int) -> np.ndarray:
        """Picture `i`, uint8 RGB `(height, width, 3)`; raises `DataError` as `example` does."""
        return self._resized({"image": read_image(self.image_files[i]), "name": self.names[i]})["image"]

    def check_fit(self, i: int, annotations: Example, size: Size) -> None:
        """Raises `DataError` where the label map is not of the picture's `size` `(height, width)`."""
        shape = annotations["label_map"].shape
        if shape != size:
            raise DataError(
                f"{self.label_files[i]}: the label map is {shape[1]}x{shape[0]}, its picture {size[1]}x{size[0]} "
                "(width x height): expected the same size"
            )

    def example(self, i: int) -> Example:
        """`image`, `label_map` and `name`.

        Raises:
            DataError: a file of it is unreadable, cut short, or its label map does not fit (size, class ids).
        """
        image = read_image(self.image_files[i])
        example: Example = {"image": image, "label_map": self.label_map(i), "name": self.names[i]}
        self.check_fit(i, example, (image.shape[0], image.shape[1]))
        return self._resized(example)

    def label_map(self, i: int) -> np.ndarray:
        """Label map `i` in the size of its file, uint8 `(height, width)`; raises `DataError` as `example` does."""
        import cv2  # building a net imports this module and needs no OpenCV

        stored = self.stored_ids(i)
        ids = self.ids or self._own_ids()
        table = np.zeros(256, np.uint8)
        table[list(ids)] = list(ids.values())
        is_known = np.zeros(256, bool)
        is_known[list(ids)] = True
        if not is_known.all() and not cv2.LUT(stored, is_known.view(np.uint8)).all():
            raise DataError(self._strange_ids(i, np.unique(stored[~is_known[stored]])))
        return cv2.LUT(stored, table)

    def stored_ids(self, i: int) -> np.ndarray:
        """Label map `i` in the values that its file stores, uint8 `(height, width)`."""
        return read_label_map(self.label_files[i])

    def _own_ids(self) -> dict[int, int]:
        """`ids` of a set whose files store the class ids."""
        num_classes = len(self.info.class_names) or 256
        return {value: value for value in (*range(num_classes), self.info.ignore_label)}

    def _strange_ids(self, i: int, values: np.ndarray) -> str:
        strangers = ", ".join(map(str, values[:5]))
        num_classes = len(self.info.class_names)
        expected = f"0..{num_classes - 1} ({num_classes} classes) or {self.info.ignore_label} (ignored)"
        if self.ids:
            expected = f"one of the {len(self.ids)} values of {self.info.name}"
        return f"{self.label_files[i]}: holds class ids {strangers}: expected {expected}"

    def _resized(self, example: Example) -> Example:
        """An example, or a part of one, in its new size."""
        if self.new_size is None:
            return example
        stored = example["image" if "image" in example else "label_map"]
        return resized(example, self.new_size(stored.shape[:2]))


def resized(example: Example, size: Size) -> Example:
    """An example whose picture and label map are brought to `(height, width)` as the official loaders do, by OpenCV.

    Args:
        example: with `name`, and `image` uint8 `(any, any, 3)`, `label_map` uint8 `(any, any)` or both.
        size: `(height, width)`.

    Returns:
        The example in the new size: the picture bilinearly, the label map by its nearest pixel.

    Raises:
        DataError: a size without pixels.
    """
    import cv2

    height, width = size
    if min(size) < 1:
        raise DataError(f"{example['name']}: a picture of size {size}: expected at least one pixel")
    scaled = dict(example)
    # The official loaders resize with OpenCV: pictures linearly, label maps to the nearest pixel.
    for word, interpolation in (("image", cv2.INTER_LINEAR), ("label_map", cv2.INTER_NEAREST)):
        if word in example:
            scaled[word] = cv2.resize(example[word], (width, height), interpolation=interpolation)
    return scaled


def from_pairs(
    info: DatasetInfo, split: str, folder: Path, pairs: Sequence[tuple[str, Path, Path]], *, expected: int,
    archive: str, partial: bool = False, ids: dict[int, int] | None = None, kind: type[MaskSet] = MaskSet,
) -> MaskSet:  # fmt: skip
    """The `MaskSet` of picture and label files that belong together; what lacks is said with its remedy.

    Args:
        info, split, ids: as in `MaskSet`.
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


def to_size(size: Sequence[int]) -> Callable[[Size], Size]:
    """The rule for `MaskSet.new_size` that brings every picture to `(height, width)` whatever its shape."""
    height, width = size
    return lambda _: (height, width)


def to_short_side(short: int) -> Callable[[Size], Size]:
    """The rule for `MaskSet.new_size` that brings the short side of every picture to `short` pixels, its shape kept.

    Raises:
        ValueError: `short` is no number of pixels.

    Source: training of the official OCR branch on PASCAL-Context, ADE20K and COCO-Stuff.
    """
    if not isinstance(short, int) or short < 1:
        raise ValueError(f"short_side={short!r}: expected a number of pixels above 0, or null")

    def new_size(old: Size) -> Size:
        height, width = old
        if height < width:
            return short, int(width * short / height + 0.5)
        return int(height * short / width + 0.5), short

    return new_size

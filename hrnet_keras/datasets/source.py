"""The one way from a data set to the pixels that are trained on: decoding, parts of files, memory."""

import io
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf

import numpy as np
import tensorflow as tf

from hrnet_keras.datasets.dataset import Dataset, Example
from hrnet_keras.datasets.reading import DataError, image_size, is_plain, opened

CACHE_LIMIT = 1_000_000_000  # bytes of decoded pictures and label maps that are kept in memory unasked
BYTES_PER_PIXEL = 4  # of a picture and its label map

# Bit-exact with Pillow's and OpenCV's decoder; TensorFlow's default is 15 % faster and up to 7 grey levels off.
DCT = "INTEGER_ACCURATE"

# Columns decoded beside a window of a JPEG: its colour is interpolated between neighbours, which the edge lacks.
MARGIN = 2

Pair = Sequence[int] | np.ndarray  # (row, column)


@dataclass(frozen=True)
class OpenImage:
    """An example whose picture is not decoded yet.

    Attributes:
        size: `(height, width)` of the picture.
        annotations: what its data set knows of it.
        window: function of the first row and column, and of the ones after the last, that decodes what lies between:
            uint8 RGB `(rows, columns, 3)`, to the last bit that part of the whole picture.
    """

    size: tuple[int, int]
    annotations: Example
    window: Callable[[Pair, Pair], np.ndarray]


class ImageSource:
    """The examples of a data set for training, the same whichever way their pixels come; threads may share it.

    Args:
        dataset: to read.
        cache: True keeps in memory what was decoded, False reads it again each time; None: in memory up to
            `CACHE_LIMIT` bytes.
        ahead: decodes a set that goes into memory as a whole now, which names a broken file before the training.

    Raises:
        DataError: a file is broken; seen here only with `ahead`.
    """

    def __init__(self, dataset: Dataset, cache: bool | None = None, *, ahead: bool = False) -> None:
        self.dataset = dataset
        self._kept: dict[int, Example] = {}
        self._room = {True: inf, False: 0, None: CACHE_LIMIT}[cache]
        self._lock = threading.Lock()
        if ahead and self._holds_all():
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(self.example, range(len(dataset))))

    def example(self, i: int) -> Example:
        """Example `i`, as the data set gives it. Its arrays may be kept: the caller leaves them as they are.

        Raises:
            DataError: as `Dataset.example` does.
        """
        example = self._kept.get(i)
        if example is not None:
            return example
        image = self._open_file(i)
        if image is None:
            example = self.dataset.example(i)
        else:
            example = {**image.annotations, "image": image.window((0, 0), image.size)}
        self._keep(i, example)
        return example

    def open(self, i: int) -> OpenImage:
        """Example `i`, of which only the window that is asked for is decoded, where that saves work.

        Raises:
            DataError: as `Dataset.example` does, here or when a window is decoded.
        """
        image = None
        if i not in self._kept:
            image = self._open_file(i)
        if image is not None:
            return image
        example = self.example(i)
        pixels = example["image"]
        return OpenImage(pixels.shape[:2], example, lambda begin, end: pixels[begin[0] : end[0], begin[1] : end[1]])

    def _open_file(self, i: int) -> OpenImage | None:
        """Example `i` of a file that `decode_window` reads; `None` where the data set has to make it.

        That is a set that is drawn or resized, another format, inks, 16 bits per channel, and what is broken: the data
        set then says what is wrong.
        """
        if not self.dataset.as_stored:
            return None
        try:
            contents = self.dataset.image_files[i].read_bytes()
            with opened(io.BytesIO(contents)) as picture:
                size = (picture.height, picture.width)
                is_decodable = picture.format in ("JPEG", "PNG") and is_plain(picture)
        except (OSError, DataError):
            return None
        if not is_decodable:
            return None

        def window(begin: Pair, end: Pair) -> np.ndarray:
            try:
                return decode_window(contents, size, begin, end)
            except tf.errors.OpError:  # cut short or damaged
                return self.dataset.image(i)[begin[0] : end[0], begin[1] : end[1]]

        annotations = self.dataset.annotations(i)
        self.dataset.check_fit(i, annotations, size)
        return OpenImage(size, annotations, window)

    def _keep(self, i: int, example: Example) -> None:
        size = sum(example[word].nbytes for word in ("image", "label_map", "masks") if word in example)
        with self._lock:
            if size <= self._room and i not in self._kept:
                self._room -= size
                self._kept[i] = example

    def _holds_all(self) -> bool:
        """Whether the whole set goes into memory, by the headers of its files; stops reading them at the limit."""
        if self._room in (0, inf):
            return self._room == inf
        if not self.dataset.image_files:
            height, width = self.dataset.example(0)["image"].shape[:2]
            return len(self.dataset) * BYTES_PER_PIXEL * height * width < self._room
        total = 0
        for file in self.dataset.image_files:
            height, width = image_size(file)
            total += BYTES_PER_PIXEL * height * width
            if total >= self._room:
                return False
        return True


def decode_window(contents: bytes, size: tuple[int, int], begin: Pair, end: Pair) -> np.ndarray:
    """The pixels of a window of a JPEG or PNG, by TensorFlow.

    Args:
        contents: of the file.
        size: `(height, width)` of the picture.
        begin: first row and column.
        end: the row and column after the last.

    Returns:
        uint8 RGB `(rows, columns, 3)`, the same to the last bit as those of the whole picture.

    Raises:
        tf.errors.OpError: the file is cut short or damaged, in the window or before it.
    """
    top, first = map(int, begin)
    bottom, last = map(int, end)
    if not contents.startswith(b"\xff\xd8"):  # a PNG has no way to skip pixels
        return tf.io.decode_png(contents, channels=3).numpy()[top:bottom, first:last]
    # Measured at 480x360 and 2048x1024: never slower than decoding the whole, twice as fast for half of each side.
    left = max(first - MARGIN, 0)
    right = min(last + MARGIN, size[1])
    window = [top, left, bottom - top, right - left]
    pixels = tf.io.decode_and_crop_jpeg(contents, window, channels=3, dct_method=DCT)
    return pixels.numpy()[:, first - left : last - left]

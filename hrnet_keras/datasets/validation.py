"""Finding the files of a data set that can't be used, before a training of hours comes across them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hrnet_keras.datasets.dataset import Dataset
from hrnet_keras.datasets.masks import MaskSet
from hrnet_keras.datasets.objects import BoxSet
from hrnet_keras.datasets.reading import DataError, ImageFile, is_plain, opened, read_image

TAIL = 4096  # bytes at the end of a file in which its end mark is looked for


def validate(dataset: Dataset, workers: int = 2) -> list[tuple[str, str]]:
    """Decodes every picture and label map of a data set, so that a broken file shows before a long training.

    Args:
        dataset: a `Dataset`; one without files has nothing to check.
        workers: threads.

    Returns:
        A list of `(name, reason)`, in the order of the set, empty where all is well. A reason names the file.
    """
    return _collect(dataset, dataset.example, workers)


def _collect(dataset: Dataset, check: Callable[[int], Any], workers: int) -> list[tuple[str, str]]:
    if not dataset.image_files:
        return []

    def reason(i: int) -> str | None:
        try:
            check(i)
        except DataError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(workers) as pool:
        reasons = list(pool.map(reason, range(len(dataset))))
    return [(name, text) for name, text in zip(dataset.names, reasons, strict=True) if text]


def validate_headers(dataset: Dataset, workers: int = 16) -> list[tuple[str, str]]:
    """Checks every file of a data set without decoding the pictures: seconds where `validate` takes an hour.

    A picture must begin and end like one; a label map must be readable, of its picture's size, with class ids of the
    set; boxes and outlines of objects must be stated for a picture of that size. A picture that is cut short shows by
    its missing end; one with damage in its middle does not. Pictures of more than 8 bits, and of kinds whose end has no
    mark, are decoded.

    Args:
        dataset: a `Dataset`; one without files has nothing to check.
        workers: threads; they mostly wait for the disk.

    Returns:
        A list of `(name, reason)` as `validate` gives it.
    """
    return _collect(dataset, lambda i: _validate_header(dataset, i), workers)


def _validate_header(dataset: Dataset, i: int) -> None:
    size = _size_of_whole_picture(dataset.image_files[i])
    if isinstance(dataset, MaskSet):
        dataset.check_fit(i, {"label_map": dataset.label_map(i)}, size)
    elif isinstance(dataset, BoxSet):
        dataset.check_fit(i, dataset.annotations(i), size)


def _size_of_whole_picture(file: ImageFile) -> tuple[int, int]:
    """`(height, width)` by the header; a picture whose end or values the header leaves open is decoded to see."""
    with opened(file) as picture:
        size = (picture.height, picture.width)
        is_whole = (is_plain(picture) or picture.mode == "CMYK") and _is_whole(picture, picture.format, file)
    if not is_whole:
        read_image(file)
    return size


def _is_whole(picture: Any, kind: str | None, file: ImageFile) -> bool:
    """Whether the end of a picture is there; False also where that can't be seen without decoding it."""
    with file.open("rb") as stream:
        length = stream.seek(0, 2)
        if kind in ("JPEG", "MPO", "PNG"):
            stream.seek(max(length - TAIL, 0))
            return (b"IEND" if kind == "PNG" else b"\xff\xd9") in stream.read()
        if kind == "WEBP":  # says in bytes 4 to 7 how many bytes follow
            stream.seek(4)
            return int.from_bytes(stream.read(4), "little") + 8 <= length
    if kind == "TIFF":
        tags = picture.tag_v2
        places, sizes = (tags.get(strip, tags.get(tile, ())) for strip, tile in ((273, 324), (279, 325)))
        return bool(places) and max(map(sum, zip(places, sizes, strict=False))) <= length
    return False

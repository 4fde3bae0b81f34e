"""Finding the files of a data set that can't be used, before a training of hours comes across them."""

from concurrent.futures import ThreadPoolExecutor

from hrnet_keras.datasets.reading import DataError, has_deep_colour, opened, read_image

TAIL = 4096  # bytes at the end of a file in which its end mark is looked for


def check(dataset, workers=2):
    """Decodes every picture and label map of a data set, so that a broken file shows before a long training.

    Args:
        dataset: a `Dataset`; one without files has nothing to check.
        workers: threads.

    Returns:
        A list of `(name, reason)`, in the order of the set, empty where all is well. A reason names the file.
    """
    return _collect(dataset, dataset.example, workers)


def _collect(dataset, look, workers):
    if not dataset.image_files:
        return []

    def reason(i):
        try:
            look(i)
        except DataError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(workers) as pool:
        reasons = list(pool.map(reason, range(len(dataset))))
    return [(name, text) for name, text in zip(dataset.names, reasons, strict=True) if text]


def glance(dataset, workers=16):
    """Looks at every file of a data set without decoding the pictures: seconds where `check` takes an hour.

    A picture must begin and end like one, and a label map must be readable, of its picture's size, with class ids of
    the set. A picture that is cut short shows by its missing end; one with damage in its middle does not. Pictures of
    more than 8 bits, and of kinds whose end has no mark, are decoded.

    Args:
        dataset: a `Dataset`; one without files has nothing to look at.
        workers: threads; they mostly wait for the disk.

    Returns:
        A list of `(name, reason)` as `check` gives it.
    """
    return _collect(dataset, lambda i: _glance(dataset, i), workers)


def _glance(dataset, i):
    file = dataset.image_files[i]
    width, height = _size_of_whole_picture(file)
    if not dataset.label_files:
        return
    shape = dataset.label_map(i).shape
    if shape != (height, width):
        raise DataError(
            f"{dataset.label_files[i]}: the label map is {shape[1]}x{shape[0]}, its picture {width}x{height} "
            "(width x height): expected the same size"
        )


def _size_of_whole_picture(file):
    """Width and height by the header; a picture whose end or values the header leaves open is decoded to see."""
    with opened(file) as picture:
        size, kind = picture.size, picture.format
        is_plain = not has_deep_colour(picture) and picture.mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK")
        is_whole = is_plain and _is_whole(picture, kind, file)
    if not is_whole:
        read_image(file)
    return size


def _is_whole(picture, kind, file):
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

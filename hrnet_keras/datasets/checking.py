"""Finding the files of a data set that can't be used, before a training of hours comes across them."""

from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from hrnet_keras.datasets.reading import DataError, read_image

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
    the set. A picture that is cut short shows by its missing end; one with damage in its middle does not.

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
    """Width and height by the header; a JPEG or PNG that lacks its end is decoded to see whether it is usable."""
    try:
        with Image.open(file) as picture:
            size, kind = picture.size, picture.format
        with file.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(stream.tell() - TAIL, 0))
            tail = stream.read()
    except FileNotFoundError:
        raise DataError(f"{file}: no such file") from None
    except Exception as error:  # Pillow raises many kinds
        raise DataError(f"{file}: cannot be read as a picture ({error})") from error
    mark = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}.get(kind, b"")
    if mark not in tail:
        read_image(file)
    return size

"""Pictures and label maps from files, and the error that names a bad one."""

import numpy as np
from PIL import Image


class DataError(ValueError):
    """A file of a data set that cannot be used; the message names the file, what is wrong and what was expected."""


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

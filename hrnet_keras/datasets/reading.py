"""Pictures and label maps from files, known by what they hold and not by their names; the error that names a bad one.

Whoever opens a picture does it here: training from files and from memory, checks, scores, predictions. So a picture is
read the same way by all of them, or refused by all of them, by name.
"""

import contextlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import numpy as np
from PIL import Image

# A number of 16 bits below this one uses 14 bits or fewer: then it comes from a camera of 10, 12 or 14 bits, whose
# white nobody states, and its upper eight bits would show an all but black picture.
LEAST_WHITE = 2**14
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF 6.0
HEIC = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1")  # bytes 4 to 11 of such a file
PLAIN_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
REMEDY = "save it with 8 bits per channel (for example as PNG)"


FilePath = str | PathLike[str]


class ImageFile(Protocol):
    """A path, or a file inside shards (`datasets.prepared.shards.Stored`) in the place of one."""

    def read_bytes(self) -> bytes: ...

    def open(self, mode: Literal["rb"]) -> IO[bytes]: ...


class DataError(ValueError):
    """A file of a data set that cannot be used; the message names the file, what is wrong and what was expected."""


def read_image(file: Any) -> np.ndarray:
    """Reads a picture as uint8 RGB `(height, width, 3)`; of a moving one the first frame.

    Whatever Pillow opens is read, whatever its name ends in: JPEG, PNG, BMP, GIF, WebP, TIFF and more. Grey, palette,
    1-bit and CMYK pictures become RGB; transparency is dropped. Of 16 bits the upper eight are kept, and of the 10 to
    15 bits that a TIFF may state likewise. The orientation in EXIF data is ignored: label maps and boxes are drawn on
    the pixels as stored.

    Args:
        file: path, or an object with `read()` (`datasets.prepared.shards.Stored`).

    Raises:
        DataError: the file is missing, unreadable, cut short or larger than Pillow's limit
            (`PIL.Image.MAX_IMAGE_PIXELS`); or nobody states what is white in it: floats, 32-bit numbers, or 16 bits of
            which the highest two are never used.
    """
    with opened(file) as picture:
        is_deep = has_deep_colour(picture)
        if picture.mode.startswith("I"):
            return np.repeat(_eight_bits(picture, file)[..., None], 3, axis=2)
        if picture.mode == "F":
            raise DataError(f"{file}: holds floating-point numbers, of which nobody states what is white: {REMEDY}")
        straight = {"RGBa": "RGBA", "La": "LA"}.get(picture.mode)  # colours multiplied by their opacity
        image = np.array((picture.convert(straight) if straight else picture).convert("RGB"))
        if is_deep and image.max(initial=0) < LEAST_WHITE >> 8:
            _check_white(_deepest(file), file)
        return image


def read_label_map(file: Any) -> np.ndarray:
    """Reads a label map, grey or palette, as the uint8 ids `(height, width)` that the file stores.

    Raises:
        DataError: the file is missing, unreadable, cut short, a colour picture, or a JPEG, which does not keep ids.
    """
    with opened(file) as picture:
        kind = picture.format
        mode = picture.mode
        ids = np.array(picture)
    if kind in ("JPEG", "MPO"):
        raise DataError(f"{file}: is a JPEG, which smears class ids: save label maps as PNG")
    if ids.ndim != 2 or ids.dtype.kind not in "uib":
        raise DataError(f"{file}: a picture of mode {mode}: expected class ids in one channel (grey or palette)")
    if ids.size and (ids.max() > 255 or ids.min() < 0):
        raise DataError(f"{file}: holds class id {ids.max() if ids.max() > 255 else ids.min()}: expected 0..255")
    return ids.astype(np.uint8)


def image_size(file: Any) -> tuple[int, int]:
    """`(height, width)` of a picture by its header; raises `DataError` as `read_image` does."""
    with opened(file) as picture:
        return picture.height, picture.width


@contextlib.contextmanager
def opened(file: Any) -> Iterator[Image.Image]:
    """A `PIL.Image.Image` of a file; whatever goes wrong with it while it is open is a `DataError` that names it."""
    try:
        with Image.open(file) as picture:
            yield picture
    except (DataError, MemoryError):  # a shortage of memory is no fault of the file
        raise
    except FileNotFoundError:
        raise DataError(f"{file}: no such file") from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(f"{file}: has more than {limit:,} pixels: cut it into parts or make it smaller") from None
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error and more
        if _is_heic(file):
            raise DataError(f"{file}: is a HEIC picture, which is not read here: save it as JPEG or PNG") from error
        raise DataError(f"{file}: cannot be read as a picture ({error})") from error


def has_deep_colour(picture: Any) -> bool:
    """Whether a picture, opened and not yet decoded, stores its colours with 16 bits, of which Pillow keeps 8."""
    if picture.mode.startswith("I") or not picture.tile:
        return False
    if picture.format == "TIFF":
        return max(picture.tag_v2.get(BITS_PER_SAMPLE, (1,))) > 8
    # The argument of the decoder, such as "RGB;16B" of a PNG.
    stored_as = picture.tile[0][3]
    return picture.format == "PNG" and ";16" in str(stored_as)


def is_plain(picture: Image.Image) -> bool:
    """Whether a picture, opened and not yet decoded, has 8 bits per channel or fewer, of grey or red, green, blue."""
    return picture.mode in PLAIN_MODES and not has_deep_colour(picture)


def _eight_bits(picture, file):
    """Grey values of more than 8 bits as uint8 `(height, width)`."""
    bits = _stated_bits(picture)
    if bits is None:
        raise DataError(
            f"{file}: holds whole numbers of 32 bits or with a sign, of which nobody states what is white: {REMEDY}"
        )
    # WhiteIsZero of TIFF 6.0; Pillow undoes it for 8 bits alone.
    is_inverted = picture.format == "TIFF" and picture.tag_v2.get(PHOTOMETRIC) == 0  # 0 is white
    values = np.asarray(picture).astype(np.int64)
    if bits == 16:
        _check_white(values, file)
    values = values >> (bits - 8)
    return (255 - values if is_inverted else values).clip(0, 255).astype(np.uint8)


def _stated_bits(picture):
    """Bits per number of a grey picture of mode I or I;16; `None` where its file does not state what is white."""
    if picture.format in ("PNG", "PPM", "JPEG2000"):  # Pillow widens the last two to 16
        return 16
    if picture.format != "TIFF" or picture.tag_v2.get(SAMPLE_FORMAT, (1,))[0] != 1:
        return None
    bits = picture.tag_v2.get(BITS_PER_SAMPLE, (1,))[0]
    return bits if 8 <= bits <= 16 else None


def _check_white(values, file):
    """Raises `DataError` where the values of a 16-bit picture use 14 bits or fewer; one that is black all over may."""
    highest = int(values.max(initial=0))
    if 0 < highest < LEAST_WHITE:
        raise DataError(
            f"{file}: holds values up to {highest} in 16 bits and would be all but black: stretch them to 0..65535, or "
            f"{REMEDY}"
        )


def _deepest(file):
    """The colours of a 16-bit picture in all their bits, uint16."""
    import cv2

    contents = file.read() if hasattr(file, "read") else Path(file).read_bytes()
    colours = cv2.imdecode(np.frombuffer(contents, np.uint8), cv2.IMREAD_UNCHANGED)
    return colours[..., :3]  # without opacity


def _is_heic(file):
    try:
        with open(file, "rb") as stream:
            return stream.read(12)[4:] in HEIC
    except (OSError, TypeError):  # TypeError: no path
        return False

"""The graph's reading of Exif data and its turning, against Pillow's reading and `upright`."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_keras.transforms import orientation, upright

SIZE = (5, 8)
PIXELS = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
READ = tf.function(orientation.orientation_and_size, input_signature=[tf.TensorSpec((), tf.string)])


def encoded(exif=None, kind="JPEG"):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind, **({} if exif is None else {"exif": exif}))
    return file.getvalue()


def exif_bytes(number, big=False):
    """Exif data with tags of a camera around the orientation; Pillow writes either order of bytes."""
    exif = Image.Exif()
    exif.endian = ">" if big else "<"
    exif[0x010F], exif[upright.TAG], exif[0x0132] = "A maker of cameras", number, "2026:01:02 03:04:05"
    return exif.tobytes()


def directory(*entries, big=False, first=8, count=None):
    """Exif data by hand: entries are (tag, type, count, four bytes)."""
    order = ">" if big else "<"
    body = b"".join(struct.pack(f"{order}HHI4s", *entry) for entry in entries)
    head = (b"MM" if big else b"II") + struct.pack(f"{order}HI", 42, first)
    filling = b"\0" * (first - 8)
    count = len(entries) if count is None else count
    return b"Exif\0\0" + head + filling + struct.pack(f"{order}H", count) + body + b"\0\0\0\0"


def pillows(contents):
    return upright.orientation_of(io.BytesIO(contents))


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_all_orientations_are_read_as_pillow_reads_them(number, big, kind):
    contents = encoded(exif_bytes(number, big), kind)
    assert (b"MM\0*" if big else b"II*\0") in contents
    found, size = READ(contents)
    assert found == number == pillows(contents)
    assert tuple(size.numpy()) == SIZE


def with_thumbnail():
    """A second directory, of the thumbnail, says 3; the first says 6."""
    first = directory((upright.TAG, 3, 1, b"\x06\0\0\0"))[:-4] + struct.pack("<I", 8 + 2 + 12 + 4)
    return first + struct.pack("<HHHI4sI", 1, upright.TAG, 3, 1, b"\x03\0\0\0", 0)


def thumbnail_alone():
    """Only the second directory has an orientation."""
    first = directory((0x0103, 3, 1, b"\x06\0\0\0"))[:-4] + struct.pack("<I", 8 + 2 + 12 + 4)
    return first + struct.pack("<HHHI4sI", 1, upright.TAG, 3, 1, b"\x03\0\0\0", 0)


SIX = (upright.TAG, 3, 1, b"\x06\0\0\0")
WHOLE = exif_bytes(6)
EXIFS = {
    "thumbnail": (with_thumbnail(), 6),
    "thumbnail alone": (thumbnail_alone(), 1),
    "nine": (exif_bytes(9), 1),
    "nought": (exif_bytes(0), 1),
    "four bytes": (directory((upright.TAG, 4, 1, b"\0\0\0\x08"), big=True), 8),
    "text": (directory((upright.TAG, 2, 2, b"6\0\0\0")), 1),
    "a type that is none": (directory((upright.TAG, 77, 1, b"\x06\0\0\0")), 1),
    "no value": (directory((upright.TAG, 3, 0, b"\x06\0\0\0")), 1),
    "twice": (directory(SIX, (upright.TAG, 3, 1, b"\x03\0\0\0")), 6),
    "far directory": (directory(SIX, first=900), 6),
    "directory beyond the end": (directory(SIX)[:10] + b"\xff\xff\xff\xff" + directory(SIX)[14:], 1),
    "more entries than there are": (directory(SIX, count=60000), 6),
    "value beyond the end, after it": (directory(SIX, (0x0132, 2, 20, b"\0\0\1\0")), 6),
    "no TIFF": (b"Exif\0\0XX" + directory(SIX)[8:], 1),
    "head alone": (WHOLE[:14], 1),
    "nothing": (b"Exif\0\0", 1),
    "cut in the entry": (directory(SIX)[:20], 1),
    "cut in the values": (WHOLE[: WHOLE.index(b"A maker") + 3], 1),
    "none": (None, 1),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # Pillow's, about damaged data
@pytest.mark.parametrize("name", EXIFS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_odd_and_broken_exif_data_mean_what_pillow_makes_of_them(name, kind):
    exif, expected = EXIFS[name]
    contents = encoded(exif, kind)
    assert READ(contents)[0] == expected == pillows(contents)


def test_segments_and_chunks_around_it_are_passed_over():
    jpeg = encoded(exif_bytes(8, big=True))
    odd = b"\xff\xe1\x00\x0bExif\0\1\0x" + b"\xff\xff\xff\xfe\x00\x07\xff\xe1Exi"
    assert READ(jpeg[:2] + odd + jpeg[2:])[0] == 8 == pillows(jpeg[:2] + odd + jpeg[2:])
    png, block = encoded(kind="PNG"), b"eXIf" + exif_bytes(5)[6:]
    late = png[:-12] + struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block)) + png[-12:]
    assert READ(late)[0] == 5 == pillows(late)


def test_bytes_that_are_no_whole_picture_raise_nothing():
    whole = {kind: encoded(exif_bytes(6), kind) for kind in ("JPEG", "PNG", "WEBP")}
    for contents in whole.values():
        for end in {0, 1, 2, 3, 4, 5, 11, 13, 20, 21, 30, 31, 40, 60, 100, len(contents) - 1}:
            assert READ(contents[:end])[0] in (1, 6)
    for contents in (b"no picture", b"GIF89a", b"\xff\xd8\xff", b"\xff\xd8\xff" * 30, b"\xff\xd8\xff\xe1\0\0" * 30):
        assert READ(contents)[0] == 1


@pytest.mark.parametrize("number", range(1, 9))
def test_pictures_maps_points_and_boxes_turn_as_upright_turns_them(number):
    maps, turn = np.arange(80, dtype=np.int32).reshape(2, *SIZE), tf.constant(number)
    stood = orientation.turned(tf.constant(PIXELS), turn)
    np.testing.assert_array_equal(stood, upright.turned(PIXELS, number))
    np.testing.assert_array_equal(orientation.turned_back(stood, turn), PIXELS)
    back = orientation.turned_back(orientation.turned(tf.constant(maps), turn, axis=1), turn, axis=1)
    np.testing.assert_array_equal(back, maps)

    points = np.random.default_rng(1).random((3, 2, 2)) * 9
    boxes = np.concatenate([points.min(1), points.max(1)], axis=1)
    for turns, sizes in ((turn, tf.constant(SIZE)), (tf.fill([3], turn), tf.constant([SIZE] * 3))):
        found = orientation.turned_points(points, turns, sizes)
        np.testing.assert_allclose(found, upright.turned_points(points, number, SIZE))
        np.testing.assert_allclose(orientation.points_turned_back(found, turns, sizes), points)
        found = orientation.turned_boxes(boxes, turns, sizes)
        np.testing.assert_allclose(found, upright.turned_boxes(boxes, number, SIZE))
    assert tuple(orientation.turned_size(tf.constant(SIZE), turn)) == stood.shape[:2]

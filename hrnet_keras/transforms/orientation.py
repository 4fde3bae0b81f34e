"""Photographs that are stored turned, inside a TensorFlow graph: what `upright` does, for the graph of a SavedModel.

Sources: JPEG segments, ITU-T T.81, annex B; Exif's place in them and its directory of tags, CIPA DC-008, sections 4.5
and 4.6; PNG chunks and `eXIf`, W3C PNG third edition, section 11; WebP chunks, RFC 9649, section 2.7.
"""

import numpy as np
import tensorflow as tf

from hrnet_keras.transforms.upright import BACK, STORED, TAG, TURNS

_EXIF = b"Exif\0\0"  # stands before the directory in JPEG files, and by mistake in some others
_SEGMENTS = 10_000  # that are looked at: nobody's file keeps a server busy for long
_WHOLE_NUMBERS = (3, 4, 8, 9)  # types of an entry: two and four bytes, without and with a sign
# Bytes that one value of a type takes; 0: there is no such type.
_UNITS = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8)


def orientation_and_size(contents):
    """How the pixels of a picture file have to be turned to be upright, as `upright.orientation_of` says it.

    Args:
        contents: scalar string, a file. Broken Exif data, and bytes that are no picture, raise nothing.

    Returns:
        int32 scalar 1..8, which is 1 where a file says nothing of use or is no JPEG, PNG or WebP; and int32 `(2,)`,
        height and width of the stored picture from its header: to be relied on where the scalar is not 1.
    """
    with tf.device("/CPU:0"):  # where the bytes are
        place, size = tf.cond(
            tf.io.is_jpeg(contents), lambda: _walk(contents, _jpeg_part, 2), lambda: _of_chunks(contents)
        )
        orientation = tf.cond(place[1] > 0, lambda: _of_exif(contents, place[0], place[1]), lambda: STORED)
        return orientation, tf.cast(size, tf.int32)


def turned(values, orientation, axis=0):
    """Pictures or maps turned: from stored to upright pixels.

    Args:
        values: `(..., height, width, ...)`, any type.
        orientation: int32 scalar, 1..8.
        axis: that of the height; the width is the next.
    """

    def turn(number):
        swap, flip_rows, flip_columns = TURNS[number]
        order = list(range(values.shape.rank))
        order[axis], order[axis + 1] = order[axis + 1], order[axis]
        result = tf.transpose(values, order) if swap else values
        flipped = [axis] * flip_rows + [axis + 1] * flip_columns
        return tf.reverse(result, flipped) if flipped else result

    result = tf.switch_case(orientation - 1, [lambda number=number: turn(number) for number in sorted(TURNS)])
    any_size = [None if at in (axis, axis + 1) else side for at, side in enumerate(values.shape)]
    return tf.ensure_shape(result, any_size)


def turned_back(values, orientation, axis=0):
    """As `turned`, from upright to stored pixels."""
    return turned(values, _back(orientation), axis)


def turned_size(size, orientation):
    """Height and width `(..., 2)` of upright pictures, from those of stored ones; orientations int32 `(...,)`."""
    return tf.where(_of_each(orientation, 0)[..., None], tf.reverse(size, [-1]), size)


def turned_points(points, orientation, size):
    """Points `(n, k, 2)` as (x, y), whole numbers at the middles of pixels: from stored to upright pixels.

    Args:
        points: float.
        orientation: int32 scalar, or `(n,)`.
        size: int32 `(2,)` or `(n, 2)`, height and width of the stored pictures.
    """
    return _turned_xy(points, orientation, size, last=1)


def points_turned_back(points, orientation, size):
    """As `turned_points`, from upright to stored pixels; `size` is that of the stored pictures, too."""
    return _turned_xy(points, _back(orientation), turned_size(size, orientation), last=1)


def turned_boxes(boxes, orientation, size):
    """Boxes `(n, 4)` xyxy, whole numbers at the edges of pixels; the rest as for `turned_points`."""
    corners = _turned_xy(tf.reshape(boxes, (-1, 2, 2)), orientation, size, last=0)
    return tf.concat([tf.reduce_min(corners, axis=1), tf.reduce_max(corners, axis=1)], axis=1)


def boxes_turned_back(boxes, orientation, size):
    """As `turned_boxes`, from upright to stored pixels; `size` is that of the stored pictures, too."""
    return turned_boxes(boxes, _back(orientation), turned_size(size, orientation))


def _turned_xy(points, orientation, size, last):
    """`last`: by how much the largest coordinate is less than the number of pixels."""
    swap, flip_rows, flip_columns = (_of_each(orientation, which)[..., None] for which in range(3))
    size = turned_size(size, orientation)
    points = tf.where(swap[..., None], tf.reverse(points, [-1]), points)
    flips = tf.concat([flip_columns, flip_rows], axis=-1)[..., None, :]
    ends = tf.cast(tf.reverse(size, [-1]) - last, points.dtype)[..., None, :]
    return tf.where(flips, ends - points, points)


def _of_each(orientation, which):
    """One of the three parts of `upright.TURNS`, of every orientation."""
    return tf.gather(tf.constant([False] + [TURNS[number][which] for number in sorted(TURNS)]), orientation)


def _back(orientation):
    return tf.gather(tf.constant([STORED] + [BACK[number] for number in sorted(BACK)]), orientation)


def _of_chunks(contents):
    """Place of the Exif data and size, of a PNG or WebP file; of any other file none."""
    head = _bytes(contents, 0, 12)
    is_png = _is(head[:8], b"\x89PNG\r\n\x1a\n")
    is_webp = _is(head[:4], b"RIFF") & _is(head[8:], b"WEBP")
    nowhere = _length(contents)
    return tf.cond(
        is_webp,
        lambda: _walk(contents, _webp_part, 12),
        lambda: _walk(contents, _png_part, tf.where(is_png, tf.constant(8, tf.int64), nowhere)),
    )


def _walk(contents, part, at):
    """Goes through the parts of a file up to its pixels.

    Args:
        contents: the file.
        part: where a part begins -> where the next one begins; where its Exif data begin and end, `(2,)`, else zeros;
            height and width of the picture where it says so, else zeros. All are int64.
        at: where the first part begins.
    """
    length = _length(contents)
    none = tf.zeros((2,), tf.int64)

    def is_going_on(at, place, size):
        return (at < length) & ((place[1] == 0) | (size[0] == 0))

    def step(at, place, size):
        at, new_place, new_size = part(contents, at)
        return at, tf.where(place[1] > 0, place, new_place), tf.where(size[0] > 0, size, new_size)

    start = (tf.cast(at, tf.int64), none, none)
    _, place, size = tf.while_loop(is_going_on, step, start, maximum_iterations=_SEGMENTS)
    return tf.minimum(place, length), size


def _jpeg_part(contents, at):
    """A segment: 0xFF, a code, two bytes of its length (these two included), its data."""
    head = _bytes(contents, at, 10)
    code = head[1]
    size = _number(head[2:4])
    is_marker = head[0] == 0xFF
    is_alone = (code <= 1) | ((code >= 0xD0) & (code <= 0xD8))  # has no length
    is_last = (code == 0xD9) | (code == 0xDA)  # after it come the pixels
    after = tf.where(is_alone, at + 2, tf.where(is_last, _length(contents), at + 2 + size))
    # Where there is no marker, on to the next byte: junk, or one of several 0xFF.
    after = tf.where(is_marker & (code != 0xFF), after, at + 1)
    is_exif = is_marker & (code == 0xE1) & _is(head[4:], _EXIF)
    is_frame = is_marker & (code >= 0xC0) & (code <= 0xCF) & (code != 0xC4) & (code != 0xC8) & (code != 0xCC)
    return after, _where(is_exif, at + 10, after), _where(is_frame, _number(head[5:7]), _number(head[7:9]))


def _png_part(contents, at):
    """A chunk: four bytes of its length, four of its name, its data, four of a check sum."""
    head = _bytes(contents, at, 16)
    begin = at + 8
    end = at + 8 + _number(head[:4])
    place = _where(_is(head[4:8], b"eXIf"), begin, end)
    return end + 4, place, _where(_is(head[4:8], b"IHDR"), _number(head[12:16]), _number(head[8:12]))


def _webp_part(contents, at):
    """A chunk: four bytes of its name, four of its length, its data, a byte more where the length is odd."""
    head = _bytes(contents, at, 18)
    size = _number(head[4:8], False)
    begin = at + 8
    end = at + 8 + size
    sides = 1 + _number(head[15:18], False), 1 + _number(head[12:15], False)
    place = _where(_is(head[:4], b"EXIF"), begin, end)
    is_extended = _is(head[:4], b"VP8X")
    return end + size % 2, place, _where(is_extended, *sides)


def _of_exif(contents, begin, end):
    """The orientation that Exif data between two places of a file say: a TIFF file of which the first directory counts.

    As Pillow does, of two entries the first one counts, and none after one whose value is not in the data.
    """
    begin = tf.where(_is(_bytes(contents, begin, 6), _EXIF), begin + 6, begin)
    head = _bytes(contents, begin, 8)
    is_big = head[0] == ord("M")  # the big end of numbers comes first
    is_tiff = (is_big | (head[0] == ord("I"))) & (head[0] == head[1]) & (_number(head[2:4], is_big) == 42)

    first = tf.minimum(begin + _number(head[4:8], is_big), end)
    count = _number(_bytes(contents, first, 2), is_big)
    count = tf.clip_by_value(count, 0, tf.maximum((end - first - 2) // 12, 0))
    entries = tf.io.decode_raw(_cut(contents, first + 2, 12 * count), tf.uint8)
    entries = tf.cast(tf.reshape(entries, (-1, 12)), tf.int64)
    tags = _number(entries[:, :2], is_big)
    types = _number(entries[:, 2:4], is_big)
    counts = _number(entries[:, 4:8], is_big)
    offsets = _number(entries[:, 8:], is_big)

    units = tf.gather(tf.constant(_UNITS, tf.int64), tf.where(types < len(_UNITS), types, tf.zeros_like(types)))
    is_lost = (counts * units > 4) & (offsets + counts * units > end - begin)
    is_there = tf.cumsum(tf.cast(is_lost, tf.int32)) == 0
    is_number = tf.reduce_any(types[:, None] == tf.constant(_WHOLE_NUMBERS, tf.int64), axis=1)
    is_it = is_tiff & is_there & is_number & (tags == TAG) & (counts == 1)
    values = tf.where(units == 2, _number(entries[:, 8:10], is_big), offsets)
    value = tf.concat([tf.boolean_mask(values, is_it), tf.constant([STORED], tf.int64)], axis=0)[0]
    return tf.cast(tf.where((value >= 1) & (value <= 8), value, tf.ones_like(value)), tf.int32)


def _bytes(contents, at, count):
    """Bytes of a file as int64 `(count,)`, zeros beyond its end; `count` is a number of Python's."""
    values = tf.io.decode_raw(_cut(contents, at, count), tf.uint8, fixed_length=count)
    return tf.cast(tf.ensure_shape(values, (count,)), tf.int64)


def _cut(contents, at, count):
    at = tf.cast(at, tf.int64)
    return tf.strings.substr(contents, tf.minimum(at, _length(contents)), tf.cast(count, tf.int64))


def _length(contents):
    return tf.cast(tf.strings.length(contents), tf.int64)


def _number(values, is_big=True):
    """The whole number that bytes int64 `(..., count)` make; `is_big`: the big end comes first."""
    weights = np.array([256**place for place in range(values.shape[-1])], np.int64)
    if is_big is True or is_big is False:
        return tf.reduce_sum(values * (weights[::-1] if is_big else weights), axis=-1)
    return tf.reduce_sum(values * tf.where(is_big, weights[::-1], weights), axis=-1)


def _is(values, text):
    return tf.reduce_all(values == np.array(list(text), np.int64))


def _where(is_there, *numbers):
    numbers = tf.stack(numbers)
    return tf.where(is_there, numbers, tf.zeros_like(numbers))

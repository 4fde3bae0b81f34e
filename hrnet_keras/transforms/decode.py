"""From files to pixels: decoding, a window only where that saves work, and the memory that keeps what was decoded."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

CACHE_LIMIT = 1_000_000_000  # bytes of decoded pictures and label maps that are kept in memory unasked

# Bit-exact with Pillow's and OpenCV's decoder; TensorFlow's default is 15 % faster and up to 7 grey levels off.
_DCT = "INTEGER_ACCURATE"

# Columns decoded beside a JPEG window: its colour is interpolated between neighbours, which the window's edge lacks.
_MARGIN = 2


def picture_size(contents):
    """Height and width, int32 `(2,)`, of a JPEG or PNG from its header; `contents` is a scalar string of the file."""

    def of_png():
        # Bytes 16..23 hold width and height, the big end first (PNG specification, IHDR).
        return tf.reverse(tf.io.decode_raw(tf.strings.substr(contents, 16, 8), tf.int32, little_endian=False), [0])

    return tf.cond(tf.io.is_jpeg(contents), lambda: tf.io.extract_jpeg_shape(contents)[:2], of_png)


def decode_window(contents, size, begin, end):
    """The pixels of a window of a JPEG or PNG.

    Args:
        contents: scalar string, the file.
        size: int32 `(2,)`, height and width of the picture (`picture_size`).
        begin, end: int32 `(2,)`, first row and column of the window, and the ones after the last.

    Returns:
        uint8 `(rows, columns, 3)`, RGB, the same to the last bit as those of the whole picture.
    """

    def of_jpeg():
        # Measured at 480x360 and 2048x1024: never slower than decoding the whole, twice as fast for half of each side.
        left = tf.maximum(begin[1] - _MARGIN, 0)
        right = tf.minimum(end[1] + _MARGIN, size[1])
        window = tf.stack([begin[0], left, end[0] - begin[0], right - left])
        pixels = tf.io.decode_and_crop_jpeg(contents, window, channels=3, dct_method=_DCT)
        return pixels[:, begin[1] - left : end[1] - left]

    def of_png():  # has no way to skip pixels
        return tf.io.decode_png(contents, channels=3)[begin[0] : end[0], begin[1] : end[1]]

    return tf.ensure_shape(tf.cond(tf.io.is_jpeg(contents), of_jpeg, of_png), (None, None, 3))


def decode_bytes(contents):
    """A whole picture from the bytes of a JPEG, PNG, BMP or GIF (its first frame), in graph mode.

    Args:
        contents: scalar string. A BMP must have 8 (grey), 24 or 32 bits per pixel: the colours of one with a palette
            are not looked up.

    Returns:
        uint8 `(height, width, 3)`, RGB, transparency dropped, pixels as stored (`orientation` turns them).
    """
    pixels = tf.cond(
        tf.io.is_jpeg(contents),
        lambda: tf.io.decode_jpeg(contents, channels=3, dct_method=_DCT),
        lambda: tf.io.decode_image(contents, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(pixels, (None, None, 3))


def decode_or_black(contents):
    """A picture from its bytes, as `decode_bytes`, or one black pixel where they are none: for served batches.

    TensorFlow's decoders raise, and that would end the requests of everybody in a batch. A data set that ignores its
    errors is the one way to go on inside a graph, and part of every TensorFlow (Serving, too).

    Args:
        contents: scalar string.

    Returns:
        uint8 `(height, width, 3)`, and whether the bytes could be decoded, a bool scalar.
    """
    black = (tf.zeros((1, 1, 3), tf.uint8), False)
    tried = tf.data.Dataset.from_tensors(contents).map(lambda data: (decode_bytes(data), True))
    found = tried.ignore_errors(log_warning=False).concatenate(tf.data.Dataset.from_tensors(black))
    picture, is_read = found.take(1).get_single_element()
    return tf.ensure_shape(picture, (None, None, 3)), is_read


def open_source(dataset, cache=None):
    """The way to the pixels of a data set inside `tf.data`.

    Args:
        dataset: with `image_files` (paths or files in shards, see `datasets.prepared`; `()` where drawn), `as_stored`,
            `image(i)`, `image_size(i)`, `label_map(i)` and `example(i)`.
        cache: True: decoded once, here, and kept in memory; False: read again each time; None: in memory where the
            whole set takes less than `CACHE_LIMIT` bytes.

    Returns:
        A function of the index (int32 scalar) that gives the size of the picture (int32 `(2,)`), a function
        `(begin, end) -> uint8 (rows, columns, 3)` that reads a window of it, and its label map, uint8
        `(height, width)`. Pixels are the same whichever way they come.

    Raises:
        ValueError: a file is broken (`DataError`, names it); seen here only where the set is kept in memory.
    """
    if cache or (cache is None and _decoded_bytes(dataset) < CACHE_LIMIT):
        return _from_memory(dataset)
    if dataset.image_files and dataset.as_stored:
        return _from_shards(dataset) if hasattr(dataset.image_files[0], "read") else _from_files(dataset)
    return _from_examples(dataset)


def _decoded_bytes(dataset):
    """Bytes of all pictures and label maps, from the headers of the files; stops counting at the limit."""
    if not dataset.image_files:
        return len(dataset) * 4 * dataset.example(0)["label_map"].size
    total = 0
    for i in range(len(dataset)):
        height, width = dataset.image_size(i)
        total += 4 * height * width
        if total >= CACHE_LIMIT:
            break
    return total


def _from_memory(dataset):
    """All examples behind one another in two flat tensors, so that pictures of any sizes are found by their offset."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pairs = list(pool.map(lambda i: _image_and_labels(dataset, i), range(len(dataset))))
    images, label_maps = [image for image, _ in pairs], [label_map for _, label_map in pairs]
    shapes = np.array([label_map.shape for label_map in label_maps], np.int32)
    with tf.device("/CPU:0"):
        sizes = tf.constant(shapes)
        offsets = tf.constant(np.cumsum([0, *shapes.prod(axis=1, dtype=np.int64)[:-1]]), tf.int64)
        pixels, ids = _flatten(images), _flatten(label_maps)

    def read(index):
        size, offset = sizes[index], offsets[index]
        height, width = size[0], size[1]
        label_map = tf.reshape(tf.slice(ids, [offset], [tf.cast(height * width, tf.int64)]), [height, width])

        def read_window(begin, end):
            rows = end[0] - begin[0]
            start = 3 * (offset + tf.cast(begin[0] * width, tf.int64))
            band = tf.slice(pixels, [start], [tf.cast(3 * rows * width, tf.int64)])
            return tf.reshape(band, [rows, width, 3])[:, begin[1] : end[1]]

        return size, read_window, label_map

    return read


def _flatten(arrays):
    """One tensor of all; empties the list, so that the set is not in memory three times."""
    flat = np.concatenate([array.ravel() for array in arrays])
    arrays.clear()
    return tf.constant(flat)


def _from_files(dataset):
    """Pictures decoded in the graph; label maps by Pillow, as TensorFlow turns palette indices into colours."""
    files = tf.constant([str(file) for file in dataset.image_files])

    def read(index):
        label_map = tf.numpy_function(lambda i: dataset.label_map(int(i)), [index], tf.uint8, stateful=False)
        return _decoded_later(dataset, index, tf.io.read_file(files[index]), label_map)

    return read


def _from_shards(dataset):
    """As from files, but the bytes of the picture come from a prepared shard, with its label map in one go."""

    def read(index):
        contents, label_map = tf.numpy_function(
            lambda i: (dataset.image_files[int(i)].read(), dataset.label_map(int(i))),
            [index],
            (tf.string, tf.uint8),
            stateful=False,
        )
        return _decoded_later(dataset, index, tf.ensure_shape(contents, ()), label_map)

    return read


def _decoded_later(dataset, index, contents, label_map):
    """What `open_source` promises, of a picture's bytes: only the window that is asked for is decoded.

    What the graph would not decode as `dataset.image` does is decoded by that, whole: another format, whatever the
    name of the file, inks, or 16 bits per channel.
    """
    label_map = tf.ensure_shape(label_map, (None, None))
    is_plain = decodes_alike(contents)

    def by_pillow():
        found = tf.numpy_function(lambda i: dataset.image(int(i)), [index], tf.uint8, stateful=False)
        return tf.ensure_shape(found, (None, None, 3))

    whole = tf.cond(is_plain, lambda: tf.zeros((0, 0, 3), tf.uint8), by_pillow)
    size = tf.cond(is_plain, lambda: picture_size(contents), lambda: tf.shape(whole)[:2])

    def read_window(begin, end):
        window = tf.cond(
            is_plain,
            lambda: decode_window(contents, size, begin, end),
            lambda: whole[begin[0] : end[0], begin[1] : end[1]],
        )
        return tf.ensure_shape(window, (None, None, 3))

    return size, read_window, label_map


def decodes_alike(contents):
    """Whether the graph decodes a file as `datasets.read_image` does: a JPEG but one of inks (CMYK, which
    comes out a level darker here and there), or a PNG of at most 8 bits per channel.

    Args:
        contents: scalar string, the file.

    Returns:
        Scalar bool.
    """
    is_png = tf.equal(tf.strings.substr(contents, 0, 8), b"\x89PNG\r\n\x1a\n")

    def is_shallow():
        # Byte 24 holds the bits per channel (PNG specification, IHDR).
        return tf.strings.length(contents) > 24 and tf.strings.substr(contents, 24, 1) != b"\x10"

    return tf.cond(
        tf.io.is_jpeg(contents),
        lambda: tf.io.extract_jpeg_shape(contents)[2] != 4,
        lambda: tf.cond(is_png, is_shallow, lambda: tf.constant(False)),
    )


def _from_examples(dataset):
    """What only `dataset.example` can make: drawn sets, and pictures that are resized as they are read."""

    def read(index):
        image, label_map = tf.numpy_function(
            lambda i: _image_and_labels(dataset, int(i)), [index], (tf.uint8, tf.uint8), stateful=False
        )
        image, label_map = tf.ensure_shape(image, (None, None, 3)), tf.ensure_shape(label_map, (None, None))
        return tf.shape(label_map), lambda begin, end: image[begin[0] : end[0], begin[1] : end[1]], label_map

    return read


def _image_and_labels(dataset, i):
    example = dataset.example(i)
    return example["image"], example["label_map"]

"""Decoded pixels against Pillow, which has a decoder of its own."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.transforms import decode
from tests import streets

DEEP = np.linspace(0, 65535, 147 * 171).astype(np.uint16).reshape(147, 171)
SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)).resize((171, 147))


def encode(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


FILES = {
    "jpeg": encode(SMOOTH, "JPEG"),
    "jpeg, progressive": encode(SMOOTH, "JPEG", progressive=True),
    "jpeg, grey": encode(SMOOTH.convert("L"), "JPEG"),
    "jpeg, no subsampling": encode(SMOOTH, "JPEG", subsampling=0),
    "png": encode(SMOOTH, "PNG"),
    "png, palette": encode(SMOOTH.convert("P"), "PNG"),
    "png, grey": encode(SMOOTH.convert("L"), "PNG"),
    "png, transparent": encode(SMOOTH.convert("RGBA"), "PNG"),
}


def pillows(contents):
    return np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(("begin", "end"), [((0, 0), (147, 171)), ((5, 7), (60, 71)), ((80, 33), (147, 120))])
def test_window_holds_the_pixels_of_the_whole(kind, begin, end):
    contents = FILES[kind]
    size = decode.picture_size(tf.constant(contents))
    assert size.numpy().tolist() == [147, 171]
    pixels = decode.decode_window(tf.constant(contents), size, tf.constant(begin), tf.constant(end))
    np.testing.assert_array_equal(pixels, pillows(contents)[begin[0] : end[0], begin[1] : end[1]])


def test_sixteen_bits_keep_the_upper_eight():
    deep = np.random.default_rng(0).integers(0, 65536, (21, 34)).astype(np.uint16)
    contents = tf.constant(encode(Image.fromarray(deep), "PNG"))
    pixels = decode.decode_window(contents, decode.picture_size(contents), tf.constant((0, 0)), tf.constant((21, 34)))
    np.testing.assert_array_equal(pixels[..., 1], deep >> 8)


@pytest.mark.parametrize("kind", [*FILES, "bmp", "gif"])
def test_bytes_of_a_whole_picture(kind):
    contents = FILES.get(kind) or encode(SMOOTH, kind.upper())
    pixels = tf.function(decode.decode_bytes)(tf.constant(contents))
    np.testing.assert_array_equal(pixels, pillows(contents))


def test_first_frame_of_a_moving_gif():
    frames = [SMOOTH, SMOOTH.rotate(180)]
    contents = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode.decode_bytes(tf.constant(contents)), pillows(contents))


CMYK = Image.frombytes("CMYK", (171, 147), np.random.default_rng(1).integers(0, 256, 147 * 171 * 4, np.uint8).tobytes())
OTHERS = {
    "webp": encode(SMOOTH, "WEBP", lossless=True), "gif": encode(SMOOTH.convert("P"), "GIF"),
    "tiff": encode(SMOOTH, "TIFF"), "bmp": encode(SMOOTH, "BMP"), "mpo": encode(SMOOTH, "MPO"),
    "jpeg, cmyk": encode(CMYK, "JPEG"), "png, 16 bits": encode(Image.fromarray(DEEP), "PNG"),
}  # fmt: skip


def test_files_are_read_as_from_memory_whatever_their_names_say(tmp_path):
    """Formats behind other names, and in one set; the truth is Pillow's, or the upper byte of 16 bits."""
    (tmp_path / "classes.txt").write_text("one\n")
    everything = {**FILES, **OTHERS}
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for i, contents in enumerate(everything.values()):
        (tmp_path / "images" / f"{i:02}.{'jpg' if i % 2 else 'png'}").write_bytes(contents)
        Image.fromarray(np.zeros((147, 171), np.uint8)).save(tmp_path / "labels" / f"{i:02}.png")
    found = datasets.load("folder", "train", tmp_path)
    read = decode.open_source(found, cache=False)
    begin, end = (80, 33), (147, 120)
    ways = tf.data.Dataset.range(len(found)).map(
        lambda i: (read(i)[0], read(i)[1](tf.constant(begin), tf.constant(end)))
    )
    for (kind, contents), (size, pixels) in zip(everything.items(), ways.as_numpy_iterator(), strict=True):
        whole = (DEEP >> 8)[..., None].repeat(3, 2) if kind == "png, 16 bits" else pillows(contents)
        assert size.tolist() == [147, 171], kind
        np.testing.assert_array_equal(pixels, whole[begin[0] : end[0], begin[1] : end[1]], err_msg=kind)


def test_a_size_that_cannot_be_had_is_named(tmp_path):
    root = streets.draw(tmp_path, count=1)
    (root / "images" / "0.png").write_bytes(b"no picture")
    with pytest.raises(datasets.DataError, match=r"0\.png: cannot be read as a picture"):
        decode.open_source(datasets.load("folder", "train", root))

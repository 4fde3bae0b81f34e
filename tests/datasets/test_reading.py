"""Pictures of every format behind any name, of every mode and depth: read rightly, or refused by name by everybody."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.reading import image_size, read_image, read_label_map
from hrnet_keras.datasets.source import ImageSource
from tests import streets

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (13, 17, 3), np.uint8)
GREY = RNG.integers(0, 256, (13, 17), np.uint8)
RAMP = np.linspace(0, 65535, 13 * 17).astype(np.uint16).reshape(13, 17)


def tiff(values, bits, *, photometric=1, sample_format=1, packed=None):
    """A little-endian TIFF of one strip, written by hand after TIFF 6.0, section 2: header, pixels, tags."""
    data = values.astype("<u2").tobytes() if packed is None else packed
    height, width = values.shape
    tags = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8),
            (277, 3, 1), (278, 3, height), (279, 4, len(data)), (339, 3, sample_format)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    data += b"\0" * (len(data) % 2)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def png(width, height, bits, kind, rows=b""):
    """A PNG written by hand: its header may promise more than its rows hold."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_the_content_says_the_format(tmp_path, kind, name):
    pixels = np.repeat(GREY[..., None], 3, axis=2)  # a GIF holds 256 colours
    Image.fromarray(pixels if kind != "GIF" else GREY).save(
        tmp_path / name, kind, **{"lossless": True} if kind == "WEBP" else {}
    )
    np.testing.assert_array_equal(read_image(tmp_path / name), pixels)
    assert image_size(tmp_path / name) == (13, 17)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_the_first_frame_of_several(tmp_path, kind):
    frames = [Image.fromarray(np.full((8, 9), value, np.uint8)) for value in (40, 200)]
    more = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(tmp_path / "a", kind, save_all=True, append_images=frames[1:], **more)
    assert (read_image(tmp_path / "a") == 40).all()


def test_transparency_is_dropped_and_ink_is_light(tmp_path):
    shade = Image.fromarray(GREY)
    Image.merge("LA", [shade, Image.fromarray(GREY.T.copy().reshape(13, 17))]).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_image(tmp_path / "la.png"), np.repeat(GREY[..., None], 3, axis=2))
    full = np.dstack([COLOURS, np.zeros_like(GREY)])
    Image.fromarray(full).save(tmp_path / "rgba.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.tif"), COLOURS)
    # No black, so that light is what each ink leaves of white: 255 - ink.
    Image.frombytes("CMYK", (17, 13), full.tobytes()).save(tmp_path / "cmyk.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "cmyk.tif"), 255 - COLOURS)
    is_white = GREY > 127
    Image.fromarray(is_white).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png"), np.where(is_white, 255, 0)[..., None].repeat(3, 2))


def test_sixteen_bits_keep_the_upper_eight(tmp_path):
    expected = np.repeat((RAMP // 256)[..., None], 3, axis=2)
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)
    (tmp_path / "a.tif").write_bytes(tiff(RAMP, 16))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), expected)
    (tmp_path / "b.tif").write_bytes(tiff(RAMP, 16, photometric=0))  # 0 is white
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), 255 - expected)
    cv2.imwrite(str(tmp_path / "c.png"), np.dstack([RAMP] * 3))
    np.testing.assert_array_equal(read_image(tmp_path / "c.png"), expected)
    dark = np.zeros((4, 5), np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    cv2.imwrite(str(tmp_path / "dark_colour.png"), np.dstack([dark] * 3))
    assert not read_image(tmp_path / "dark.png").any() and not read_image(tmp_path / "dark_colour.png").any()


def test_twelve_bits_where_the_file_states_them(tmp_path):
    """Two numbers in three bytes, the big end first: TIFF 6.0, BitsPerSample."""
    values = np.array([[0, 4095], [256, 2048]], np.uint16)
    packed = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in values.tolist())
    (tmp_path / "a.tif").write_bytes(tiff(values, 12, packed=packed))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], [[0, 255], [16, 128]])


def unclear(tmp_path):
    """Pictures of which nobody states what is white, and what must be said."""
    twelve, eight = RAMP >> 4, RAMP >> 8
    Image.fromarray(twelve).save(tmp_path / "twelve.png")
    Image.fromarray(eight).save(tmp_path / "eight.png")
    (tmp_path / "twelve.tif").write_bytes(tiff(twelve, 16))
    for name in ("colour.png", "colour.tif"):
        cv2.imwrite(str(tmp_path / name), np.dstack([twelve] * 3))
    cv2.imwrite(str(tmp_path / "eight_colour.png"), np.dstack([eight] * 3))
    Image.fromarray(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)).save(tmp_path / "float.tif")
    Image.fromarray(RAMP.astype(np.int32)).save(tmp_path / "wide.tif")
    (tmp_path / "signed.tif").write_bytes(tiff(twelve, 16, sample_format=2))
    whole = "holds whole numbers of 32 bits or with a sign, of which nobody states what is white: save it with 8 bits"
    most = r"holds values up to {} in 16 bits and would be all but black: stretch them to 0\.\.65535, or save it with 8"
    return {
        "twelve.png": most.format(4095), "eight.png": most.format(255), "twelve.tif": most.format(4095),
        "colour.png": most.format(4095), "colour.tif": most.format(4095), "eight_colour.png": most.format(255),
        "float.tif": "holds floating-point numbers, of which nobody states what is white: save it with 8 bits",
        "wide.tif": whole, "signed.tif": whole,
    }  # fmt: skip


def test_what_would_be_black_is_refused_by_name(tmp_path):
    for name, reason in unclear(tmp_path).items():
        with pytest.raises(DataError, match=f"{name}: {reason}") as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_everybody_refuses_the_same_pictures(tmp_path):
    """`validate_headers` reads headers only, and knows of every picture that `validate` and a training stumble on."""
    root = streets.draw(tmp_path, count=1)
    unclear(root / "images")
    (root / "images" / "huge.png").write_bytes(png(20000, 9000, 8, 0))
    (root / "images" / "phone.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    for file in [path for path in (root / "images").iterdir() if path.name != "0.png"]:
        stem = file.name.replace(".", "_")
        file.rename(file.with_stem(stem))
        Image.fromarray(np.zeros((13, 17), np.uint8)).save(root / "labels" / f"{stem}.png")
    found = datasets.load("folder", "train", root)
    glanced = datasets.validate_headers(found)
    assert glanced == datasets.validate(found) and len(glanced) == len(found) - 1 == 11
    reasons = dict(glanced)
    assert "huge_png.png: has more than 178,956,970 pixels: cut it" in reasons["huge_png"]
    assert "phone_jpg.jpg: is a HEIC picture, which is not read here: save it as JPEG or PNG" in reasons["phone_jpg"]


def test_a_picture_beyond_pillow_s_limit_is_named_wherever_it_is_opened(tmp_path):
    file = tmp_path / "huge.png"
    file.write_bytes(png(20000, 9000, 8, 0))
    for read in (read_image, read_label_map, image_size):
        with pytest.raises(DataError, match=r"huge\.png: has more than 178,956,970 pixels: cut it into parts"):
            read(file)
    source = ImageSource(datasets.Dataset(datasets.DatasetInfo("huge"), "train", ["huge"], [file]))
    for read in (source.example, source.open):
        with pytest.raises(DataError, match=r"huge\.png: has more than 178,956,970 pixels: cut it into parts"):
            read(0)


def test_label_maps_keep_their_ids_or_are_refused(tmp_path):
    ids = RNG.integers(0, 4, (13, 17)).astype(np.uint8)
    for name, options in (("a.bmp", {}), ("a.tif", {"compression": "tiff_lzw"}), ("a.png", {})):
        Image.fromarray(ids).save(tmp_path / name, **options)
        np.testing.assert_array_equal(read_label_map(tmp_path / name), ids)
    (tmp_path / "deep.tif").write_bytes(tiff(ids.astype(np.uint16), 16))
    np.testing.assert_array_equal(read_label_map(tmp_path / "deep.tif"), ids)
    Image.fromarray(ids).save(tmp_path / "b.png", "JPEG")
    with pytest.raises(DataError, match=r"b\.png: is a JPEG, which smears class ids: save label maps as PNG"):
        read_label_map(tmp_path / "b.png")

"""The pixels that are trained on, decoded in parts or as a whole, against Pillow, which has a decoder of its own."""

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets.source import ImageSource, decode_window
from tests import streets
from tests.pictures import FILES, SMOOTH, encode, pillows

DEEP = np.linspace(0, 65535, 147 * 171).astype(np.uint16).reshape(147, 171)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(("begin", "end"), [((0, 0), (147, 171)), ((5, 7), (60, 71)), ((80, 33), (147, 120))])
def test_window_holds_the_pixels_of_the_whole(kind, begin, end):
    contents = FILES[kind]
    pixels = decode_window(contents, (147, 171), begin, end)
    np.testing.assert_array_equal(pixels, pillows(contents)[begin[0] : end[0], begin[1] : end[1]])


def test_sixteen_bits_keep_the_upper_eight():
    deep = np.random.default_rng(0).integers(0, 65536, (21, 34)).astype(np.uint16)
    pixels = decode_window(encode(Image.fromarray(deep), "PNG"), (21, 34), (0, 0), (21, 34))
    np.testing.assert_array_equal(pixels[..., 1], deep >> 8)


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
    source, kept = ImageSource(found, cache=False), ImageSource(found, cache=True, ahead=True)
    begin, end = (80, 33), (147, 120)
    for i, (kind, contents) in enumerate(everything.items()):
        whole = (DEEP >> 8)[..., None].repeat(3, 2) if kind == "png, 16 bits" else pillows(contents)
        np.testing.assert_array_equal(source.example(i)["image"], whole, err_msg=kind)
        for opened in (source.open(i), kept.open(i)):
            assert opened.size == (147, 171), kind
            pixels = opened.window(begin, end)
            np.testing.assert_array_equal(pixels, whole[begin[0] : end[0], begin[1] : end[1]], err_msg=kind)


def test_a_size_that_cannot_be_had_is_named(tmp_path):
    root = streets.draw(tmp_path, count=1)
    (root / "images" / "0.png").write_bytes(b"no picture")
    with pytest.raises(datasets.DataError, match=r"0\.png: cannot be read as a picture"):
        ImageSource(datasets.load("folder", "train", root), ahead=True)


def source_of(*files):
    return ImageSource(datasets.Dataset(datasets.DatasetInfo("files"), "train", map(str, files), files), cache=False)


def test_jpegs_of_the_samples_have_pillows_pixels(samples):
    files = [*samples.glob("mmpose/*/*.jpg"), *sorted(samples.glob("camvid/val/images/*.jpg"))[:5]]
    source = source_of(*files)
    for i, file in enumerate(files):
        np.testing.assert_array_equal(source.example(i)["image"], datasets.read_image(file))
    assert len(files) >= 15


def test_what_tensorflow_reads_otherwise_is_left_to_pillow(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    noise.save(tmp_path / "turned.jpg", exif=turned, quality=70)
    noise.convert("L").save(tmp_path / "grey.jpg")
    noise.convert("CMYK").save(tmp_path / "cmyk.jpg")
    noise.save(tmp_path / "lossless.png")
    for name in ("turned.jpg", "grey.jpg", "cmyk.jpg", "lossless.png"):
        image = source_of(tmp_path / name).example(0)["image"]
        np.testing.assert_array_equal(image, datasets.read_image(tmp_path / name), err_msg=name)


def test_whatever_is_broken_is_named(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8))
    for suffix in ("jpg", "png"):
        noise.save(tmp_path / f"whole.{suffix}")
        contents = (tmp_path / f"whole.{suffix}").read_bytes()
        (tmp_path / f"cut.{suffix}").write_bytes(contents[: len(contents) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    for name in ("cut.jpg", "cut.png", "text.jpg", "missing.jpg"):
        source = source_of(tmp_path / name)
        with pytest.raises(datasets.DataError, match=name):
            source.example(0)
        with pytest.raises(datasets.DataError, match=name):
            source.open(0).window((60, 0), (64, 80))

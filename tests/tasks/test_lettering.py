"""Class names in any letters: written, or ids in their place, never boxes."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks import lettering
from hrnet_keras.tasks.classification import drawing as classes
from hrnet_keras.tasks.segmentation import drawing as labels

CHINESE, KOREAN = "\u9053\u8def", "\ub3c4\ub85c"


@pytest.fixture(params=["fonts of this machine", "no fonts"])
def fonts(request, monkeypatch):
    if request.param == "no fonts":
        monkeypatch.setattr(lettering, "_fonts", list)
    lettering._font_with.cache_clear()
    yield request.param
    lettering._font_with.cache_clear()


def drawn(font, text):
    picture = Image.new("L", (200, 30))
    ImageDraw.Draw(picture).text((5, 5), text, fill=255, font=font)
    return np.asarray(picture)


@pytest.mark.parametrize("name", ["road", "дорога", "οδός", "طريق", CHINESE, KOREAN, "हिन्दी", "\U0001f697"])
def test_no_name_is_written_in_letters_that_its_font_lacks(fonts, name):
    font, text = lettering.lettering(name, 7, 16)
    assert text in (name, "class 7")
    missing = drawn(font, "\U0010fffe")  # what the font draws for what it lacks
    for letter in text:
        assert letter.isspace() or (drawn(font, letter) != missing).any()
    if name == "road":
        assert text == name


def test_names_that_no_font_has_go_by_their_ids(monkeypatch):
    monkeypatch.setattr(lettering, "_font_with", lambda letters: None)
    assert lettering.lettering(CHINESE, 3, 12)[1] == "class 3"
    info = DatasetInfo("x", class_names=(CHINESE, KOREAN, "road"), palette=((1, 1, 1),) * 3)
    plain = DatasetInfo("x", class_names=("class 0", "class 1", "road"), palette=((1, 1, 1),) * 3)
    image, label_map = np.zeros((30, 200, 3), np.uint8), np.arange(30 * 200, dtype=np.int64).reshape(30, 200) % 3
    for draw, answer in ((labels.draw, {"label_map": label_map}), (classes.draw, {"labels": [2, 0, 1]})):
        np.testing.assert_array_equal(draw(image, answer, info), draw(image, answer, plain))


def test_a_font_with_the_letters_is_taken(monkeypatch, tmp_path):
    """Whatever font has Cyrillic letters here; without one there is nothing to take."""
    path = lettering._font_with("дор")
    if path is None:
        pytest.skip("no font of this machine has Cyrillic letters")
    (tmp_path / "damaged.ttf").write_text("no font")
    monkeypatch.setattr(lettering, "_fonts", lambda: [str(tmp_path / "damaged.ttf"), path])
    lettering._font_with.cache_clear()
    font, text = lettering.lettering("дорога", 0, 12)
    assert text == "дорога" and font.path == path
    np.testing.assert_array_equal(drawn(font, text), drawn(ImageFont.truetype(path, 12), "дорога"))


def test_joined_letters_need_the_library_that_joins_them(monkeypatch):
    monkeypatch.setattr(lettering.features, "check", lambda name: False)
    lettering._font_with.cache_clear()
    assert lettering.lettering("طريق", 2, 12)[1] == "class 2"
    lettering._font_with.cache_clear()

"""Drawings of objects: where the pixels change, in which colour, and that nothing is written beyond the edge."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import ImageDraw

from hrnet_keras import datasets
from hrnet_keras.tasks.detection.drawing import draw

GREY = np.full((120, 160, 3), 128, np.uint8)
INFO = SimpleNamespace(class_names=("cat", "dog"), palette=((250, 20, 20), (20, 20, 250)))


def result(**changes):
    boxes = np.array([[20.0, 30, 70, 100], [90, 40, 150, 110]])
    return {"boxes": boxes, "labels": np.array([0, 1]), "scores": np.array([0.9, 0.1]), **changes}


def test_a_box_is_drawn_around_its_pixels_in_the_colour_of_its_class():
    drawn = draw(GREY, result(), INFO, names=False)
    changed = np.argwhere((drawn != 128).any(-1))
    assert changed.min(0).tolist() == [30, 20] and changed.max(0).tolist() == [99, 69]  # the other scores too little
    assert (drawn[30, 20:70] == INFO.palette[0]).all() and (drawn[35:95, 25:65] == 128).all()
    both = draw(GREY, result(), INFO, names=False, threshold=0)
    assert (both[40, 90:150] == INFO.palette[1]).all()
    assert (GREY == 128).all()


def test_masks_shine_through():
    masks = np.zeros((2, 120, 160), bool)
    masks[0, 40:60, 30:50] = True
    drawn = draw(GREY, result(masks=masks), INFO, names=False)
    inside = drawn[41:59, 31:49]
    assert (inside == inside[0, 0]).all() and inside[0, 0, 0] > 150 and inside[0, 0, 2] < 110
    np.testing.assert_array_equal(draw(GREY, result(masks=masks), INFO, names=False, masks=False)[50, 40], [128] * 3)


def test_small_pictures_are_enlarged():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    one = {"boxes": [[10.0, 5, 30, 25]], "labels": [1]}
    drawn = draw(image, one, INFO, names=False, enlarge=3)
    assert drawn.shape == (120, 150, 3)
    np.testing.assert_array_equal(drawn[1::3, 1::3][26:], image[26:])  # where no box is
    assert (drawn[15, 30:90] == INFO.palette[1]).all() and (drawn[74, 30:90] == INFO.palette[1]).all()


@pytest.mark.parametrize("box", [[-30.0, -20, 40, 30], [140, 100, 300, 200], [0, 0, 160, 120], [50, 50, 50.4, 50.2]])
def test_names_stay_inside_the_picture(box, monkeypatch):
    written = []
    before = ImageDraw.ImageDraw.text

    def watch(pen, place, text, *args, **options):
        written.append((*place, *(np.add(place, (pen.textlength(text, font=options["font"]), 10))), text))
        return before(pen, place, text, *args, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", watch)
    drawn = draw(GREY, {"boxes": [box], "labels": [1], "scores": [0.876]}, INFO)
    ((left, top, right, bottom, text),) = written
    assert text == "dog 0.88" and left >= 0 and top >= 0 and right <= 160 and bottom <= 120
    assert drawn.shape == GREY.shape and (drawn != 128).any()


def test_names_of_neighbours_do_not_cover_each_other(monkeypatch):
    places = []
    before = ImageDraw.ImageDraw.rectangle

    def watch(pen, box, *args, **options):
        if "fill" in options:
            places.append(box)
        return before(pen, box, *args, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "rectangle", watch)
    boxes = [[20, 30, 70, 100], [25, 32, 75, 98], [22, 28, 60, 90]]
    draw(GREY, {"boxes": boxes, "labels": [0, 1, 0], "scores": [0.9, 0.8, 0.7]}, INFO)
    assert len(places) == 3
    for i, (left, top, right, bottom) in enumerate(places):
        for other in places[:i]:
            assert left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom


def test_truth_and_models_without_names_are_drawn():
    town = datasets.load("toytown", "val", count=1, annotation="objects")
    example = town.example(0)
    drawn = draw(example["image"], example, town.info)
    assert drawn.shape == example["image"].shape and (drawn != example["image"]).any()
    outlined = {word: value for word, value in example.items() if word != "masks"}
    np.testing.assert_array_equal(draw(example["image"], outlined, town.info), drawn)
    nameless = draw(GREY, result(scores=None), SimpleNamespace())
    assert (nameless != draw(GREY, result(scores=None), SimpleNamespace(), names=False)).any()
    nothing = {
        "boxes": np.zeros((0, 4)),
        "labels": np.zeros(0, int),
        "scores": np.zeros(0),
        "masks": np.zeros((0, 9, 9)),
    }
    np.testing.assert_array_equal(draw(GREY, nothing, INFO), GREY)

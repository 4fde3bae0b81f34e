"""Toytown as a set of points: faces and figures as drawn, who is left out, and info that fit the tasks."""

import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets.toytown import draw_scene
from tests import point_files

COUNT = 12


@pytest.fixture(scope="module")
def faces():
    return datasets.load("toytown", "val", count=COUNT, annotation="faces")


@pytest.fixture(scope="module")
def figures():
    return datasets.load("toytown", "val", count=COUNT, annotation="figures")


def test_faces_are_those_of_the_scenes(faces):
    assert len(faces) == COUNT
    for i in range(COUNT):
        example, scene = faces.example(i), draw_scene(1_000_000 + i, portrait=True)
        np.testing.assert_array_equal(example["image"], scene["image"])
        np.testing.assert_array_equal(example["points"], scene["faces"])
        assert example["points"].dtype == np.float64 and (example["visible"] == 1).all()
        center, scale = point_files.tight(scene["faces"][0])
        assert tuple(example["centers"][0]) == center and example["scales"][0] == pytest.approx(scale)
        side = 200 * scale
        np.testing.assert_allclose(example["boxes"][0, 2:] - example["boxes"][0, :2], [side, side])
        np.testing.assert_allclose(example["boxes"][0].reshape(2, 2).mean(0), center)
        assert "sizes" not in example
    assert faces.info.normaliser == (36, 45) and faces.info.metric == "nme" and faces.info.name == "toytown"


def test_figures_are_those_of_the_scenes(figures):
    counts = 0
    for i in range(COUNT):
        example, scene = figures.example(i), draw_scene(1_000_000 + i)
        np.testing.assert_array_equal(example["image"], scene["image"])
        height, width = scene["label_map"].shape
        persons = scene["boxes"][scene["labels"] == 8]
        for points, visible, box in zip(example["points"], example["visible"], example["boxes"], strict=True):
            (k,) = np.flatnonzero((persons == box).all(1))
            truth, shown = scene["points"][k], scene["visible"][k]
            inside = ((truth >= 0) & (truth < [width, height])).all(1)
            np.testing.assert_array_equal(visible, np.where(shown, 2, np.where(inside, 1, 0)))
            np.testing.assert_array_equal(points, np.where(visible[:, None] > 0, truth, 0))
            assert shown.sum() >= inside.sum() / 2 and (box[2:] - box[:2]).max() >= 24
            counts += 1
        assert set(example) == {"image", "name", "points", "visible", "boxes"}
    assert counts >= COUNT
    info = figures.info
    assert (
        info.metric == "pck" and len(info.sigmas) == 17 == len(info.point_names) and info.upper_body == tuple(range(11))
    )


def lengths(smallest):
    """Of the boxes' longer sides in the set without smaller ones."""
    found = datasets.load("toytown", "val", count=COUNT, annotation="figures", smallest=smallest)
    boxes = np.concatenate([found.annotations(i)["boxes"] for i in range(COUNT)])
    return (boxes[:, 2:] - boxes[:, :2]).max(1)


def test_the_small_and_the_hidden_are_left_out(figures):
    everyone = sum(len(draw_scene(1_000_000 + i)["points"]) for i in range(COUNT))
    sizes = [lengths(smallest) for smallest in (1, 24, 70)]
    assert everyone > len(sizes[0]) >= len(sizes[1]) > len(sizes[2]) > 0
    assert sizes[2].min() >= 70 and sorted(size for size in sizes[0] if size >= 70) == sorted(sizes[2])
    for i in range(COUNT):
        visible = figures.annotations(i)["visible"]
        assert ((visible == 2).sum(1) >= (visible > 0).sum(1) / 2).all()
    nobody = datasets.load("toytown", "val", count=2, annotation="faces", smallest=1000)
    assert nobody.annotations(0)["points"].shape == (0, 68, 2) and nobody.example(1)["boxes"].shape == (0, 4)


def test_annotations_are_the_caller_s_and_drawn_once(faces, monkeypatch):
    first = faces.annotations(0)
    first["points"][:] = 0
    monkeypatch.setattr("hrnet_keras.datasets.toytown.people.draw_scene", None)
    assert faces.annotations(0)["points"].any()


def test_the_default_is_the_whole_scene():
    plain = datasets.load("toytown", "val", count=1)
    assert "label_map" in plain.example(0) and not isinstance(plain, datasets.PointSet)
    for options, complaint in (
        ({"annotation": "hands"}, "annotation='hands': expected 'objects', 'faces' or 'figures', or none"),
        ({"annotation": "faces", "smallest": 0}, "smallest=0: expected a length of 1 pixel or more"),
        ({"smallest": 30}, "smallest=30: goes with annotation='objects', 'faces' or 'figures'"),
    ):
        with pytest.raises(ValueError, match=complaint):
            datasets.load("toytown", "val", count=1, **options)

"""The stream that a network of points learns from: which samples, in which order, with which pixels and maps."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError, DatasetInfo, source as module
from hrnet_keras.datasets.points import PointSet
from hrnet_keras.datasets.source import ImageSource
from hrnet_keras.tasks.keypoints.affine import crop_matrix, transform, warp
from hrnet_keras.tasks.keypoints.augment import CropParams
from hrnet_keras.tasks.keypoints.encoding import encode
from hrnet_keras.tasks.keypoints.samples import affine_sample, check_augmentation, samples, stream
from tests import dots, point_files

SIZE, MAPS = (64, 48), (16, 12, 3)


class Dots(PointSet):
    """Drawn pictures with 0, 1 or 2 persons; in every second picture with two, the second has no labelled point."""

    def __init__(self, counts=(2, 0, 1, 2, 1, 2)):
        rng = np.random.default_rng(3)
        rows, self.read = [], []
        for i, n in enumerate(counts):
            boxes = np.array([[20, 20, 60, 80], [90, 20, 130, 80]], float)[:n]
            visible = np.full((n, 3), 2, np.int8)
            if n == 2 and i % 2:
                visible[1] = 0
            rows.append({"points": dots.instances(rng, boxes), "visible": visible, "boxes": boxes, "size": (100, 150)})
        super().__init__(dots.INFO, "train", [f"dots_{i}" for i in range(len(counts))], (), rows, "dots")

    def image(self, i):
        self.read.append(i)
        return dots.picture((100, 150), self.rows[i]["points"])


def prepare(image, annotations, row, rng):
    """The plain crop, with one pixel of chance and the sample's own name in it."""
    look = CropParams(np.array([75.0, 50.0]), 0.5, 0.0, False)
    picture, maps, weights = affine_sample(
        image, annotations["points"][row], annotations["visible"][row], look, size=SIZE, codec="official", sigma=2.0,
        flip_pairs=(),
    )  # fmt: skip
    picture[0, 0] = rng.integers(0, 256, 3)
    picture[0, 1] = int(annotations["name"].split("_")[1]), row, 0
    return picture, maps, weights


def taken(dataset, count, *, batch=2, **options):
    found = stream(dataset, prepare, size=SIZE, maps=MAPS, batch=batch, **options).take(count)
    return [(image.numpy(), targets.numpy()) for image, targets in found]


def names(batches):
    return [tuple(image[0, 1, :2].astype(int)) for images, _ in batches for image in images]


def same(some, others):
    assert len(some) == len(others)
    pairs = [zip(one, other, strict=True) for one, other in zip(some, others, strict=True)]
    return all(np.array_equal(a, b) for both in pairs for a, b in both)


EVERYONE = [(0, 0), (0, 1), (2, 0), (3, 0), (4, 0), (5, 0)]


def test_everyone_with_a_labelled_point_is_a_sample():
    dataset = Dots()
    assert samples(dataset) == EVERYONE
    assert dataset.read == []


def test_sets_without_points_are_refused(tmp_path):
    nobody = Dots((0, 0))
    with pytest.raises(ValueError, match="dots train has no labelled point"):
        samples(nobody)
    with pytest.raises(ValueError, match="toytown val has no points: expected a data set with points"):
        samples(datasets.load("toytown", "val", count=1))
    root = point_files.coco(tmp_path, {"val": 2})
    point_files.write_json(root / "boxes.json", [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "score": 1}])
    with pytest.raises(ValueError, match="coco val has boxes but no points"):
        samples(datasets.load("coco", "val", root, detections="boxes.json"))


def test_an_epoch_shows_everyone_once_in_an_order_of_its_own():
    orders = [names(taken(Dots(), 9, seed=5))[first : first + 6] for first in (0, 6, 12)]
    assert all(sorted(order) == EVERYONE for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_what_does_not_fill_a_batch_is_dropped():
    found = names(taken(Dots(), 2, batch=4))
    assert len(set(found[:4])) == 4 and len(set(found[4:])) == 4
    with pytest.raises(ValueError, match=r"batch=7: expected 1\.\.6, the set has 6 examples"):
        taken(Dots(), 1, batch=7)


def test_batches_are_floats_of_whole_grey_levels_with_maps_and_weights():
    dataset = Dots()
    ((images, targets),) = taken(dataset, 1, batch=6)
    assert images.shape == (6, *SIZE, 3) and images.dtype == np.float32 and (images == images.round()).all()
    assert targets.shape == (6, 17, 12, 3) and targets.dtype == np.float32
    matrix = crop_matrix((75.0, 50.0), 0.5, SIZE)
    for (picture, row), target in zip(names([(images, targets)]), targets, strict=True):
        known = dataset.rows[picture]
        maps, weights = encode(transform(known["points"][row], matrix), known["visible"][row], codec="official",
                               input_size=SIZE, map_size=MAPS[:2])  # fmt: skip
        np.testing.assert_array_equal(target[:-1], maps)
        np.testing.assert_array_equal(target[-1], np.tile(weights, (12, 1)))


def test_chance_hangs_on_seed_and_epoch_alone():
    first = taken(Dots(), 6, seed=1)
    assert same(first, taken(Dots(), 6, seed=1))
    other = taken(Dots(), 6, seed=2)
    assert names(first) != names(other)
    assert same(first[3:], taken(Dots(), 3, seed=1, first_epoch=1))  # a run that goes on after an epoch of 3 batches
    drawn = {tuple(image[0, 0]) for images, _ in first for image in images}
    assert len(drawn) == 12  # the same person is drawn anew in the next epoch


def test_workers_share_what_one_would_see():
    whole = taken(Dots(), 3, batch=4, seed=1)
    parts = [taken(Dots(), 3, batch=2, seed=1, worker=worker, workers=2) for worker in (0, 1)]
    joined = [tuple(np.concatenate(pair) for pair in zip(*both, strict=True)) for both in zip(*parts, strict=True)]
    assert same(whole, joined)
    with pytest.raises(ValueError, match=r"worker=2: expected 0\.\.1"):
        taken(Dots(), 1, worker=2, workers=2)


def test_the_memory_changes_no_pixel_and_reads_every_picture_once():
    sets = {cache: Dots() for cache in (True, False, None)}
    found = {cache: taken(dataset, 6, seed=1, cache=cache) for cache, dataset in sets.items()}
    assert same(found[True], found[False]) and same(found[True], found[None])
    assert len(sets[False].read) >= 12
    for cache in (True, None):  # two threads may ask for a picture before either has it
        assert set(sets[cache].read) == {0, 2, 3, 4, 5} and len(sets[cache].read) <= 10


def test_unasked_the_memory_keeps_what_fits(monkeypatch):
    monkeypatch.setattr(module, "CACHE_LIMIT", 2 * 100 * 150 * 3)
    dataset = Dots()
    pictures = ImageSource(dataset)
    for i in (0, 2, 3, 0, 2, 3, 3):
        assert pictures.example(i)["image"].shape == (100, 150, 3)
    assert dataset.read == [0, 2, 3, 3, 3]


def test_pictures_of_another_size_than_annotated_and_broken_ones_are_named(tmp_path):
    root = point_files.coco(tmp_path / "a", {"train": 2})
    Image.new("RGB", (80, 60)).save(root / "images" / "train2017" / f"{1:012}.jpg")
    dataset = datasets.load("coco", "train", root)
    with pytest.raises(DataError, match=r"000000000001\.jpg: the picture is 80x60, .* says 160x120"):
        ImageSource(dataset).example(0)
    (root / "images" / "train2017" / f"{2:012}.jpg").write_bytes(b"\xff\xd8 no more")
    with pytest.raises(tf.errors.OpError, match=r"00000000000[12]\.jpg"):
        taken(dataset, 1, batch=4)


def looks():
    rng = np.random.default_rng(11)
    for i in range(24):
        yield CropParams(
            np.array([40, 50]) + rng.uniform(-5, 5, 2), rng.uniform(0.25, 0.4), rng.uniform(-80, 80), bool(i % 2)
        )


@pytest.mark.parametrize("codec", ["official", "msra", "dark", "udp"])
def test_crops_show_the_dots_where_their_maps_have_their_peaks(codec):
    """Mirrored, turned, near and far: the nose is red, and the left eye is named by where the mirror puts it."""
    points = np.array([[40.0, 52.0], [48.0, 40.0], [30.0, 42.0]])
    image, size, dots_seen, eyes_seen = dots.picture((100, 80), [points], spread=1.5), (128, 96), 0, 0
    for look in looks():
        crop, maps, weights = affine_sample(
            image, points, np.ones(3), look, size=size, codec=codec, sigma=2.0, flip_pairs=dots.PAIRS
        )
        assert crop.shape == (*size, 3) and crop.dtype == np.uint8 and maps.shape == (32, 24, 3)
        peaks = np.stack(np.unravel_index(maps.reshape(-1, 3).argmax(0), maps.shape[:2]), 1)
        for k, (row, column) in enumerate(peaks):
            if not weights[k] or maps[row, column, k] < 0.9:
                continue  # beyond the crop
            around = crop[max(0, 4 * row - 3) : 4 * row + 4, max(0, 4 * column - 3) : 4 * column + 4].astype(int)
            red, blue = around[..., 0].max(), around[..., 2].max()
            assert (red > 150 > blue) if k == 0 else (blue > 150 > red), (codec, look, k)
            dots_seen += 1
        # Turning moves both eyes alike, so what lies to the left of the nose along the line of the eyes stays there.
        angle = np.deg2rad(look.rotation * (-1 if codec != "udp" else 1))
        along = (peaks[1] - peaks[2])[::-1] @ [np.cos(angle), np.sin(angle)]
        if weights.all() and maps.max((0, 1)).min() > 0.9:
            assert along > 0, (codec, look)
            eyes_seen += 1
    assert dots_seen > 60 and eyes_seen > 16


def test_a_mirrored_look_is_a_look_at_the_mirrored_picture():
    rng = np.random.default_rng(0)
    image, points = rng.integers(0, 256, (60, 70, 3), dtype=np.uint8), rng.uniform(10, 50, (3, 2))
    visible, options = np.array([2, 1, 0]), {"size": (64, 64), "codec": "msra", "sigma": 2.0}
    look = CropParams(np.array([30.0, 25.0]), np.array([0.3, 0.2]), 20.0, True)
    crop, maps, weights = affine_sample(image, points, visible, look, flip_pairs=((1, 2),), **options)
    turned = np.array([69 - points[:, 0], points[:, 1]]).T[[0, 2, 1]]
    plain = CropParams(np.array([39.0, 25.0]), look.scale, 20.0, False)
    expected = affine_sample(image[:, ::-1], turned, visible[[0, 2, 1]], plain, flip_pairs=(), **options)
    np.testing.assert_array_equal(crop, expected[0])
    np.testing.assert_allclose(maps, expected[1], atol=1e-6)
    assert weights.tolist() == expected[2].tolist() == [1, 0, 1]
    matrix = crop_matrix((39, 25), 0.3, (64, 64), 20)  # the wider side decides
    np.testing.assert_array_equal(crop, warp(np.ascontiguousarray(image[:, ::-1]), matrix, (64, 64)))


GOOD = {"sigma": 2.0, "scaling": 0.25, "rotation": 30.0, "flip_prob": 0.5}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sigma": 0}, "sigma=0: expected a number above 0"),
        ({"scaling": 1.0}, "scaling=1.0: expected 0 up to, not including, 1"),
        ({"scaling": -0.1}, "scaling=-0.1"),
        ({"rotation": 200}, "rotation=200: expected 0 to 180 degrees"),
        ({"flip_prob": 1.5}, "flip=1.5: expected how often, from 0 to 1"),
        ({"half_body": -1}, "half_body=-1: expected how often"),
        ({"shifting": float("nan")}, "shifting=nan: expected how often"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, expected):
    check_augmentation(dots.INFO, **GOOD)
    with pytest.raises(ValueError, match=expected):
        check_augmentation(dots.INFO, **{**GOOD, **change})


def test_mirroring_needs_the_pairs():
    nameless = DatasetInfo("own", point_names=("point_0", "point_1"))
    with pytest.raises(ValueError, match=r"flip=0\.5: nobody knows which points of data set 'own' change places"):
        check_augmentation(nameless, **GOOD)
    check_augmentation(nameless, **{**GOOD, "flip_prob": 0})
    check_augmentation(DatasetInfo("tips", point_names=("tip",)), **GOOD)


def test_pictures_of_files_are_checked_like_examples(tmp_path):
    root = point_files.coco(tmp_path, {"train": 3})
    folder = root / "images" / "train2017"
    (folder / f"{2:012}.jpg").write_bytes((folder / f"{2:012}.jpg").read_bytes()[:2000])
    (folder / f"{3:012}.jpg").unlink()
    Image.new("L", (160, 120), 9).save(folder / f"{1:012}.jpg")
    dataset = datasets.load("coco", "train", root, partial=True)
    pictures = ImageSource(dataset, cache=False)
    image = pictures.example(0)["image"]
    assert (image == 9).all() and image.shape == (120, 160, 3)
    with pytest.raises(DataError, match=r"000000000002\.jpg: cannot be read as a picture"):
        pictures.example(1)
    outside = {**dataset.rows[0], "boxes": np.array([[300.0, 5, 320, 20]])}
    dataset.rows = (outside, *dataset.rows[1:])
    with pytest.raises(DataError, match="lies outside the picture of 160x120"):
        pictures.example(0)

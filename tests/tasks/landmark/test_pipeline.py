"""The official way from the files to crops and maps (goldens), mmpose's, and the crops of a SavedModel."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras import datasets
from hrnet_keras.tasks.keypoints import affine
from hrnet_keras.tasks.keypoints.encoding import encode
from hrnet_keras.tasks.landmark import pipeline, serving
from hrnet_keras.tasks.landmark.crop import crop
from hrnet_keras.transforms import order
from tests import point_files

SIGMAS = {"300w": 1.0, "aflw": 1.5, "cofw": 1.5, "wflw": 1.5}
STILL = {"scaling": 0, "rotation": 0, "flip": 0}


def opened(samples, tmp_path, name, **options):
    return datasets.load(name, "test", point_files.from_samples(samples, name, tmp_path), **options)


class Recorded:
    """Draws what was recorded when the golden was made."""

    def __init__(self, factor=1.0, rotation=0.0, flip=False):
        self.uniforms, self.shares = [factor, rotation], [0.0 if rotation else 1.0, 0.0 if flip else 1.0]

    def uniform(self, low, high):
        found = self.uniforms.pop(0)
        assert low <= found <= high
        return found

    def random(self):
        return self.shares.pop(0)


def epoch(dataset, **options):
    """`{(name of the picture, row): (crop, maps, weights)}` of one epoch of the training stream."""
    found = pipeline.samples(dataset)
    places = [int(index) for _, _, index in order.sample_indices(len(found), len(found)).take(len(found))]
    (batch,) = pipeline.training(dataset, batch=len(found), input_size=(256, 256), **options).take(1)
    assert sorted(places) == list(range(len(found)))
    return {
        (dataset.names[found[index][0]], found[index][1]): (image, targets[:-1], targets[-1, 0])
        for index, image, targets in zip(places, batch[0].numpy(), batch[1].numpy(), strict=True)
    }


def golden_rows(dataset, arrays):
    """`(picture, row)` of the golden's faces in the set."""
    rows = {dataset.names[i]: dataset.annotations(i) for i in range(len(dataset))}
    for k, file in enumerate(arrays["in_file_names"]):
        name = str(file).rsplit(".", 1)[0]
        (row,) = np.flatnonzero(np.isclose(rows[name]["centers"], arrays["out_test_center"][k], atol=1e-4).all(1))
        yield name, int(row)


@pytest.mark.parametrize("mode", ["test", "train"])
@pytest.mark.parametrize("name", SIGMAS)
def test_sample_faces_from_the_files_to_the_batch(golden, samples, tmp_path, monkeypatch, name, mode):
    _, arrays = golden("landmark", f"landmark_sample_{name}")
    dataset = opened(samples, tmp_path, name)
    faces = list(golden_rows(dataset, arrays))
    chance = STILL
    if mode == "train":
        chance, found = {}, pipeline.samples(dataset)
        places = [int(index) for _, _, index in order.sample_indices(len(found), len(found)).take(len(found))]

        def recorded(seed):
            picture, row = found[places[seed[2]]]
            face = (dataset.names[picture], row)
            words = ("in_train_scale_factor", "in_train_rot_deg", "in_train_flip")
            return Recorded(*(arrays[word][faces.index(face)] for word in words)) if face in faces else Recorded()

        monkeypatch.setattr("hrnet_keras.tasks.keypoints.samples.np.random.default_rng", recorded)
    batch = epoch(dataset, sigma=SIGMAS[name], **chance)
    for k, face in enumerate(faces):
        image, maps, weights = batch[face]
        difference = np.abs(image - arrays[f"out_{mode}_crop"][k])
        assert (difference <= 1).mean() > 0.995 and difference.max() <= 4
        np.testing.assert_allclose(maps.transpose(2, 0, 1), arrays[f"out_{mode}_target"][k], atol=1e-6)
        assert (weights == 1).all()


def squares_of(centers, sides):
    """What the graph's crops are made of: centres and sides without padding."""
    return tf.constant(np.column_stack([centers, sides]), tf.float64)


@pytest.mark.parametrize("name", SIGMAS)
def test_a_saved_models_crops_of_the_sample_faces_are_the_official_ones(golden, samples, tmp_path, name):
    _, arrays = golden("landmark", f"landmark_sample_{name}")
    dataset = opened(samples, tmp_path, name)
    rows = {dataset.names[i]: i for i in range(len(dataset))}
    for k, (picture, row) in enumerate(golden_rows(dataset, arrays)):
        example = dataset.example(rows[picture])
        squares = squares_of(example["centers"][[row]], 200 * example["scales"][[row]])
        (found,), _ = serving.official_crops(tf.constant(example["image"]), squares, 256, dataset.info.stretch_first)
        difference = np.abs(found.numpy() - arrays["out_test_crop"][k])
        assert (difference <= 1).mean() > 0.995 and difference.max() <= 4


@pytest.mark.parametrize("factor", [0.02, 0.6, 1.7, 3.0, 12.0])
def test_a_saved_models_crops_of_any_size_are_those_of_predict(samples, tmp_path, factor):
    """To the last bit, from afar and near."""
    for name in SIGMAS:
        dataset = opened(samples, tmp_path / name, name)
        for i in range(len(dataset)):
            example = dataset.example(i)
            sides, stretch = 200 * example["scales"] * factor, dataset.info.stretch_first
            found, _ = serving.official_crops(
                tf.constant(example["image"]), squares_of(example["centers"], sides), 256, stretch
            )
            for one, center, side in zip(found.numpy(), example["centers"], sides, strict=True):
                expected = crop(example["image"], center, side / 200 * affine.PADDING, stretch_first=stretch)
                np.testing.assert_array_equal(one, expected, err_msg=f"{name} {i}")


def test_faces_too_far_away_are_black_and_those_at_the_edge_are_cut():
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    centers, sides = np.array([[15.0, 20], [-5, -5], [200, 20], [29.5, 39.5]]), np.array([9000.0, 40, 40, 33])
    found = serving.official_crops(tf.constant(image), squares_of(centers, sides / affine.PADDING), 64, True)[0].numpy()
    for one, center, side in zip(found, centers, sides, strict=True):
        np.testing.assert_array_equal(one, crop(image, center, side / 200, side=64))
    assert (found[[0, 2]] == 0).all() and (found[1] > 0).any() and (found[3] == 0).any()


@pytest.mark.parametrize("codec", [None, "dark", "udp"])
def test_mmposes_crops_and_maps(samples, tmp_path, codec):
    dataset = opened(samples, tmp_path, "wflw")
    batch = epoch(dataset, convention="mmlab", codec=codec, sigma=2.0, **STILL)
    assert len(batch) == 4
    for i in range(len(dataset)):
        example = dataset.example(i)
        for row, (center, scale) in enumerate(zip(example["centers"], example["scales"], strict=True)):
            make = affine.udp_matrix if codec == "udp" else affine.crop_matrix
            matrix = make(center, 1.25 * scale, (256, 256))
            image, maps, weights = batch[dataset.names[i], row]
            np.testing.assert_array_equal(image, affine.warp(example["image"], matrix, (256, 256)))
            expected, inside = encode(
                affine.transform(example["points"][row], matrix), example["visible"][row], codec=codec or "msra",
                input_size=(256, 256), map_size=(64, 64), sigma=2.0,
            )  # fmt: skip
            np.testing.assert_allclose(maps, expected, atol=1e-7)
            np.testing.assert_array_equal(weights, inside)


def faces(visible):
    """A set with one face of two points."""
    info = datasets.DatasetInfo(
        "pair", point_names=("left", "right"), flip_pairs=((0, 1),), normaliser=(0, 1), metric="nme"
    )
    row = {"points": np.array([[[40.0, 30.0], [20.0, 30.0]]]), "visible": np.array([visible])}
    row |= {"boxes": np.array([[15.0, 15, 45, 45]]), "centers": np.array([[30.0, 30]]), "scales": np.array([0.15])}
    dataset = datasets.points.PointSet(info, "train", ["one"], (), [row], "drawn")
    dataset.image = lambda i: np.zeros((60, 60, 3), np.uint8)
    return dataset


@pytest.mark.parametrize("convention", ["official", "mmlab"])
@pytest.mark.parametrize("flip", [0, 1])
def test_points_that_are_not_labelled_weigh_nothing_also_in_the_mirror(convention, flip):
    ((_, maps, weights),) = epoch(faces([1, 0]), convention=convention, scaling=0, rotation=0, flip=flip).values()
    assert weights.tolist() == ([0, 1] if flip else [1, 0])
    assert maps[..., flip].max() > 0.8
    column = maps[..., flip].max(0).argmax()
    assert column < 20 if flip else column > 44


@pytest.mark.parametrize(("convention", "most"), [("official", 30), ("mmlab", 60)])
def test_ranges_are_those_of_the_rules(monkeypatch, convention, most):
    seen = []
    draw = "official_landmark" if convention == "official" else "mmlab"
    before = getattr(pipeline.augment, draw)
    monkeypatch.setattr(pipeline.augment, draw, lambda *a, **k: seen.append(before(*a, **k)) or seen[-1])
    for _ in pipeline.training(faces([1, 1]), batch=1, input_size=(64, 64), convention=convention).take(300):
        pass
    turns, scales = np.array([look.rotation for look in seen]), np.array([np.max(look.scale) for look in seen]) / 0.1875
    assert most * 0.9 < np.abs(turns).max() <= most
    assert 0.75 <= scales.min() < 0.8 and 1.2 < scales.max() <= 1.25
    assert 0.35 < np.mean([look.flip for look in seen]) < 0.65
    assert all((look.center == (30, 30)).all() for look in seen)  # faces are never moved


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"input_size": (128, 96)}, r"input_size=\(128, 96\), codec=None: the official convention cuts squares"),
        ({"codec": "dark"}, "codec='dark': the official convention cuts squares and has its own codec"),
        (
            {"input_size": (66, 66)},
            r"input_size=\(66, 66\): expected \(height, width\), multiples of 4, of at least 32",
        ),
        ({"input_size": (28, 28)}, "of at least 32"),
        ({"convention": "mmpose"}, "convention='mmpose': expected 'official' or 'mmlab'"),
        ({"convention": "mmlab", "codec": "official"}, "codec='official': expected 'msra', 'dark' or 'udp'"),
        ({"convention": "mmlab", "codec": "udp_combined"}, "codec='udp_combined': expected"),
        ({"scaling": 1}, "scaling=1: expected 0 up to"),
        ({"sigma": -1}, "sigma=-1"),
        ({"batch": 2}, r"batch=2: expected 1\.\.1"),
    ],
)
def test_what_cannot_be_is_refused(options, expected):
    with pytest.raises(ValueError, match=expected):
        pipeline.training(faces([1, 1]), **{"batch": 1, "input_size": (64, 64), **options})

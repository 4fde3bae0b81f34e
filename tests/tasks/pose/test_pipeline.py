"""The official way from COCO's files to crops and maps (goldens), mmpose's, and MPII's crops."""

import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets.coco import coco_info
from hrnet_keras.datasets.mpii import mpii_info
from hrnet_keras.datasets.points import PointSet
from hrnet_keras.tasks.keypoints import affine, samples as module
from hrnet_keras.tasks.keypoints.augment import Look
from hrnet_keras.tasks.keypoints.encoding import encode
from hrnet_keras.tasks.pose import pipeline
from hrnet_keras.transforms import order
from tests import dots, point_files

SIZE = (256, 192)
STILL = {"scaling": 0, "rotation": 0, "half_body": 0, "flip": 0}


@pytest.fixture
def coco(samples, tmp_path):
    return datasets.load("coco", "val", point_files.from_samples(samples, "coco", tmp_path))


def epoch(dataset, crop=SIZE, **options):
    """`[(picture, row, crop, maps, weights)]` of one epoch, in the order of the set."""
    found = pipeline.samples(dataset)
    places = [int(index) for _, _, index in order.places(len(found), len(found)).take(len(found))]
    (batch,) = pipeline.training(dataset, batch=len(found), input_size=crop, **options).take(1)
    images, targets = (part.numpy()[np.argsort(places)] for part in batch)
    return [(*found[i], images[i], targets[i, :-1], targets[i, -1, 0]) for i in range(len(found))]


def test_sample_persons_from_the_files_to_the_batch(golden, coco):
    _, crops = golden("pose", "pose_sample_coco_crop")
    _, persons = golden("pose", "pose_sample_coco_db")
    batch = epoch(coco, **STILL)
    assert len(batch) == len(persons["out_image"]) == 12
    for i, (picture, row, *_) in enumerate(batch):
        assert coco.names[picture] == str(persons["out_image"][i])[:-4]
        centers, scales = pipeline.centers_and_scales(coco.annotations(picture), coco.info, 0.75)
        np.testing.assert_allclose(centers[row], persons["out_center"][i], rtol=1e-5)
        np.testing.assert_allclose(scales[row], persons["out_scale"][i], rtol=1e-5)
    for i, person in enumerate(crops["in_db_index"]):
        _, _, image, maps, weights = batch[person]
        assert np.abs(image - crops["out_crop"][i]).mean() < 0.6
        np.testing.assert_allclose(maps.transpose(2, 0, 1), crops["out_target"][i], atol=1e-6)
        np.testing.assert_array_equal(weights, crops["out_target_weight"][i, :, 0])


def test_a_mirrored_sample_is_the_mirrored_picture_with_left_and_right_renamed(coco):
    plain, mirrored = epoch(coco, **STILL), epoch(coco, **{**STILL, "flip": 1})
    names = coco.info.point_names
    partner = [_partner(names, i) for i in range(17)]
    for (picture, row, image, maps, weights), (_, _, other, other_maps, other_weights) in zip(
        plain, mirrored, strict=True
    ):
        assert weights[partner].tolist() == other_weights.tolist(), (picture, row)
        # By the rule x -> last - x corners no longer match: the crop moves by one of its pixels.
        assert np.abs(image[:, 1:][:, ::-1] - other[:, 1:]).mean() < 12
        for k in np.flatnonzero(other_weights):
            found, expected = other_maps[..., k].max(0).argmax(), 48 - maps[..., partner[k]].max(0).argmax()
            assert abs(found - expected) <= 1


def _partner(names, i):
    side, _, rest = names[i].partition("_")
    return names.index({"left": "right", "right": "left"}[side] + "_" + rest) if rest else i


def recorded(monkeypatch):
    """The looks that a stream draws."""
    seen = []
    before = module.affine_sample

    def watch(image, points, visible, look, **options):
        seen.append(look)
        return before(image, points, visible, look, **options)

    monkeypatch.setattr(pipeline, "affine_sample", watch)
    return seen


def body(box=(60.0, 20.0, 100.0, 180.0), points=None):
    """A set of one upright person with COCO's 17 points."""
    info = coco_info()
    rng = np.random.default_rng(2)
    corner, sides = np.array(box[:2]), np.array(box[2:]) - box[:2]
    points = corner + sides * rng.uniform(0, 1, (17, 2)) if points is None else points
    row = {"points": points[None], "visible": np.full((1, 17), 2), "boxes": np.array([box])}
    dataset = PointSet(info, "train", ["one"], (), [row], "drawn")
    dataset.image = lambda i: np.zeros((200, 160, 3), np.uint8)
    return dataset


@pytest.mark.parametrize(("options", "least", "most", "turn"), [
    ({}, 0.65, 1.35, 90), ({"scaling": 0.25, "rotation": 30}, 0.75, 1.25, 60),
    ({"convention": "mmlab"}, 0.5, 1.5, 80), ({"convention": "mmlab", "scaling": 0.25, "rotation": 60}, 0.75, 1.25, 60),
])  # fmt: skip
def test_ranges_are_those_of_the_rules(monkeypatch, options, least, most, turn):
    seen = recorded(monkeypatch)
    for _ in pipeline.training(body(), batch=1, input_size=(64, 64), half_body=0, **options).take(300):
        pass
    factors = np.array([np.max(look.scale) for look in seen]) * 200 / (1.25 * 160)
    turns = np.abs([look.rotation for look in seen])
    assert least <= factors.min() < least + 0.1 and most - 0.1 < factors.max() <= most
    assert 0.8 * turn < turns.max() <= turn and 0.25 < np.mean(turns == 0) < 0.55
    assert 0.38 < np.mean([look.flip for look in seen]) < 0.62
    moved = np.mean([not np.allclose(look.center, (80, 100)) for look in seen])
    assert 0.2 < moved < 0.42 if options.get("convention") else moved == 0


def test_half_bodies_are_shown_as_often_as_asked(monkeypatch):
    seen = recorded(monkeypatch)
    for _ in pipeline.training(body(), batch=1, input_size=(64, 64), scaling=0, half_body=0.5, flip=0).take(200):
        pass
    assert 0.35 < np.mean([not np.allclose(look.center, (80, 100)) for look in seen]) < 0.65


def test_mmpose_moves_by_shares_of_the_box_and_widens_afterwards(monkeypatch):
    """A tall person is moved by 0.16 of its own padded width, at most, not by that of the square it is shown in."""
    seen = recorded(monkeypatch)
    options = {"convention": "mmlab", "half_body": 0, "scaling": 0, "shift": 1}
    for _ in pipeline.training(body(), batch=1, input_size=(64, 64), **options).take(300):
        pass
    moves = np.array([look.center for look in seen]) - (80, 100)
    most = 0.16 * 1.25 * np.array([40, 160])
    assert (np.abs(moves) <= most).all() and (np.abs(moves).max(0) > 0.9 * most).all()
    np.testing.assert_allclose([look.scale for look in seen], [[0.25, 1.0]] * len(seen))


@pytest.mark.parametrize("codec", [None, "dark", "udp"])
def test_mmposes_crops_and_maps(coco, codec):
    for picture, row, image, maps, weights in epoch(coco, convention="mmlab", codec=codec, shift=0, **STILL):
        example = coco.example(picture)
        left, top, right, bottom = example["boxes"][row]
        wide, high = 1.25 * (right - left), 1.25 * (bottom - top)
        wide, high = max(wide, 0.75 * high), max(high, wide / 0.75)
        make = affine.udp_matrix if codec == "udp" else affine.crop_matrix
        matrix = make(((left + right) / 2, (top + bottom) / 2), (wide / 200, high / 200), SIZE)
        np.testing.assert_array_equal(image, affine.warp(example["image"], matrix, SIZE))
        expected, inside = encode(affine.transform(example["points"][row], matrix), example["visible"][row],
                                  codec=codec or "msra", input_size=SIZE, map_size=(64, 48))  # fmt: skip
        np.testing.assert_allclose(maps, expected, atol=1e-6)
        np.testing.assert_array_equal(weights, inside)


def test_mpiis_centres_go_down_and_scales_are_padded_where_they_are_known():
    """The official reader, on its numbers counted from 1: `c[1] += 15 * s` and `s *= 1.25` unless `c[0] == -1`."""
    info = mpii_info()
    example = {
        "centers": [[100.0, 50.0], [-2.0, -2.0], [-1.0, 4.0]],
        "scales": [2.0, 3.0, 1.0],
        "boxes": np.zeros((3, 4)),
    }
    centers, scales = pipeline.centers_and_scales(example, info, 1.0)
    np.testing.assert_allclose(centers, [[100, 80], [-2, -2], [-1, 19]])
    np.testing.assert_allclose(scales, [[2.5, 2.5], [3, 3], [1.25, 1.25]])
    np.testing.assert_allclose(pipeline.centers_and_scales(example, info, 0.75)[1][0], [2.5, 2.5 / 0.75])
    assert example["centers"][0] == [100, 50]


def test_mpiis_persons_are_cropped_by_centre_and_scale(tmp_path, monkeypatch):
    seen = recorded(monkeypatch)
    dataset = datasets.load("mpii", "train", point_files.mpii(tmp_path, {"train": 1}))
    epoch(dataset, (64, 64), **STILL)
    for look in seen:
        np.testing.assert_allclose(look.center, (80, 60 + 15 * 0.5))
        np.testing.assert_allclose(look.scale, (0.625, 0.625))


def test_nobody_and_the_unlabelled_are_no_samples():
    dataset = datasets.load("toytown", "train", count=8, annotation="figures")
    found = pipeline.samples(dataset)
    counts = [len(dataset.annotations(i)["points"]) for i in range(8)]
    assert len(found) == sum(counts) and 0 in counts
    assert [sum(1 for picture, _ in found if picture == i) for i in range(8)] == counts


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"input_size": (100, 64)}, r"input_size=\(100, 64\): expected \(height, width\), multiples of 32"),
        ({"input_size": (64,)}, "multiples of 32"),
        ({"convention": "mmpose"}, "convention='mmpose': expected 'official' or 'mmlab'"),
        ({"codec": "udp_combined"}, "codec='udp_combined': expected one of 'official', 'msra', 'dark', 'udp'"),
        ({"codec": "best"}, "codec='best'"),
        ({"shift": 0.3}, r"shift=0\.3: the official convention moves no crop"),
        ({"convention": "mmlab", "shift": 2}, "shifting=2|shift=2"),
        ({"half_body": 1.1}, r"half_body=1\.1: expected how often"),
        ({"scaling": 1.0}, "scaling=1.0: expected 0 up to"),
        ({"rotation": 181}, "rotation=181"),
        ({"batch": 2}, r"batch=2: expected 1\.\.1, the set has 1 examples"),
    ],
)
def test_what_cannot_be_is_refused(options, expected):
    with pytest.raises(ValueError, match=expected):
        pipeline.training(body(), **{"batch": 1, "input_size": (64, 64), **options})


def test_the_whole_person_is_in_the_crop_and_labels_stay_with_their_dots():
    """Looks with chance, checked in the pixels: whatever is labelled shows in the colour of its dot."""
    rng = np.random.default_rng(0)
    boxes = np.array([[30.0, 20, 90, 110], [120, 40, 190, 140]])
    points = dots.instances(rng, boxes)
    row = {"points": points, "visible": np.full((2, 3), 2), "boxes": boxes}
    dataset = PointSet(dots.INFO, "train", ["one"], (), [row], "drawn")
    dataset.image = lambda i: dots.picture((160, 220), points, spread=2.0)
    checked = 0
    for images, targets in pipeline.training(dataset, batch=2, input_size=(128, 96)).take(20):
        for image, maps, weights in zip(
            images.numpy(), targets[:, :-1].numpy(), targets[:, -1, 0].numpy(), strict=True
        ):
            for k in range(3):
                y, x = (4 * place for place in np.unravel_index(maps[..., k].argmax(), (32, 24)))
                if weights[k] and maps[..., k].max() == 1:
                    red, green, _ = image[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].max((0, 1))
                    assert red > 120 > green if k == 0 else green > 120 > red
                    checked += 1
    assert checked > 90


def test_a_look_may_be_a_point():
    """Scales of one number (faces) and of two (persons) are the same crop."""
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    options = {"size": (32, 32), "codec": "official", "sigma": 2.0, "flip_pairs": ()}
    one, two = (
        module.affine_sample(image, np.ones((1, 2)), [1], Look(np.array([20.0, 20]), scale, 0.0, False), **options)
        for scale in (0.1, np.array([0.1, 0.1]))
    )
    np.testing.assert_array_equal(one[0], two[0])

"""The graph of a SavedModel beside OpenCV and beside the functions that predict without it."""

import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_keras.datasets import load, read_image
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.keypoints import affine, serving
from hrnet_keras.tasks.keypoints.inference import HeatmapProcessor
from hrnet_keras.tasks.keypoints.spec import KeypointSpec
from tests import dots, point_files

SIZE = (256, 192)
FMA3, NEON = 12, 100  # OpenCV's numbers of these processor features


def crops_of(picture, back, size):
    back = np.asarray(back)
    steps = np.stack([back[:, 0, 0], back[:, 1, 1]], axis=1)
    return serving.warp(tf.constant(picture), tf.constant(steps), tf.constant(back[:, :, 2]), size).numpy()


@pytest.mark.parametrize("unbiased", [False, True])
def test_maps_back_are_the_inverses_of_the_crops_maps(unbiased):
    rng = np.random.default_rng(0)
    centers, sides = rng.uniform(-50, 500, (6, 2)), rng.uniform(5, 900, (6, 1)) * [1, 4 / 3]
    steps, begins = affine.upright_maps(centers, sides, SIZE, unbiased=unbiased)
    make = affine.udp_matrix if unbiased else affine.crop_matrix
    for center, side, step, begin in zip(centers, sides, steps, begins, strict=True):
        expected = affine.inverse(make(center, side / 200, SIZE))
        np.testing.assert_allclose(np.column_stack([np.diag(step), begin]), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("codec", ["official", "udp"])
def test_graph_and_python_cut_the_sample_persons_alike(samples, tmp_path, codec):
    dataset = load("coco", "val", point_files.from_samples(samples, "coco", tmp_path))
    spec = KeypointSpec("official", codec, SIZE, 17, False)
    processor = HeatmapProcessor(spec, decode_heatmaps=None)
    make = affine.udp_matrix if spec.unbiased else affine.crop_matrix
    persons = 0
    for i in range(len(dataset)):
        example = dataset.example(i)
        centers, scales = affine.center_scale(example["boxes"], spec.aspect_ratio)
        expected, backs = processor.affine_crops(example["image"], centers, scales)
        crops, graph_backs = tf.function(serving.affine_crops)(example["image"], centers, scales * affine.UNIT, spec)
        np.testing.assert_allclose(graph_backs, backs, rtol=1e-12)  # the graph widens what is as wide already
        assert worst_difference(crops, expected) == 0
        for center, scale, crop in zip(centers, scales, expected, strict=True):
            assert np.abs(affine.warp(example["image"], make(center, scale, SIZE), SIZE) - crop.astype(int)).max() <= 1
        persons += len(centers)
    assert persons == 12


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (96, 96)])
def test_a_thousand_crops_are_opencvs_to_the_bit(size):
    """Reduced up to ten times, enlarged, and reaching beyond the picture on every side."""
    rng = np.random.default_rng(size[0])
    warp = tf.function(serving.warp, reduce_retracing=True)
    worst = 0
    for _ in range(20):
        picture = rng.integers(0, 256, (*rng.integers(20, 300, 2), 3), dtype=np.uint8)
        steps = np.repeat(rng.uniform(0.1, 1, (50, 1)) ** 2 * 10, 2, axis=1)
        begins = rng.uniform(-0.5, 1, (50, 2)) * [picture.shape[1], picture.shape[0]]
        crops = warp(picture, steps, begins, size)
        for crop, step, begin in zip(crops, steps, begins, strict=True):
            back = np.column_stack([np.diag(step), begin])
            worst = max(worst, worst_difference(crop, affine.warp(picture, back, size, is_inverse=True)))
    assert worst == 0


def worst_difference(crops, expected):
    """In grey levels; one is forgiven where OpenCV has no fused multiply-add to compute with."""
    has_fused = cv2.checkHardwareSupport(FMA3) or cv2.checkHardwareSupport(NEON)
    worst = np.abs(np.asarray(crops) - expected).max()
    if worst == 1 and not has_fused:
        return 0
    return worst


def test_a_width_that_fills_no_register_is_off_by_a_grey_level_at_most():
    """OpenCV computes the last columns without fused operations."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    backs = [affine.inverse(affine.crop_matrix((150, 100), scale, (96, 72))) for scale in rng.uniform(0.1, 2, 50)]
    expected = np.stack([affine.warp(picture, back, (96, 72), is_inverse=True) for back in backs])
    differences = np.abs(crops_of(picture, backs, (96, 72)) - expected)
    assert differences.max() <= 1 and differences.mean() < 1e-4


def test_beyond_the_picture_is_black_and_floats_stay_whole():
    picture = np.full((40, 40, 3), 200, np.uint8)
    back = affine.inverse(affine.crop_matrix((0, 20), 0.2, (40, 40)))
    found = crops_of(picture, [back], (40, 40))[0]
    assert (found[:, :19] == 0).all() and (found[:, 20:] == 200).all() and (found == found.round()).all()


def signatures(task, codec="official", **info):
    model = dots.model(task, (64, 64), codec, **info)
    known = model.layers[-1].info
    return {one.name: tf.function(one.function, input_signature=one.inputs)
            for one in task_named(task).module("serving").signatures(model, known)}  # fmt: skip


def png(image, kind="PNG", **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return tf.constant(file.getvalue())


NEAR = 2.0  # pixels of these pictures: a pixel of the maps shows 2.5, and the official convention answer whole ones
PAIR = np.array([[[22.0, 26], [30, 20], [15, 22]], [[72.0, 30], [80, 24], [64, 22]]])
BOXES = tf.constant([[8.0, 8, 38, 40], [56, 8, 88, 44]])
BAD = tf.constant([
    [np.nan, 0, 1, 1], [5, 5, 5, 5], [9, 9, 3, 20], [-1e30, -1e30, 1e30, 1e30], [1e9, 1e9, 1e9 + 64, 1e9 + 64],
    [0, 0, np.inf, 4], [3, 3, 3.01, 3.01],
], tf.float32)  # fmt: skip


@pytest.mark.parametrize(("task", "codec"), [("landmark", "official"), ("landmark", "udp"), ("pose", "official")])
def test_every_signature_finds_the_dots(task, codec):
    ask, image = signatures(task, codec), dots.picture((60, 100), PAIR, spread=1.5)
    contents = png(image)
    of_one = ask["picture"](contents, BOXES)
    of_each = ask["serving_default"](tf.stack([contents, contents]), BOXES)
    of_pixels = ask["images"](tf.constant(np.stack([image, image])), BOXES)
    assert of_one["points"].dtype == of_one["scores"].dtype == tf.float32
    assert np.abs(of_one["points"].numpy() - PAIR).max() <= NEAR and of_one["scores"].numpy().min() > 0.05
    for found in (of_each, of_pixels):
        for word in ("points", "scores"):
            np.testing.assert_allclose(found[word], of_one[word], atol=1e-4)


@pytest.mark.parametrize("task", ["landmark", "pose"])
def test_pictures_of_a_batch_may_differ_in_size_and_kind(task):
    ask, small, large = signatures(task), dots.picture((44, 50), PAIR[:1]), dots.picture((60, 100), PAIR[1:])
    found = ask["serving_default"](tf.stack([png(small), png(large, "JPEG", quality=95)]), BOXES)["points"]
    assert np.abs(found.numpy() - PAIR).max() <= NEAR


@pytest.mark.parametrize("task", ["landmark", "pose"])
def test_no_box_is_no_answer(task):
    ask, image = signatures(task), dots.picture((60, 100), PAIR)
    found = ask["picture"](png(image), tf.zeros((0, 4)))
    assert found["points"].shape == (0, 3, 2) and found["scores"].shape == (0, 3)


@pytest.mark.parametrize("task", ["landmark", "pose"])
def test_boxes_that_are_none_spoil_no_other_answer(task):
    ask, contents = signatures(task), png(dots.picture((60, 100), PAIR, spread=1.5))
    boxes = tf.concat([BOXES[:1], BAD, BOXES[1:]], 0)
    for found in (ask["picture"](contents, boxes), ask["serving_default"](tf.fill([len(boxes)], contents), boxes)):
        points, scores = found["points"].numpy(), found["scores"].numpy()
        assert np.abs(points[[0, -1]] - PAIR).max() <= NEAR
        for row in (1, 2, 3, 6):  # no number, no area, inside out, endless
            assert (points[row] == 0).all() and (scores[row] == 0).all()
        assert np.isfinite(scores).all()


@pytest.mark.parametrize("kind", ["grey", "palette", "rgba", "la", "1"])
def test_pictures_of_every_kind_are_read_as_by_predict(tmp_path, kind):
    """Grey is widened, transparency dropped; turned ones: tests/test_saved_model.py."""
    ask, image = signatures("pose"), Image.fromarray(dots.picture((60, 100), PAIR))
    made = {
        "grey": lambda: image.convert("L"),
        "palette": lambda: image.quantize(64),
        "rgba": lambda: image.convert("RGBA"),
        "la": lambda: image.convert("LA"),
        "1": lambda: image.convert("1"),
    }[kind]()
    if kind == "rgba":
        made.putalpha(3)
    path = tmp_path / "a.png"
    made.save(path)
    stored = read_image(path)
    assert stored.shape == (60, 100, 3)
    found = ask["picture"](tf.io.read_file(str(path)), BOXES)
    expected = ask["images"](tf.constant(np.stack([stored, stored])), BOXES)
    np.testing.assert_array_equal(found["points"], expected["points"])
    np.testing.assert_array_equal(found["scores"], expected["scores"])

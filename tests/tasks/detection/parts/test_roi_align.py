"""RoIAlign beside mmcv's numbers and beside samples written out one by one; both forms, and their gradients."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from hrnet_keras.tasks.detection.parts.levels import roi_levels
from hrnet_keras.tasks.detection.parts.roi_align import FORMS, default_form, roi_align
from hrnet_keras.tasks.detection.parts.roi_samples import ALIGNED, MASKRCNN_BENCHMARK, V1, RoiSampling
from tests.tasks.detection.parts.reference import network_golden, pyramid, roi_matrix

CONVENTIONS = {
    "aligned_sr0": ALIGNED,
    "aligned_sr2": RoiSampling(sampling_ratio=2),
    "legacy_sr2": MASKRCNN_BENCHMARK,
    "v1_sr2": V1,
}
# Beside usual boxes: one beyond the picture, one far outside, one without area, one as thin as a hair, one too large.
BOXES = np.float32([
    [3, 5, 40, 61], [10, 2, 17, 90], [0, 0, 160, 128], [-30, -20, 20, 9], [500, 500, 600, 620],
    [12, 12, 12, 12], [33, 3, 33.01, 120], [-90, -90, 400, 400], [60, 60, 68, 71], [0, 0, 0, 0],
])  # fmt: skip


def maps_of(rng, batch=1, channels=5):
    return [rng.standard_normal((batch, 128 // s, 160 // s, channels)).astype(np.float32) for s in (4, 8, 16, 32)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [
    "aligned_sr0_o7_s4", "aligned_sr0_o7_s8", "aligned_sr0_o14_s4", "aligned_sr0_o14_s8", "aligned_sr2_o7_s4",
    "legacy_sr2_o7_s4", "v1_sr2_o7_s4"])  # fmt: skip
def test_goldens(golden, name, form):
    arrays = golden("detection", "det_roi_align")[1]
    convention, size, stride = name.rsplit("_", 2)
    maps = arrays["feat"].transpose(0, 2, 3, 1)
    boxes = np.stack([arrays["rois"][:, 1:]] * len(maps))
    pooled = roi_align(
        [maps], boxes, size=int(size[1:]), strides=[int(stride[1:])], sampling=CONVENTIONS[convention], form=form
    )
    picture = arrays["rois"][:, 0].astype(int)
    pooled = ops.convert_to_numpy(pooled)[picture, np.arange(len(picture))]
    np.testing.assert_allclose(
        pooled.transpose(0, 3, 1, 2), arrays[name], rtol=0, atol=2e-5
    )  # the README asks for 1e-4


def test_levels_of_the_golden(golden):
    arrays = golden("detection", "det_roi_align")[1]
    np.testing.assert_array_equal(roi_levels(arrays["level_rois"][:, 1:]), arrays["levels"])


def test_levels_at_the_borders():
    sides = np.float32([0, 111.9, 112, 223.9, 224, 447, 448, 5000])
    boxes = np.stack([sides * 0, sides * 0, sides, sides], -1)
    assert roi_levels(boxes).numpy().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert roi_levels(np.float32([[0, 0, 111, 111]]), plus_one=True).numpy().tolist() == [1]
    assert roi_levels(np.float32([[9, 9, 3, 3], [5, 9, 9, 5]])).numpy().tolist() == [0, 0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", ["det_faster_rcnn_w18_128x192", "det_mask_rcnn_w18_128x160"])
def test_pyramids_of_networks(case, form):
    arrays = network_golden(case)[1]
    boxes = arrays["rois"][None, :, 1:]
    np.testing.assert_array_equal(roi_levels(boxes)[0], arrays["roi_levels"])
    for name, size in (("roi_feats7", 7), ("roi_feats14_4", 14)):
        if name in arrays:
            pooled = ops.convert_to_numpy(roi_align(pyramid(arrays), boxes, size=size, form=form))[0]
            off = np.abs(pooled[: len(arrays[name])].transpose(0, 3, 1, 2) - arrays[name])
            assert off.max() < 2e-4 * arrays[name].std()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sampling", CONVENTIONS.values(), ids=CONVENTIONS)
@pytest.mark.parametrize("size", [3, 7])
def test_samples_one_by_one_and_their_gradient(sampling, size, form):
    """RoIAlign is linear in the maps: its value is a matrix times them, its gradient that matrix transposed."""
    rng = np.random.default_rng(1)
    maps = maps_of(rng)
    upstream = rng.standard_normal((1, len(BOXES), size, size, 5)).astype(np.float32)
    variables = [tf.Variable(x) for x in maps]
    with tf.GradientTape() as tape:
        pooled = roi_align(variables, BOXES[None], size=size, sampling=sampling, form=form)
    gradients = tape.gradient(pooled, variables, output_gradients=tf.constant(upstream))
    levels = roi_levels(BOXES, plus_one=sampling.plus_one).numpy()
    expected = [np.zeros(x.shape) for x in maps]
    for i, (box, level) in enumerate(zip(BOXES.astype(float), levels, strict=True)):
        matrix = roi_matrix(box, 4 * 2**level, maps[level].shape[1:3], size, sampling)
        np.testing.assert_allclose(pooled[0, i], np.einsum("pqyx,yxc->pqc", matrix, maps[level][0]), atol=2e-5)
        expected[level][0] += np.einsum("pqyx,pqc->yxc", matrix, upstream[0, i])
    for gradient, value in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, value, atol=2e-5)


@pytest.mark.parametrize("form", FORMS)
def test_pictures_of_a_batch_keep_to_themselves(form):
    rng = np.random.default_rng(2)
    maps = maps_of(rng, batch=3)
    boxes = np.stack([BOXES, BOXES[::-1], np.zeros_like(BOXES)])
    pooled = roi_align(maps, boxes, size=7, form=form).numpy()
    for i in range(3):
        alone = roi_align([x[i : i + 1] for x in maps], boxes[i : i + 1], size=7, form=form).numpy()
        np.testing.assert_allclose(pooled[i], alone[0], atol=1e-6)
    assert not pooled[2].any()


def test_many_boxes_of_all_sizes_in_graphs():
    """More boxes than a chunk holds, windows of every size; eager, in a graph, compiled by XLA: the same.

    But for the last bit of a coordinate, as graphs divide by constants otherwise.
    """
    rng = np.random.default_rng(3)
    maps = maps_of(rng, batch=2)
    corner = rng.uniform(-10, 120, (2, 77, 2))
    boxes = np.concatenate([corner, corner + np.exp(rng.uniform(0, 5, (2, 77, 2)))], -1).astype(np.float32)
    expected = roi_align(maps, boxes, size=7, form="windows").numpy()
    for form, compiled in (("windows", False), ("dense", False), ("dense", True), (None, True), (None, False)):
        function = tf.function(lambda boxes, form=form: roi_align(maps, boxes, size=7, form=form), jit_compile=compiled)
        np.testing.assert_allclose(function(tf.constant(boxes)), expected, atol=3e-5)


def test_sizes_that_are_only_known_in_the_graph():
    specs = [tf.TensorSpec((None, None, None, 5)) for _ in range(4)]
    function = tf.function(
        lambda boxes, *maps: roi_align(maps, boxes, size=7, form="windows"),
        input_signature=[tf.TensorSpec((None, 10, 4)), *specs],
    )
    maps = maps_of(np.random.default_rng(4))
    expected = roi_align(maps, BOXES[None], size=7)
    np.testing.assert_allclose(function(BOXES[None], *maps), expected, atol=3e-5)


@pytest.mark.parametrize("form", FORMS)
def test_half_precision_maps(form):
    maps = maps_of(np.random.default_rng(5))
    half = [ops.cast(x, "bfloat16") for x in maps]
    with tf.GradientTape() as tape:
        tape.watch(half)
        pooled = roi_align(half, BOXES[None], size=7, form=form)
    assert {x.dtype for x in (pooled, *tape.gradient(pooled, half))} == {tf.bfloat16}
    expected = roi_align(maps, BOXES[None], size=7, form=form)
    np.testing.assert_allclose(ops.cast(pooled, "float32"), expected, atol=0.03)  # 8 bits of bfloat16


@pytest.mark.parametrize("form", FORMS)
def test_no_boxes(form):
    assert roi_align(maps_of(np.random.default_rng(6)), np.zeros((1, 0, 4)), size=7, form=form).shape == (1, 0, 7, 7, 5)


def test_default_form_on_a_processor():
    seen = []
    for compiled in (True, False):
        tf.function(lambda: seen.append(default_form()), jit_compile=compiled)()
    if not tf.config.list_physical_devices("GPU"):
        assert [*seen, default_form()] == ["dense", "windows", "windows"]


def test_mistakes():
    maps = maps_of(np.random.default_rng(7))
    with pytest.raises(ValueError, match="expected one for each of the 4 maps"):
        roi_align(maps, BOXES[None], size=7, strides=(4, 8))
    with pytest.raises(ValueError, match="form='sparse'"):
        roi_align(maps, BOXES[None], size=7, form="sparse")

"""CenterNet beside its authors' modules: pools, head, decoding, targets and losses."""

import zlib

import keras
import numpy as np
import pytest

from hrnet_keras.checkpoints.model_weights import to_keras_layout, torch_names
from hrnet_keras.tasks.detection.parts.corner_pooling import DEPTH, CornerPool, running_max
from hrnet_keras.tasks.detection.parts.soft_nms import soft_nms
from hrnet_keras.tasks.detection.parts.triplet_head import OUTPUTS, triplet_head
from hrnet_keras.tasks.detection.parts.triplet_losses import heat_loss, offset_loss, tag_losses
from hrnet_keras.tasks.detection.parts.triplet_targets import heat_maps, spot_radius, spots_of
from hrnet_keras.tasks.detection.parts.triplets import Pairs, Points, TripletRules, pair, peaks, with_centers
from hrnet_keras.tasks.detection.parts.truths import Truths
from tests.tasks.detection.parts.reference import network_golden, state_of

RULES = TripletRules()


def last(array):
    """Channels last."""
    return array.transpose(0, 2, 3, 1)


@pytest.fixture(scope="module")
def decoded():
    return network_golden("det_centernet_decode")[1]


def test_head(weights_rule):
    meta, arrays = network_golden("det_centernet_head")
    state = {f"bbox_{name}": value for name, value in state_of(meta, arrays, weights_rule).items()}
    inputs = keras.Input((None, None, 64))
    outputs = triplet_head(inputs, 80, channels=64, predictors=32)
    model = keras.Model(inputs, outputs)
    names = torch_names(model, "mmdet")
    for name, variable in names:
        variable.assign(to_keras_layout(state[name], name, variable, "mmlab"))
    assert {name for name, _ in names} == {name for name in state if not name.endswith("num_batches_tracked")}
    shape = (1, 64, *arrays["tl_heat"].shape[2:])
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(b"det_centernet_head")))
    x = last(generator.standard_normal(shape).astype(np.float32))
    taps = {f"{point}_cnv": model.get_layer(f"bbox_head.{point}_cnv.conv2.bn").output for point in ("tl", "br", "ct")}
    found = keras.Model(inputs, {**taps, **outputs})(x)
    for word, value in found.items():
        value, expected = np.asarray(value), last(arrays[word])
        if word in taps:
            value = np.maximum(value, 0)
        assert np.abs(value - expected).max() < 1e-4 * expected.std(), word
    assert set(outputs) == set(OUTPUTS)


def test_pools():
    _, arrays = network_golden("det_centernet_head")
    for side in ("top", "bottom", "left", "right"):
        found = CornerPool(side)(last(arrays["pool_in"]))
        np.testing.assert_array_equal(found, last(arrays[f"{side.capitalize()}Pool"]))


@pytest.mark.parametrize("length", [1, 15, 16, 17, 130, 300])
@pytest.mark.parametrize("axis", [1, 2])
def test_lines_of_any_length(length, axis):
    shape = [2, 3, 3, 4]
    shape[axis] = length
    x = np.random.default_rng(length).standard_normal(shape).astype(np.float32)
    np.testing.assert_array_equal(running_max(x, axis), np.maximum.accumulate(x, axis))
    backwards = np.flip(np.maximum.accumulate(np.flip(x, axis), axis), axis)
    np.testing.assert_array_equal(running_max(x, axis, reverse=True), backwards)
    if length == 130:  # also of a size that the graph does not know
        model = keras.Model(inputs := keras.Input((None, None, 4)), CornerPool("top" if axis == 1 else "left")(inputs))
        np.testing.assert_array_equal(model.predict(x, verbose=0), backwards)
    assert 16**DEPTH >= 4096


def test_decoding(decoded):
    maps = {name: last(decoded[name]) for name in OUTPUTS}
    starts = peaks(maps["tl_heat"], maps["tl_regr"], 70, maps["tl_tag"])
    ends = peaks(maps["br_heat"], maps["br_regr"], 70, maps["br_tag"])
    centers = peaks(maps["ct_heat"], maps["ct_regr"], 70)
    expected = decoded["centers"][0]
    np.testing.assert_allclose(centers.places[0], expected[:, :2], atol=1e-4)
    np.testing.assert_array_equal(centers.labels[0], expected[:, 2])
    np.testing.assert_allclose(centers.scores[0], expected[:, 3], atol=1e-5)
    pairs = pair(starts, ends, RULES)
    expected = decoded["valid_detections"]
    count = len(expected)
    scores = np.asarray(pairs.scores)[0]
    assert (scores[:count] >= 0).all() and (scores[count:] == -1).all()
    np.testing.assert_allclose(scores[:count], expected[:, 4], atol=1e-5)
    np.testing.assert_allclose(pairs.boxes[0][:count], expected[:, :4], atol=1e-4)
    np.testing.assert_array_equal(pairs.labels[0][:count], expected[:, 7])


def test_centers_join_scores():
    """The middle third of small boxes, the middle fifth of large ones, not its edge; the best centre of a class."""
    boxes = np.float32([[0, 0, 30, 30], [0, 0, 30, 30], [0, 0, 200, 200], [0, 0, 200, 200]])
    labels = np.int32([0, 1, 2, 3])
    places = np.float32([[12, 12], [19, 11], [20, 15], [82, 100], [79, 100]])
    classes, scores = np.int32([0, 0, 1, 2, 3]), np.float32([0.3, 0.9, 0.8, 0.6, 0.7])
    centers = Points(scores[None], classes[None], places[None], None)
    found = with_centers(Pairs(boxes[None], np.full((1, 4), 0.6, np.float32), labels[None]), centers, RULES)
    np.testing.assert_allclose(found.scores[0], [(1.2 + 0.9) / 3, -1, (1.2 + 0.6) / 3, -1], rtol=1e-6)


def test_soft_suppression():
    """The fourth box is of another class; scores fall by the overlap with what was taken before, pixels counted."""
    boxes = np.float32([[0, 0, 9, 9], [0, 5, 9, 14], [50, 50, 60, 60], [0, 0, 9, 9], [0, 0, 9, 9]])[None]
    scores = np.float32([[0.9, 0.8, 0.7, 0.6, 0.001]])
    groups = np.int32([[0, 0, 0, 1, 0]])
    valid = np.ones((1, 5), bool)
    kept = soft_nms(boxes, scores, valid, groups=groups, max_output=6, plus_one=True)
    weakened = 0.8 * np.exp(-((50 / 150) ** 2) / 0.5)
    assert np.asarray(kept.valid).tolist() == [[True] * 4 + [False] * 2]
    np.testing.assert_array_equal(kept.indices[0][:4], [0, 2, 1, 3])
    np.testing.assert_allclose(kept.scores[0], [0.9, 0.7, weakened, 0.6, 0, 0], rtol=1e-5)


def test_targets(decoded):
    rows = decoded["loss_objects"]
    for word, first, part in (("tl", 2, 6.0), ("br", 4, 6.0), ("ct", None, 5.0)):
        expected = last(decoded[f"gt_{word}"])
        for image in (0, 1):
            own = rows[rows[:, 0] == image]
            cells = own[:, first : first + 2] if first else (own[:, 2:4] + own[:, 4:6]) // 2
            labels, radii = own[:, 1].astype(np.int32), own[:, 6].astype(np.float32)
            known = np.ones((1, len(own)), bool)
            found = heat_maps(
                cells[None].astype(np.int32), radii[None], labels[None], known, expected.shape[1:3], 5, part
            )
            np.testing.assert_allclose(found[0], expected[image], atol=1e-5)
    width, height = rows[:, 4] - rows[:, 2], rows[:, 5] - rows[:, 3]
    radii = spot_radius(width.astype(np.float32), height.astype(np.float32), 0.7)
    np.testing.assert_array_equal(radii, rows[:, 6])


def test_spots():
    boxes = np.float32([[[5, 6, 30, 50], [0, 0, 64, 64], [3, 3, 3, 9]]])
    truths = Truths.of({"boxes": boxes, "labels": np.int32([[1, 0, 2]])}, np.float32([[64, 64]]))
    spots = spots_of(truths, 4, 0.7)
    assert np.asarray(spots.valid).tolist() == [[True, True, False]]  # one has no width
    np.testing.assert_array_equal(spots.cells["tl"][0][:2], [[1, 1], [0, 0]])
    np.testing.assert_array_equal(spots.cells["br"][0][:2], [[7, 12], [15, 15]])  # the last pixel is 63
    np.testing.assert_allclose(spots.offsets["ct"][0][0], [0.375, 0], atol=1e-6)


def test_losses(decoded):
    for i, word in enumerate(("tl", "br", "ct")):
        loss = heat_loss(last(decoded[f"pred_{word}"]), last(decoded[f"gt_{word}"]))
        assert np.mean(loss) == pytest.approx(decoded["focal"][i], rel=1e-4)
        loss = offset_loss(decoded["pred_regr"][i], decoded["gt_regr"][i], decoded["mask"] > 0)
        assert np.mean(loss) == pytest.approx(decoded["regr"][i], rel=1e-4)
    pull, push = tag_losses(*decoded["tags"], decoded["mask"] > 0)
    assert np.sum(pull) == pytest.approx(float(decoded["pull"]), rel=1e-4)
    assert np.sum(push) == pytest.approx(float(decoded["push"]), rel=1e-4)

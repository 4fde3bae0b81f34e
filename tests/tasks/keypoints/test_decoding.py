"""Points from heat maps, against mmpose, in every kind of graph and on every backend."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.tasks.keypoints.decoding import CODECS, decode, peaks
from hrnet_keras.tasks.keypoints.encoding import encode

MMPOSE = {"msra": "msra", "dark": "dark", "udp": "udp"}
CASES = [("landmark", "mmpose_codec_face"), ("landmark", "mmpose_codec_face_s1p5"), ("pose", "mmpose_codec_body")]
TOLERANCES = {"msra": 1e-5, "dark": 1e-2, "udp": 1e-2}  # the goldens': logarithm and blur round


def test_the_peak_is_the_first_of_the_highest():
    maps = np.random.default_rng(0).integers(0, 4, (3, 7, 9, 5)).astype(np.float32)  # full of ties
    x, y, scores = (np.asarray(value) for value in peaks(maps))
    flat = maps.reshape(3, 63, 5)
    np.testing.assert_array_equal(y * 9 + x, flat.argmax(1))
    np.testing.assert_array_equal(scores, flat.max(1))


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_mmpose(golden, kind, case):
    _, arrays = golden(kind, case)
    heatmaps, size = arrays["in_heatmaps"].transpose(1, 2, 0)[None], arrays["in_input_size_wh"]
    for word, codec in MMPOSE.items():
        if f"out_{word}_decoded" not in arrays:
            continue
        answer = decode(heatmaps, codec=codec, input_size=size[::-1].tolist())
        points = np.asarray(answer["points"])
        if (
            codec == "udp"
        ):  # mmpose states map pixels / (map - 1) * input; pixels of the input are / (map - 1) * (input - 1)
            points = points / (size - 1) * size
        np.testing.assert_allclose(points, arrays[f"out_{word}_decoded"], atol=TOLERANCES[codec], rtol=0)
        np.testing.assert_allclose(answer["scores"], arrays[f"out_{word}_scores"], rtol=1e-6)


def test_udp_on_faint_maps():
    """Where the map sinks below the 0.001 at which its logarithm is cut, after the rule written out point by point."""
    cv2 = pytest.importorskip("cv2")
    points = np.array([[1.0, 30.0], [90.0, 60.0], [100.0, 95.0], [126.0, 3.0]])
    maps, _ = encode(points, np.ones(4), codec="udp", input_size=(128, 128), map_size=(32, 32), sigma=1.0)
    maps = maps * np.float32(0.0015)
    found = np.asarray(decode(maps[None], codec="udp")["points"])[0] * 31 / 127
    for k in range(4):
        padded = cv2.GaussianBlur(np.pad(maps[..., k], 5), (11, 11), 0)[5:-5, 5:-5]
        logs = np.pad(np.log(np.clip(padded * maps[..., k].max() / padded.max(), 1e-3, 50)), 1, mode="edge")
        y, x = np.unravel_index(maps[..., k].argmax(), (32, 32))
        f = logs[y : y + 3, x : x + 3].astype(np.float64)
        gradient = np.array([f[1, 2] - f[1, 0], f[2, 1] - f[0, 1]]) / 2
        xx, yy = f[1, 2] - 2 * f[1, 1] + f[1, 0], f[2, 1] - 2 * f[1, 1] + f[0, 1]
        xy = (f[2, 2] - f[1, 2] - f[2, 1] + 2 * f[1, 1] - f[1, 0] - f[0, 1] + f[0, 0]) / 2
        hessian = np.array([[xx, xy], [xy, yy]]) + np.eye(2) * np.finfo(np.float32).eps
        np.testing.assert_allclose(found[k], (x, y) - np.linalg.solve(hessian, gradient), atol=1e-3)


def test_udp_combined_looks_up_the_offset_at_the_blurred_peak():
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(5)
    points = rng.uniform(30, 160, (1, 6, 2))
    maps, _ = encode(points[0], np.ones(6), codec="udp_combined", input_size=(256, 192), map_size=(64, 48))
    maps = maps + rng.normal(0, 0.05, maps.shape).astype(np.float32)
    maps[..., 0:3] = -1  # nothing found
    answer = decode(maps[None], codec="udp_combined", input_size=(256, 192))
    blurred = [cv2.GaussianBlur(maps[..., i], (23, 23) if i % 3 == 0 else (11, 11), 0) for i in range(18)]
    for k in range(1, 6):
        y, x = np.unravel_index(blurred[3 * k].argmax(), (64, 48))
        x_map, y_map = (np.array([blurred[3 * k + 1][y, x], blurred[3 * k + 2][y, x]]) * 0.0546875 * 64) + (x, y)
        expected = x_map * 191 / 47, y_map * 255 / 63
        np.testing.assert_allclose(answer["points"][0, k], expected, atol=1e-3)
        np.testing.assert_allclose(answer["scores"][0, k], blurred[3 * k][y, x], rtol=1e-5)
        assert np.abs(np.asarray(answer["points"][0, k]) - points[0, k]).max() < 3
    np.testing.assert_allclose(answer["points"][0, 0], (-191 / 47, -255 / 63), rtol=1e-6)


@pytest.mark.parametrize(("codec", "off"), [("msra", 2), ("dark", 0.02), ("udp", 0.06), ("udp_combined", 1.5)])
def test_what_was_encoded_is_found_again(codec, off):
    """Without noise msra is right to half a pixel of the map, DARK and UDP almost exact, blurred offsets between."""
    points = np.random.default_rng(1).uniform(40, 150, (40, 2))
    maps, _ = encode(points, np.ones(40), codec=codec, input_size=(256, 192), map_size=(64, 48))
    found = np.asarray(decode(maps[None], codec=codec, input_size=(256, 192))["points"])[0]
    assert np.abs(found - points).max() < off


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_number_of_points_does_not_matter(k):
    """Each map is decoded alone, also where the number equals that of the pixels looked at around a peak."""
    maps = np.random.default_rng(4).normal(0, 1, (2, 32, 24, 6)).astype(np.float32)
    for codec in ("msra", "dark", "udp"):
        expected = np.asarray(decode(maps, codec=codec)["points"])[:, :k]
        np.testing.assert_allclose(decode(maps[..., :k], codec=codec)["points"], expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("codec", CODECS)
def test_a_graph_of_unknown_sizes_gives_the_same(codec):
    maps = np.random.default_rng(2).normal(0, 1, (3, 32, 24, 6)).astype(np.float32)
    maps[0, ..., 1] = -1
    maps[1, 0, 0, 2] = 9
    expected = {word: np.asarray(value) for word, value in decode(maps, codec=codec).items()}
    graph = tf.function(
        lambda heatmaps: decode(heatmaps, codec=codec), input_signature=[tf.TensorSpec((None, None, None, 6))]
    )
    inputs = keras.Input((None, None, 6))
    model = keras.Model(inputs, decode(inputs, codec=codec))
    for found in (graph(maps), model(maps)):
        for word, value in expected.items():
            np.testing.assert_allclose(found[word], value, rtol=1e-4, atol=1e-3)


def test_a_saved_model_decodes(tmp_path):
    maps = np.random.default_rng(2).normal(0, 1, (3, 32, 24, 6)).astype(np.float32)
    module = tf.Module()
    module.decode = tf.function(
        lambda heatmaps: decode(heatmaps, codec="dark", input_size=(128, 96)),
        input_signature=[tf.TensorSpec((None, 32, 24, 6))],
    )
    tf.saved_model.save(module, tmp_path)
    found = tf.saved_model.load(tmp_path).decode(maps)
    expected = decode(maps, codec="dark", input_size=(128, 96))
    np.testing.assert_allclose(found["points"], expected["points"], rtol=1e-4, atol=1e-3)


def test_half_precision_maps_are_decoded_in_float32():
    maps, _ = encode(np.full((1, 2), 50.0), [1], codec="dark", input_size=(128, 128), map_size=(32, 32))
    answer = decode(maps[None].astype(np.float16), codec="dark")
    assert keras.backend.standardize_dtype(answer["points"].dtype) == "float32"
    np.testing.assert_allclose(answer["points"], [[[50, 50]]], atol=0.1)


@pytest.mark.parametrize("codec", CODECS)
def test_a_map_without_a_positive_value_has_no_point(codec):
    step = 127 / 31 if codec.startswith("udp") else 4
    for value in (0.0, -1.0):
        points = np.asarray(decode(np.full((1, 32, 32, 6), value, np.float32), codec=codec)["points"])
        np.testing.assert_allclose(points, np.full_like(points, -step), rtol=1e-6)
    found = np.asarray(decode(np.ones((1, 32, 32, 6), np.float32), codec=codec)["points"])
    assert np.isfinite(found).all() and (found > -step).all()


def test_unknown_codecs_are_named():
    with pytest.raises(ValueError, match="codec='best': expected one of 'msra', 'dark'"):
        decode(np.zeros((1, 16, 16, 1)), codec="best")


PROGRAM = """
import json, sys
import numpy as np
import keras
from hrnet_keras.tasks.keypoints.decoding import CODECS, decode
assert keras.backend.backend() == sys.argv[1]
maps = np.random.default_rng(2).normal(0, 1, (2, 32, 24, 6)).astype(np.float32)
maps[1, 3, 3, 4] = np.nan
found = {codec: keras.ops.convert_to_numpy(decode(maps, codec=codec)["points"]).tolist() for codec in CODECS}
assert sys.argv[1] == "tensorflow" or "tensorflow" not in sys.modules
print("FOUND", json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_decode_alike(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs the {backend} backend, which is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PROGRAM, backend]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.split("FOUND", 1)[1])
    maps = np.random.default_rng(2).normal(0, 1, (2, 32, 24, 6)).astype(np.float32)
    maps[1, 3, 3, 4] = np.nan
    for codec in CODECS:
        expected = np.asarray(decode(maps, codec=codec)["points"])
        np.testing.assert_allclose(found[codec], expected, rtol=1e-3, atol=1e-2)  # Newton steps on noise magnify


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("codec", CODECS)
def test_a_map_with_a_value_that_is_no_number_has_no_point(codec, value, part):
    """One pixel far from the peak; the other points stay as they are, to the last bit."""
    count = 3 if codec == "udp_combined" else 1
    maps = np.random.default_rng(3).normal(0, 1, (2, 32, 24, 4 * count)).astype(np.float32)
    expected = decode(maps, codec=codec)
    broken = maps.copy()
    broken[1, 5, 7, 2 * count + part % count] = value
    found = {word: np.asarray(values) for word, values in decode(broken, codec=codec).items()}
    assert np.isfinite(found["points"]).all() and found["scores"][1, 2] == 0
    nobody = np.asarray(decode(np.zeros_like(maps), codec=codec)["points"])
    np.testing.assert_array_equal(found["points"][1, 2], nobody[1, 2])
    others = np.arange(8).reshape(2, 4) != 6
    for word, values in expected.items():
        np.testing.assert_array_equal(found[word][others], np.asarray(values)[others])


@pytest.mark.parametrize("codec", CODECS)
def test_maps_of_enormous_values_have_finite_points(codec):
    maps = np.random.default_rng(4).normal(0, 1, (1, 32, 24, 6)) * np.float32(3e38)
    found = decode(np.clip(maps, -3e38, 3e38).astype(np.float32), codec=codec)
    assert np.isfinite(found["points"]).all() and np.isfinite(found["scores"]).all()

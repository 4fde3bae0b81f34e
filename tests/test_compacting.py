"""Small files of detectors: thin layers beside NumPy's singular values, halved weights beside rounded ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import hrnet_keras as hk
from hrnet_keras.compacting import thin_out
from hrnet_keras.layers.dense import GridDense, LowRankGridDense
from tests.tasks.detection.tiny import decided, scene

FIRST = "roi_head.bbox_head.shared_fcs.0"


def test_a_thin_layer_is_the_nearest_matrix_of_its_rank():
    inputs = keras.Input((3, 3, 4))
    model = keras.Model(inputs, GridDense(20, activation="relu", name="large")(inputs))
    kernel = np.random.default_rng(0).normal(size=(36, 20))
    model.get_layer("large").set_weights([kernel.reshape(3, 3, 4, 20), np.arange(20.0) / 10])
    thin = thin_out(model, rank=5)
    layer = thin.get_layer("large")
    assert isinstance(layer, LowRankGridDense) and layer.count_params() == 5 * (36 + 20) + 20
    nearest = np.asarray(layer.first) @ np.asarray(layer.second)
    values = np.linalg.svd(kernel, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(kernel - nearest), np.sqrt((values[5:] ** 2).sum()), rtol=1e-5)
    x = np.random.default_rng(1).normal(size=(2, 3, 3, 4)).astype(np.float32)
    expected = np.maximum(x.reshape(2, 36) @ nearest + np.arange(20.0) / 10, 0)
    np.testing.assert_allclose(thin.predict(x, verbose=0), expected, atol=1e-4)
    whole = thin_out(model, rank=20)  # more weights than the layer has: it stays
    assert isinstance(whole.get_layer("large"), GridDense)


def test_a_compact_export(tmp_path):
    """Answers are those of the model with rounded weights; the file knows 16-bit floats alone."""
    model = decided()
    assert isinstance(thin_out(model).get_layer(FIRST), LowRankGridDense)
    plain = hk.export(model, tmp_path / "plain")
    compact = tf.saved_model.load(hk.export(model, tmp_path / "compact", compact=True))
    kinds = {variable.dtype for variable in compact.variables_of_model}
    assert kinds == {tf.float16}
    sizes = [sum(file.stat().st_size for file in (tmp_path / name / "1" / "variables").iterdir())
             for name in ("plain", "compact")]  # fmt: skip
    assert sizes[1] < 0.5 * sizes[0]
    rounded = thin_out(model)
    for variable in rounded.variables:
        variable.assign(np.asarray(variable).astype(np.float16).astype(np.float32))
    images = tf.constant(scene()[0])
    found = compact.signatures["raw"](image=images)
    expected = rounded.predict(images, verbose=0)
    np.testing.assert_array_equal(found["valid"], expected["valid"])
    np.testing.assert_allclose(found["boxes"], expected["boxes"], atol=0.1)
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=5e-3)
    assert set(tf.saved_model.load(plain).signatures) == set(compact.signatures)


def test_a_weight_that_is_too_large(tmp_path):
    model = decided()
    kernel = model.get_layer("conv0").kernel
    kernel.assign(np.where(np.arange(kernel.shape[-1]) == 2, 7e4, np.asarray(kernel)))
    with pytest.raises(ValueError, match=r"compact: conv0/kernel has a weight of .*: export without compact"):
        hk.export(model, tmp_path / "net", compact=True)
    assert not list((tmp_path / "net").iterdir())

"""Five steps of SGD and of Adam from the official code (goldens), and the formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.builders import hrnet
from hrnet_keras.checkpoints import load_torch_weights
from hrnet_keras.checkpoints.model_weights import to_torch_layout, torch_names
from hrnet_keras.optimizers import PolySchedule, StepSchedule, TorchAdam, TorchSGD
from hrnet_keras.tasks.keypoints.losses import SquaredError, pack
from hrnet_keras.tasks.segmentation.losses import CrossEntropy, OhemCrossEntropy

# A bias right before a batch norm has a gradient of zero in theory: what is left is rounding.
DEAD = ("last_layer.0.bias", "downsamp_modules.0.0.bias", "downsamp_modules.1.0.bias", "downsamp_modules.2.0.bias",
        "final_layer.0.bias")  # fmt: skip


def trajectory(net, loss, meta, arrays, weights_rule):
    """Trains on the golden's batch; returns the model, its input and the relative differences of the losses."""
    model = hrnet(*net, include_preprocessing=False)
    load_torch_weights(model, weights_rule.state_dict(meta))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 1 - meta["bn_momentum"]
    options = meta["optimizer"]
    optimizer = TorchSGD(options["lr"], options["momentum"], options.get("nesterov", False), options["weight_decay"])
    model.compile(optimizer, loss)
    x = arrays["input"].transpose(0, 2, 3, 1)
    target = arrays["target"].astype(np.int32)
    target = np.where(target < 0, 255, target) if target.ndim == 3 else target
    losses = [float(model.train_on_batch(x, target)) for _ in range(meta["steps"])]
    return model, x, np.abs(np.array(losses) / meta["loss_per_step"] - 1)


def worst_sum(model, meta):
    """Largest relative difference of a tensor's sum of absolute values after the last step."""
    found = {name: float(np.abs(np.asarray(v, np.float64)).sum()) for name, v in torch_names(model, "official")}
    return max((abs(found[n] / meta["sum_and_abs_sum_after"][n][1] - 1), n) for n in found if n not in DEAD)


@pytest.mark.slow
def test_segmentation_follows_the_official_training(golden, weights_rule):
    meta, arrays = golden("training", "train_seg_w18small_v1_ce_64x64")
    loss = CrossEntropy(class_weights=meta["class_weights"])
    model, x, differences = trajectory(("V2", "W18SmallV1", "seg"), loss, meta, arrays, weights_rule)
    assert (differences < 1e-5).all(), differences
    difference, name = worst_sum(model, meta)
    assert difference < 1e-4, name
    variables, before = dict(torch_names(model, "official")), weights_rule.state_dict(meta)
    for name in ("bn1.running_mean", "bn1.running_var", "last_layer.1.running_mean", "last_layer.1.running_var"):
        expected = arrays[f"after/{name}"]
        update = np.abs(expected - before[name]).max()
        assert np.abs(np.asarray(variables[name]) - expected).max() < 1e-3 * update, name
    quarter = keras.Model(model.input, model.get_layer("last_layer.3").output)
    expected = arrays["eval_output_after"].transpose(0, 2, 3, 1)
    # Gradients agree to 1e-5 of their largest element; a ReLU that flips within rounding then moves single weights.
    assert np.abs(quarter.predict_on_batch(x) - expected).max() < 1e-3 * expected.std()


OHEM = "train_seg_v11_w18_small_v1_ohem_64x64"


@pytest.fixture(scope="module")
def hard_pixels(golden, weights_rule):
    """Five steps on hard pixels: losses, and how far every tensor's update is from the reference's, in its largest."""
    meta, arrays = golden("training", OHEM)
    options, rule = meta["loss"], meta["optimizer"]
    loss = OhemCrossEntropy(
        threshold=options["thres"], min_kept=options["min_kept"], class_weights=options["class_weights"]
    )
    model = hrnet("V2", "W18SmallV1", "seg", include_preprocessing=False)
    before = weights_rule.state_dict(meta)
    load_torch_weights(model, before)
    model.compile(TorchSGD(rule["lr"], rule["momentum"], rule["nesterov"], rule["weight_decay"]), loss)
    x = weights_rule.network_input(OHEM, meta["input_shape"]).transpose(0, 2, 3, 1)
    losses = [float(model.train_on_batch(x, arrays["labels"].astype(np.int32))) for _ in range(meta["steps"])]
    found, off = {}, {}
    for name, variable in torch_names(model, "official"):
        found[name] = to_torch_layout(variable, name, "official")
        if f"after/{name}" in arrays and name not in DEAD:
            expected = arrays[f"after/{name}"]
            off[name] = np.abs(found[name] - expected).max() / np.abs(expected - before[name]).max()
    return meta, losses, found, off


@pytest.mark.slow
def test_hard_pixels_follow_the_official_training(hard_pixels):
    meta, losses, found, off = hard_pixels
    differences = np.abs(np.array(losses) / meta["loss_per_step"] - 1)
    assert (differences < [1e-5, 2e-4, 2e-4, 2e-4, 2e-4]).all(), differences
    for name, expected in meta["abs_sum_after"].items():
        if name not in DEAD:
            assert np.abs(found[name].astype(np.float64)).sum() == pytest.approx(expected, rel=1e-3), name
    certain = [name for name in off if "running" in name or name.startswith("last_layer.3")]
    assert len(certain) >= 8 and max(off[name] for name in certain) < 1e-3


@pytest.mark.slow
@pytest.mark.xfail(
    strict=False,  # the processor decides: it meets the golden on one without AVX-512
    reason="rounding: single weights differ by up to 2.3e-3 of their largest update with AVX-512, where PyTorch's own "
    "float32 misses the golden by 1.4e-3 to 5.3e-3 in both memory layouts. Losses agree to 1.3e-7.",
)
def test_single_weights_after_hard_pixels(hard_pixels):
    assert max(hard_pixels[3].values()) < 1e-3, hard_pixels[3]


@pytest.mark.slow
def test_single_weights_after_hard_pixels_are_as_near_as_pytorchs_own(hard_pixels):
    """On every processor: PyTorch's float32 lies up to 5.3e-3 of the largest update from the golden, see above."""
    assert max(hard_pixels[3].values()) < 5.3e-3, hard_pixels[3]


def test_rates_of_some_layers_and_steps():
    weights = [keras.Variable(np.ones(2, np.float32), name=name) for name in ("kernel", "kernel")]
    weights[0]._path, weights[1]._path = "last_layer.0/kernel", "conv1/kernel"
    optimizer = TorchSGD(0.1, momentum=0.0, rate_factors={"last_layer": 10})
    optimizer.apply([np.ones(2, np.float32)] * 2, weights)
    np.testing.assert_allclose([weights[0][0], weights[1][0]], [0.0, 0.9], atol=1e-6)
    schedule = StepSchedule(0.05, [30, 60, 90])
    rates = [float(schedule(step)) for step in (0, 29, 30, 59, 60, 90, 200)]
    np.testing.assert_allclose(rates, [0.05, 0.05, 5e-3, 5e-3, 5e-4, 5e-5, 5e-5], rtol=1e-5)


def test_gradients_of_the_first_step(golden, weights_rule):
    meta, arrays = golden("training", "train_seg_w18small_v1_ce_64x64")
    model = hrnet("V2", "W18SmallV1", "seg", include_preprocessing=False)
    load_torch_weights(model, weights_rule.state_dict(meta))
    target = arrays["target"].astype(np.int32)
    loss = CrossEntropy(class_weights=meta["class_weights"])
    with tf.GradientTape() as tape:
        value = loss(np.where(target < 0, 255, target), model(arrays["input"].transpose(0, 2, 3, 1), training=True))
    gradients = tape.gradient(value, [variable.value for variable in model.trainable_variables])
    found = {
        v.path: np.abs(np.asarray(g, np.float64)).sum()
        for v, g in zip(model.trainable_variables, gradients, strict=True)
    }
    compared = 0
    for name, variable in torch_names(model, "official"):
        if variable.path in found and name in DEAD:
            assert found[variable.path] < 1e-5
        elif variable.path in found:
            assert found[variable.path] == pytest.approx(meta["grad_sum_and_abs_sum_step1"][name][1], rel=1e-4), name
            compared += 1
    assert compared == len(found) - 1


@pytest.mark.slow
def test_classification_follows_the_official_training(golden, weights_rule):
    meta, arrays = golden("training", "train_cls_w18small_v2_64x64")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model, _, differences = trajectory(("V2", "W18SmallV2", "cls"), loss, meta, arrays, weights_rule)
    assert (differences < [1e-5, 5e-5, 5e-4, 1e-2, 1e-2]).all(), differences  # rounding grows fast, see the README
    difference, name = worst_sum(model, meta)
    assert difference < 1e-2, name


@pytest.mark.parametrize("nesterov", [False, True])
def test_formula_of_pytorch(nesterov):
    """v = m v + g + d w; w -= lr v (or lr (g + d w + m v)), with a rate that changes."""
    rates = PolySchedule(0.1, 4, power=0.9)
    weight = keras.Variable(np.array([1.0, -2.0], np.float32))
    optimizer = TorchSGD(rates, momentum=0.9, nesterov=nesterov, decay=0.01)
    w, v = np.array([1.0, -2.0]), np.zeros(2)
    for step in range(4):
        gradient = np.array([0.5, 0.25 * step])
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [weight])
        g = gradient + 0.01 * w
        v = 0.9 * v + g
        w = w - 0.1 * (1 - max(step - 1, 0) / 4) ** 0.9 * (g + 0.9 * v if nesterov else v)
        np.testing.assert_allclose(weight, w, rtol=1e-5)


def test_poly_keeps_the_base_rate_for_two_steps_and_ends_at_zero():
    schedule = PolySchedule(0.01, 100)
    rates = [float(schedule(step)) for step in (0, 1, 2, 51, 101, 500)]
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.01 * 0.99**0.9, 0.01 * 0.5**0.9, 0, 0], rtol=1e-5)
    warm = PolySchedule(0.01, 100, warmup_steps=4)
    assert float(warm(0)) == pytest.approx(0.01 / 5) and float(warm(4)) == pytest.approx(float(schedule(4)))


def test_optimizer_and_schedule_survive_their_configs():
    optimizer = TorchSGD(PolySchedule(0.01, 100, warmup_steps=3), momentum=0.8, nesterov=True, decay=1e-3)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()


@pytest.fixture
def landmarks(golden, weights_rule):
    """The golden of five steps of Adam, the net before them, its batch and targets."""
    meta, arrays = golden("training", "train_landmark_w18_68pt_64x64")
    model = hrnet("V2", "W18", "landmark", num_keypoints=68, include_preprocessing=False)
    load_torch_weights(model, weights_rule.state_dict(golden("landmark", "landmark_w18_68pt_64x64")[0]))
    x, target = (arrays[name].transpose(0, 2, 3, 1) for name in ("input", "target"))
    return meta, arrays, model, x, pack(target, np.ones((4, 68)))


@pytest.mark.slow
def test_landmarks_follow_the_official_training(landmarks):
    meta, _, model, x, y = landmarks
    momenta = {one.momentum for one in model.layers if isinstance(one, keras.layers.BatchNormalization)}
    assert momenta == {1 - meta["bn"]["momentum_pytorch"]}
    rule = meta["optimizer"]
    optimizer = TorchAdam(rule["lr"], rule["beta1"], rule["beta2"], rule["eps"])
    model.compile(optimizer, SquaredError(), run_eagerly=True)  # tracing this net takes longer than five steps
    losses = [float(model.train_on_batch(x, y)) for _ in range(meta["steps"])]
    differences = np.abs(np.array(losses) / meta["loss_per_step"] - 1)
    assert (differences < [1e-5, 1e-3, 1e-3, 1e-3, 1e-3]).all(), differences
    found = {name: float(np.abs(np.asarray(v, np.float64)).sum()) for name, v in torch_names(model, "official")}
    compared = {name: expected for name, expected in meta["abs_sum_after"].items() if "num_batches" not in name}
    difference, name = max((abs(found[name] / expected - 1), name) for name, expected in compared.items())
    assert difference < 1e-3, name


@pytest.mark.slow
def test_gradients_of_landmarks(landmarks):
    """In float64 all agree to 1.1e-6; in float32 a ReLU of stage 2 flips within rounding and moves what precedes it."""
    meta, arrays, model, x, y = landmarks
    with tf.GradientTape() as tape:
        maps = model(x, training=True)
        value = SquaredError()(y, maps)
    expected = arrays["output_step1"].transpose(0, 2, 3, 1)
    assert np.abs(maps - expected).max() < 1e-4 * expected.std()
    gradients = tape.gradient(value, [variable.value for variable in model.trainable_variables])
    assert float(tf.linalg.global_norm(gradients)) == pytest.approx(meta["grad_global_norm_step1"], rel=1e-3)
    paths = {name: variable.path for name, variable in torch_names(model, "official")}
    trained = [variable.path for variable in model.trainable_variables]
    sums = {path: np.abs(np.asarray(g, np.float64)).sum() for path, g in zip(trained, gradients, strict=True)}
    assert sums[paths["head.0.bias"]] < 1e-5  # before a batch norm: 0 but for rounding
    names = [name for name in meta["grad_abs_sum_step1"] if name != "head.0.bias"]
    differences = [abs(sums[paths[name]] / meta["grad_abs_sum_step1"][name] - 1) for name in names]
    assert np.max(differences) < 2e-3 and np.quantile(differences, 0.9) < 1e-4


@pytest.mark.parametrize("rates", [0.1, StepSchedule(0.1, [2])])
def test_formula_of_pytorchs_adam(rates):
    """Down to gradients as small as epsilon, where Keras's own Adam takes another way."""
    start = np.array([1.0, -2.0, 3.0, 0.0])
    weight, keras_own = (keras.Variable(start.astype(np.float32)) for _ in range(2))
    optimizer, other = TorchAdam(rates), keras.optimizers.Adam(rates, epsilon=1e-8)
    w, m, v = start.copy(), np.zeros(4), np.zeros(4)
    for step in range(1, 5):
        g = np.array([0.5, -1e-8, 3e-8 * step, 0.0]).astype(np.float32).astype(np.float64)
        for one, variable in ((optimizer, weight), (other, keras_own)):
            one.apply([keras.ops.convert_to_tensor(g.astype(np.float32))], [variable])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        rate = 0.1 if step <= 2 or isinstance(rates, float) else 0.01
        w = w - rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        np.testing.assert_allclose(weight, w, rtol=2e-6)
    assert np.abs(np.asarray(keras_own) - w)[1:3].min() > 0.1


def test_adam_survives_its_config_and_takes_half_precision_and_no_memory():
    optimizer = TorchAdam(StepSchedule(1e-3, [5]), beta_1=0.8, beta_2=0.99, epsilon=1e-6)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    weight = keras.Variable(np.ones(2, np.float32))
    TorchAdam(0.5, beta_1=0.0, beta_2=0.0).apply([keras.ops.convert_to_tensor([0.25, -2.0], "float16")], [weight])
    np.testing.assert_allclose(weight, [0.5, 1.5], rtol=1e-6)

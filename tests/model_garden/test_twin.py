"""Twins of tf_keras compute what our models of Keras 3 compute."""

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.builders import hrnet
from hrnet_keras.layers.normalization import convert_to_group_norm

NEEDS = "needs tf-models-official: make test-model-garden"
pytest.importorskip("official", reason=NEEDS)
tf_keras = pytest.importorskip("tf_keras", reason=NEEDS)

from hrnet_keras.model_garden import twin  # noqa: E402
from hrnet_keras.model_garden.twin import TWINS  # noqa: E402

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.uniform(0, 255, (2, 128, 160, 3)).astype("float32")


def trained(model):
    """The model with running statistics, scales and offsets as training leaves them."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([
                RANDOM.uniform(0.5, 1.5, shape), RANDOM.normal(0, 0.2, shape),
                RANDOM.normal(0, 0.2, shape), RANDOM.uniform(0.5, 2, shape),
            ])  # fmt: skip
    return model


def assert_same(ours, theirs):
    """To 1e-5 of the outputs' standard deviation."""
    ours, theirs = keras.tree.flatten(ours), keras.tree.flatten(theirs)
    assert len(ours) == len(theirs)
    for expected, found in zip(ours, theirs, strict=True):
        expected, found = np.asarray(expected), np.asarray(found)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.std())


def assert_same_weights(model, copy):
    for layer in model.layers:
        for ours, theirs in zip(layer.get_weights(), copy.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6, err_msg=layer.name)


@pytest.fixture(scope="module", params=["V2", "V2p"])
def pair(request):
    model = trained(hrnet(request.param, "W18SmallV1"))
    return model, twin(model)


def test_outputs_are_those_of_keras_3(pair):
    model, copy = pair
    assert_same(model(PIXELS, training=False), copy(PIXELS, training=False))


def test_layers_have_the_same_names_and_weights(pair):
    model, copy = pair
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert copy.name == model.name and copy.count_params() == model.count_params()
    assert_same_weights(model, copy)


def test_a_training_step_changes_both_alike(pair):
    """Outputs by batch statistics, running statistics (of unbiased variances) and gradients."""
    import tensorflow as tf

    gradients = []
    for net in pair:
        with tf.GradientTape() as tape:
            maps = keras.tree.flatten(net(PIXELS, training=True))
            loss = tf.add_n([tf.reduce_mean(tf.square(x)) for x in maps])
        variables = [one.value if isinstance(one, keras.Variable) else one for one in net.trainable_variables]
        gradients.append(tape.gradient(loss, variables))
    assert_same_weights(*pair)
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5 * np.abs(ours).max())


@pytest.mark.parametrize(
    ("representation", "options"),
    [("V2", {"lineage": "mmlab"}), ("V2", {"reference_form": True}), ("V2p", {"include_preprocessing": False})],
    ids=["two_steps", "reference_form", "normalized"],
)
def test_every_form_of_the_graph_has_a_twin(representation, options):
    model = trained(hrnet(representation, "W18SmallV1", **options))
    pixels = (PIXELS - 120) / 58
    assert_same(model(pixels, training=False), twin(model)(pixels, training=False))


def test_group_norms_have_twins():
    model = convert_to_group_norm(hk.HRNetV1W18SmallV1())
    assert_same(model(PIXELS), twin(model)(PIXELS))


@pytest.mark.parametrize("build", [hk.HRNetV2W48, hk.HRNetV2pW18], ids=lambda build: build.__name__)
def test_large_nets_are_of_the_same_layers(build):
    kinds = {type(layer) for layer in build(input_shape=(128, 128, 3)).layers}
    assert kinds <= {*TWINS, keras.layers.InputLayer}


def test_what_is_frozen_stays_so():
    model = hk.HRNetV1W18SmallV1()
    model.get_layer("conv1").trainable = False
    model.get_layer("bn1").trainable = False
    model.get_layer("bn2").keeps_statistics = True
    copy = twin(model)
    assert len(copy.trainable_variables) == len(model.trainable_variables)
    copy(PIXELS, training=True)
    for name, learns in (("bn1", False), ("bn2", False), ("layer1.0.bn1", True)):
        assert bool(copy.get_layer(name).moving_mean.numpy().any()) == learns, name


def test_twins_can_be_saved(tmp_path):
    copy = twin(trained(hk.HRNetV2pW18SmallV1(input_shape=(128, 128, 3))))
    copy.save(tmp_path / "twin.keras")
    read = tf_keras.models.load_model(tmp_path / "twin.keras")
    assert_same(copy(PIXELS[:, :128, :128]), read(PIXELS[:, :128, :128]))


def test_layers_without_a_twin_are_named():
    with pytest.raises(ValueError, match=r"'logits' is a ModelInfoLayer, which has no twin in tf_keras; those have: "):
        twin(hk.HRNetV2W18SmallV1("seg", num_classes=2))
    with pytest.raises(ValueError, match=r"^Model: expected a functional keras\.Model"):
        twin(tf_keras.Model())

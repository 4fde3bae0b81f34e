"""Model Garden's factory builds our nets by name, with our weights."""

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.checkpoints import zoo

NEEDS = "needs tf-models-official: make test-model-garden"
pytest.importorskip("official", reason=NEEDS)
tf_keras = pytest.importorskip("tf_keras", reason=NEEDS)

from official.vision.configs import backbones, common  # noqa: E402
from official.vision.modeling.backbones import factory  # noqa: E402
from official.vision.ops import preprocess_ops  # noqa: E402

from hrnet_keras.model_garden import Backbone, HRNet  # noqa: E402

SMALL = HRNet(width="W18SmallV1")
SIZED = (None, 128, 192, 3)


def build(config, shape=SIZED, **options):
    return factory.build_backbone(
        input_specs=tf_keras.layers.InputSpec(shape=shape), backbone_config=config,
        norm_activation_config=common.NormActivation(), **options,
    )  # fmt: skip


def test_hrnetv2_gives_one_level_and_takes_the_regularizer():
    net = build(Backbone(type="hrnetv2", hrnetv2=SMALL), l2_regularizer=tf_keras.regularizers.l2(1e-4))
    assert {level: tuple(shape) for level, shape in net.output_specs.items()} == {"2": (None, 32, 48, 240)}
    kernels = [weight for weight in net.trainable_variables if "kernel" in weight.name]
    assert len(net.losses) == len(kernels)
    expected = 1e-4 * sum(float(np.square(kernel).sum()) for kernel in kernels)
    assert float(sum(net.losses)) == pytest.approx(expected, rel=1e-4)


def test_hrnetv2p_gives_a_pyramid():
    net = build(Backbone(type="hrnetv2p", hrnetv2p=SMALL))
    levels = {str(level): (None, 512 // 2**level, 768 // 2**level, 256) for level in range(2, 7)}
    specs = {level: (None, *(4 * side for side in shape[1:3]), 256) for level, shape in net.output_specs.items()}
    assert specs == levels
    maps = net(np.zeros((1, 128, 192, 3), np.float32))
    assert {level: tuple(x.shape[1:]) for level, x in maps.items()} == {
        level: tuple(shape[1:]) for level, shape in net.output_specs.items()
    }


def test_any_size_will_do():
    net = build(Backbone(type="hrnetv2", hrnetv2=SMALL), (None, None, None, 3))
    assert net(np.zeros((1, 64, 96, 3), np.float32))["2"].shape == (1, 16, 24, 240)


@pytest.mark.parametrize("weights", ["path", "imagenet"])
def test_weights_reach_the_backbone(weights, tmp_path, monkeypatch):
    path = tmp_path / "cls.safetensors"
    hk.save_torch_weights(hk.HRNetV2W18SmallV1("cls", num_classes=3), path)
    monkeypatch.setattr(zoo, "fetch", lambda entry: path)
    name = "imagenet" if weights == "imagenet" else str(path)
    config = Backbone(type="hrnetv2p", hrnetv2p=HRNet(width="W18SmallV1", weights=name))
    net = build(config)
    kernel = hk.HRNetV2W18SmallV1("cls", num_classes=3, weights=path).get_layer("stage4.0.fuse_layers.3.0.0.0").kernel
    np.testing.assert_array_equal(net.get_layer("stage4.0.fuse_layers.3.0.0.0").kernel, kernel)


def test_their_parsers_normalise_as_our_nets_do():
    """So their pictures go to the backbone as they are."""
    pixels = np.random.default_rng(0).integers(0, 256, (128, 192, 3)).astype("float32")
    theirs = preprocess_ops.normalize_image(pixels, preprocess_ops.MEAN_RGB, preprocess_ops.STDDEV_RGB)
    ours = hk.HRNetV1W18SmallV1().get_layer("normalize")(pixels[None])[0]
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


def test_precision_is_that_of_tf_keras():
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        net = build(Backbone(type="hrnetv2", hrnetv2=SMALL))
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    maps = net(np.random.default_rng(0).normal(size=(2, 128, 192, 3)).astype("float32"), training=True)
    assert maps["2"].dtype == "bfloat16" and net.get_layer("conv1").kernel.dtype == "float32"
    assert hk.HRNetV1W18SmallV1().output.dtype == "float32"


def test_their_own_choice_of_backbones_takes_ours_as_a_dict():
    config = backbones.Backbone()
    config.override({"type": "hrnetv2", "hrnetv2": {"width": "W18SmallV1"}}, is_strict=False)
    assert list(build(config).output_specs) == ["2"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (HRNet(width="W19"), r"width='W19': expected one of 'W18'"),
        (HRNet(width="W18SmallV1", weights="gone.pth"), r"weights='gone\.pth': no such file"),
        (HRNet(width="W18SmallV1", lineage="torch"), r"lineage='torch': expected one of 'official'"),
    ],
)
def test_what_is_wrong_is_named(config, message):
    with pytest.raises(ValueError, match=message):
        build(Backbone(type="hrnetv2p", hrnetv2p=config))


def test_wrong_sizes_and_names_are_named():
    with pytest.raises(ValueError, match=r"height 100, expected a multiple of 32, at least 64"):
        build(Backbone(type="hrnetv2p", hrnetv2p=SMALL), (None, 100, 128, 3))
    with pytest.raises(LookupError, match="hrnetv3"):
        build(Backbone(type="hrnetv3"))
    with pytest.raises(KeyError, match="hrnetv3"):
        Backbone().override({"hrnetv3": {}})

"""How nets start: every kernel drawn on its own, by the seed that Keras was given."""

import dataclasses

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras import architecture
from hrnet_keras.layers.normalization import convert_to_group_norm

BUILDERS = [name for name in hk.__all__ if name.startswith("HRNet")]
HEADS = [
    ("HRNetV2W18SmallV1", {"task": "cls", "num_classes": 7}),
    ("HRNetV2W18SmallV1", {"task": "cls", "num_classes": 7, "head": "ssld", "lineage": "timm"}),
    ("HRNetV2W18SmallV1", {"task": "seg"}),
    ("HRNetV2W18SmallV1", {"task": "seg", "reference_form": True}),
    ("HRNetV2W18SmallV1", {"task": "seg", "head": "ocr"}),
    ("HRNetV2W18SmallV1", {"task": "landmark"}),
    ("HRNetV1W18SmallV1", {"task": "pose"}),
    ("HRNetV2pW18SmallV1", {}),
]


@pytest.fixture
def narrow(monkeypatch):
    """Every net with four channels in its finest branch: what is drawn apart does not hang on the width."""
    nets = {name: dataclasses.replace(net, width=4) for name, net in architecture.ARCHITECTURES.items()}
    monkeypatch.setattr("hrnet_keras.builders.ARCHITECTURES", nets)


def built(name, options, seed):
    keras.utils.set_random_seed(seed)
    if options.get("reference_form"):
        from hrnet_keras.builders import hrnet

        return hrnet("V2", name.removeprefix("HRNetV2"), **options)
    return getattr(hk, name)(**options)


def kernels(model):
    """Every kernel by its path, as a NumPy array."""
    found = {v.path: keras.ops.convert_to_numpy(v) for v in model.trainable_variables if v.name == "kernel"}
    assert len(found) > 40
    return found


def assert_drawn_apart(drawn):
    """No two kernels hold the same numbers, not even on another scale: one seed draws the same ones for any shape."""
    paths = list(drawn)
    first = np.stack([kernel.ravel()[:12] / kernel.std() for kernel in drawn.values()])
    alike = np.isclose(first[:, None], first[None], rtol=0.2).all(-1)
    twins = [(paths[i], paths[j]) for i, j in zip(*np.nonzero(np.triu(alike, 1)), strict=True)]
    assert not twins


@pytest.mark.parametrize("name", BUILDERS)
def test_no_two_kernels_of_a_net_start_alike(name, narrow):
    assert_drawn_apart(kernels(built(name, {}, seed=3)))


@pytest.mark.parametrize(("name", "options"), HEADS, ids=lambda value: str(value))
def test_heads_draw_their_own_numbers_and_follow_the_seed(name, options):
    first, same, other = (kernels(built(name, options, seed)) for seed in (0, 0, 1))
    assert_drawn_apart(first)
    for path, kernel in first.items():
        np.testing.assert_array_equal(kernel, same[path])
        assert not np.array_equal(kernel, other[path]), f"{path} does not follow the seed"


def test_convolutions_start_with_the_variance_of_the_official_code():
    """`kaiming_normal_(mode="fan_out", nonlinearity="relu")`: standard deviation sqrt(2 / (9 * channels out))."""
    model = built("HRNetV2W18", {}, seed=0)
    drawn = np.concatenate([model.get_layer(f"stage4.2.branches.3.{i}.conv2").kernel.numpy().ravel() for i in range(4)])
    assert drawn.std() == pytest.approx(np.sqrt(2 / (9 * 144)), rel=0.01)
    assert abs(drawn.mean()) < 4 * drawn.std() / np.sqrt(drawn.size)  # four standard errors


def test_group_normalisation_keeps_what_was_drawn():
    model = built("HRNetV2W18SmallV1", {"task": "seg", "num_classes": 3}, seed=0)
    before, after = kernels(model), kernels(convert_to_group_norm(model))
    assert_drawn_apart(after)
    for path, kernel in before.items():
        np.testing.assert_array_equal(kernel, after[path])

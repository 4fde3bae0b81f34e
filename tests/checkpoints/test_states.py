"""Which of a file's tensors are the net, in files that PyTorch wrote as people save their training."""

import io
import lzma
import tarfile

import numpy as np
import pytest

from hrnet_keras.checkpoints import CheckpointError
from hrnet_keras.checkpoints.checkpoint import checkpoint_of, open_checkpoint
from tests.checkpoints.wrapped import CHOSEN, FILE, OTHERS, REFUSED, RIGHT, SEG_NAMES, WRONG

with tarfile.open(fileobj=io.BytesIO(lzma.decompress(FILE.read_bytes()))) as _archive:
    CONTENTS = {member.name: _archive.extractfile(member).read() for member in _archive}


@pytest.fixture
def opened(tmp_path):
    """`opened(name, state)` -> the `Checkpoint` of that file."""

    def get(name, state=None):
        path = tmp_path / name
        path.write_bytes(CONTENTS[name])
        return open_checkpoint(path, state=state)

    return get


@pytest.mark.parametrize("name", [name for name in CONTENTS if name not in REFUSED])
def test_the_net_is_found_and_is_the_right_one(name, opened):
    checkpoint = opened(name)
    assert (checkpoint.naming, checkpoint.task) == OTHERS.get(name, ("official", "seg"))
    found = checkpoint.tensors
    counters = ("num_batches_tracked", "steps", "n_averaged")
    own = {key: value for key, value in found.items() if key not in found.beside and not key.endswith(counters)}
    assert {float(np.asarray(value, np.float32).reshape(-1)[0]) for value in own.values()} == {RIGHT}
    if name not in OTHERS:
        assert set(own) == set(SEG_NAMES)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_says_what_to_do(name, opened):
    with pytest.raises(CheckpointError, match=rf"{name}: .*{REFUSED[name]}") as caught:
        opened(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "state"), CHOSEN)
def test_of_several_nets_people_choose(name, state, opened):
    found = opened(name, state).tensors
    key, number = CHOSEN[name, state]
    assert found.key == key and found["conv1.weight"] == number
    assert len(found.others) == (state is None)  # what nobody asked about has to be said


def test_a_state_that_is_not_there_is_named_with_those_that_are(opened):
    with pytest.raises(
        CheckpointError, match=r"state='best': .* expected 'state_dict' \(6 tensors\) and 'state_dict_ema'"
    ):
        opened("ema.pth", "best")


def test_the_same_choice_in_a_dict_that_pytorch_has_loaded():
    net = {name: np.full(1, RIGHT) for name in SEG_NAMES}
    other = {name: np.full(1, WRONG) for name in SEG_NAMES}
    assert open_checkpoint({"epoch": 3, "loss": np.float32(0), "state_dict": net}).tensors.keys() == net.keys()
    assert open_checkpoint({"model": net, "ema": other}, state="ema").tensors["conv1.weight"] == WRONG
    with pytest.raises(
        ValueError, match=r"the given tensors: it holds 2 nets: 'a' \(5 tensors\) and 'b' \(5 tensors\)"
    ):
        open_checkpoint({"a": net, "b": other})


def test_version_numbers_of_batch_norms_tell_pytorch_04_apart():
    """As PyTorch notes them in every state dict (`_version` of a module: 1, and 2 of batch norms that count steps)."""
    net = {name: np.full(1, RIGHT) for name in SEG_NAMES}
    negative = net | {"bn1.weight": np.full(1, -0.5)}
    for tensors, versions, lineage in (
        (net, {2}, "official"),
        (net, {1}, "official_torch04"),
        (net, (), "official"),  # without a scale below zero both mean the same
        (negative, {2}, "official"),
        (negative, {1}, "official_torch04"),
        (negative, (), "official_torch04"),
    ):
        state = open_checkpoint(tensors).tensors
        state.versions = frozenset(versions)
        checkpoint = checkpoint_of(state, "net.pth")
        assert checkpoint.lineage == lineage, (versions, lineage)
        assert checkpoint.as_lineage("official").lineage == "official"

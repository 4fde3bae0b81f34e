"""Files that PyTorch wrote, read without it: every kind of tensor, both formats, what is refused and how."""

import shutil
import subprocess
import sys
import zipfile

import ml_dtypes
import numpy as np
import pytest

from hrnet_keras.checkpoints import CheckpointError, read_tensors
from tests.checkpoints.published import FILES


@pytest.mark.parametrize("name", ["kinds_zip.pth", "kinds_legacy.pth", "kinds_big_endian.pth"])
def test_every_kind_of_tensor(name):
    found, expected = read_tensors(FILES / name), np.load(FILES / "kinds.npz")
    assert list(found) == list(expected.files)
    for key, value in found.items():
        stored = ml_dtypes.bfloat16 if key == "bfloat16" else expected[key].dtype
        assert value.dtype == stored and value.shape == expected[key].shape, key
        np.testing.assert_array_equal(value.astype(expected[key].dtype), expected[key], err_msg=key)
    assert np.shares_memory(found["whole"], found["shared"]) and not found["whole"].flags.writeable


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_what_training_programs_write_around_the_tensors(form):
    found, expected = read_tensors(FILES / f"training_{form}.pth"), np.load(FILES / "training.npz")
    assert set(found) == set(expected.files)
    for key, value in found.items():
        np.testing.assert_array_equal(value, expected[key])


def test_a_pickled_module_is_refused_by_name():
    with pytest.raises(CheckpointError, match=r"module_zip\.pth: the file names 'torch\.nn\.modules\.container\.Sequ"):
        read_tensors(FILES / "module_zip.pth")


def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, ml_dtypes.bfloat16)}
    save_file(tensors, tmp_path / "x.safetensors")
    found = read_tensors(tmp_path / "x.safetensors")
    for key, value in tensors.items():
        assert found[key].dtype == value.dtype
        np.testing.assert_array_equal(found[key], value)
    data = (tmp_path / "x.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[:-3])
    with pytest.raises(CheckpointError, match=r"cut\.safetensors: not a whole safetensors file"):
        read_tensors(tmp_path / "cut.safetensors")


def test_the_ending_of_the_name_does_not_matter(tmp_path):
    shutil.copy(FILES / "kinds_legacy.pth", tmp_path / "renamed.safetensors")
    assert "whole" in read_tensors(tmp_path / "renamed.safetensors")


def test_files_that_are_no_checkpoints(tmp_path):
    contents = {
        "empty": (b"", "the file is empty"),
        "page": (b"<!DOCTYPE html><html>...", "this is a web page, not a checkpoint"),
        "text": (b"hello, hello, hello", "expected a file of torch.save or of safetensors, found one that begins"),
        "tar": (b"x" * 257 + b"ustar" + b"\0" * 300, "a tar archive"),
        "pickle": (b"\x80\x02}q\x00.\x80\x02}.\x80\x02}.", "a pickle, but not one of torch.save"),
    }
    for name, (content, expected) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=f"{name}: {expected}"):
            read_tensors(tmp_path / name)
    with pytest.raises(CheckpointError, match="nowhere: No such file"):
        read_tensors(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="Is a directory"):
        read_tensors(tmp_path)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(CheckpointError, match="a zip archive with 0 members named"):
        read_tensors(tmp_path / "other.zip")


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_file_that_was_cut_off_is_named(tmp_path, form):
    data = (FILES / f"kinds_{form}.pth").read_bytes()
    for size in (3, 40, len(data) // 2, len(data) - 1):
        path = tmp_path / f"cut_{size}.pth"
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError, match=rf"cut_{size}\.pth: "):
            read_tensors(path)


def test_a_flipped_bit_of_a_tensor_is_seen(tmp_path):
    """In a zip archive, whose members carry checksums; the legacy format has none."""
    data = bytearray((FILES / "kinds_zip.pth").read_bytes())
    place = data.find(read_tensors(FILES / "kinds_zip.pth")["whole"].tobytes())
    data[place + 5] ^= 4
    (tmp_path / "flipped.pth").write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_tensors(tmp_path / "flipped.pth")


def test_reading_needs_neither_pytorch_nor_tensorflow():
    program = (
        "import sys; from hrnet_keras.checkpoints.torch_file import read_tensors; read_tensors(sys.argv[1]); "
        "print([name for name in ('torch', 'tensorflow') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, FILES / "kinds_zip.pth"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"KERAS_BACKEND": "jax"})
    assert done.stdout.strip() == "[]"

"""Writes tests/checkpoints/files with PyTorch, in both of its formats.

Run with a Python that has torch 2.13 and numpy: python -m tests.checkpoints.make_torch_files
"""

import collections
import io
import json
import lzma
import zipfile
from pathlib import Path

import numpy as np
import torch

from tests.checkpoints.published import CASES, FILES

GOLDEN = Path(__file__).parent.parent / "golden"
FORMS = {"zip": True, "legacy": False}


def kinds():
    """A tensor of every kind that checkpoints have."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(6, 5, generator=generator)
    tensors = collections.OrderedDict()
    tensors["whole"] = base
    tensors["shared"] = base  # one storage, two names
    tensors["transposed"] = base.t()
    tensors["slice"] = base[1:4, 2:]
    tensors["row"] = base[2]
    tensors["zero_d"] = torch.tensor(7)
    tensors["empty"] = torch.zeros(0, 3)
    for dtype in ("float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8"):
        values = torch.arange(-3, 4) if "u" not in dtype else torch.arange(7)
        tensors[dtype] = values.to(getattr(torch, dtype))
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["parameter"] = torch.nn.Parameter(torch.ones(2, 2))
    tensors["channels_last"] = torch.randn(2, 3, 4, 5, generator=generator).to(memory_format=torch.channels_last)
    return tensors


def small():
    """Files with everything in them that a reader can stumble over."""
    tensors = kinds()
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    module(torch.zeros(1, 2, 4, 4)).sum().backward()
    optimizer.step()
    training = wrapped(module.state_dict(), "state_dict") | {"optimizer": optimizer.state_dict()}
    history = np.arange(6.0).reshape(2, 3)  # such as histories of scores, sets of names and methods of classes
    training["message_hub"] = {"history": history, "names": {"a", "b"}, "method": collections.Counter.most_common}
    for name, content in (("kinds", tensors), ("training", training)):
        for form, is_zip in FORMS.items():
            torch.save(content, FILES / f"{name}_{form}.pth", _use_new_zipfile_serialization=is_zip)
    torch.save(module, FILES / "module_zip.pth")
    numpy = {}
    for name, value in tensors.items():
        value = value.detach()
        numpy[name] = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    np.savez(FILES / "kinds.npz", **numpy)
    np.savez(FILES / "training.npz", **{name: value.numpy() for name, value in module.state_dict().items()})
    big_endian(FILES / "kinds_zip.pth", FILES / "kinds_big_endian.pth")


def wrapped(state, wrapper):
    """What training programs write around a state dict."""
    if wrapper == "state_dict":
        return {"epoch": 12, "best_mIoU": np.float64(0.8), "state_dict": state, "optimizer": {"param_groups": []}}
    if wrapper == "mm":
        return {"meta": {"CLASSES": ("a", "b"), "config": "x = 1\n", "iter": 40000, "env": {"seed": None}},
                "state_dict": state}  # fmt: skip
    return state


def big_endian(source, target):
    """The same archive as a big-endian machine writes it; PyTorch checks that it reads alike."""
    loaded = torch.load(source, weights_only=True)
    width, seen = {}, {}
    for value in loaded.values():  # storages are numbered by first use
        key = seen.setdefault(value.untyped_storage().data_ptr() or id(value), str(len(seen)))
        width[key] = value.element_size()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            data, leaf = old.read(info), info.filename.rsplit("/", 1)[-1]
            if leaf == "byteorder":
                data = b"big"
            elif "/data/" in info.filename:
                data = np.frombuffer(data, np.uint8).reshape(-1, width[leaf])[:, ::-1].tobytes()
            new.writestr(info.filename, data)
    found = torch.load(target, weights_only=True)
    assert all(torch.equal(value, found[name]) for name, value in loaded.items())


def published():
    """Files in the shape of published ones, every float tensor filled with its number."""
    for case in CASES:
        meta = json.loads((GOLDEN / case.kind / f"{case.case}.json").read_text())
        state, number = collections.OrderedDict(), 0
        for key, shape in meta["state_dict"]:
            if key.endswith("num_batches_tracked"):
                state[case.rename(key)] = torch.zeros(shape, dtype=torch.int64)
                continue
            number += 1
            state[case.rename(key)] = torch.full(shape, float(number))
        state |= {name: torch.full((19,), -1.0) for name in case.extra}
        for form, is_zip in FORMS.items():
            file = io.BytesIO()
            torch.save(wrapped(state, case.wrapper), file, _use_new_zipfile_serialization=is_zip)
            packed = lzma.compress(file.getvalue(), preset=9)
            (FILES / f"{case.name}_{form}.pth.xz").write_bytes(packed)


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    small()
    published()
    print(f"{sum(path.stat().st_size for path in FILES.iterdir()) / 1000:.0f} kB in {FILES}")

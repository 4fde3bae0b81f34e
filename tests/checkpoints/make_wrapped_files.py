"""Writes tests/checkpoints/files/wrapped.tar.xz: a tiny net inside of all that people save around one.

Run with a Python that has torch 2.13, numpy and timm 1.0: python -m tests.checkpoints.make_wrapped_files
"""

import argparse
import collections
import datetime
import decimal
import fractions
import functools
import io
import lzma
import pathlib
import pickle
import random
import sys
import tarfile
import types
import uuid

import numpy as np
import torch

from tests.checkpoints.wrapped import FILE, RIGHT, SEG_NAMES, WRONG


def net(value=RIGHT, prefix="", names=SEG_NAMES):
    """A state dict of an HRNet's names, of one number each."""
    state = collections.OrderedDict((prefix + name, torch.full((1,), value)) for name in names)
    state[f"{prefix}bn1.num_batches_tracked"] = torch.tensor(3)
    return state


def fake_class(module, name, base=object):
    """A class that pickles under the name of a package that is not here."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
    made = type(name, (base,), {"__module__": module})
    setattr(sys.modules[module], name, made)
    return made


def contents():
    """`{file name: what is saved}`."""
    module = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state, other = net(), net(WRONG)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10)
    named_optimizer = {"state": net(WRONG), "param_groups": []}
    path_of_313 = fake_class("pathlib._local", "PosixPath", pathlib.PurePosixPath)
    whole = fake_class("lib.models.cls_hrnet", "HighResolutionNet", torch.nn.Module)
    mm = net(prefix="backbone.", names=[name for name in SEG_NAMES if "last" not in name])
    mm["decode_head.conv_seg.weight"] = torch.full((1,), RIGHT)
    quantized = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8)
    found = {
        "plain": state,
        "official_cls": {"epoch": 9, "state_dict": state, "perf": torch.tensor([71.0]), "model": "cls_hrnet",
                         "optimizer": optimizer.state_dict()},
        "imagenet_example": {"state_dict": net(prefix="module."), "best_acc1": torch.tensor(71.0)},
        "scalars": {"epoch": torch.tensor(3), "model_state_dict": state, "loss": torch.tensor(0.1)},
        "nested": {"model": {"state_dict": state, "n": torch.tensor(1)}, "x": 1},
        "deep": {"a": {"b": {"c": [{"net": state}]}}},
        "list": [state], "tuple": (1, state),
        "random_states": {"state_dict": state, "torch": torch.get_rng_state(), "numpy": np.random.get_state(),
                          "generator": np.random.default_rng(0), "python": random.getstate()},
        "optimizer_by_name": {"optimizer": named_optimizer, "state_dict": state},
        "optimizer_objects": {"state_dict": state, "optimizer": optimizer, "scheduler": scheduler},
        "ema": {"state_dict": state, "state_dict_ema": other},
        "model_ema": {"model_ema": other, "model": state}, "params_ema": {"params_ema": other, "params": state},
        "ema_alone": {"ema_state_dict": net(prefix="module.") | {"steps": torch.tensor(3)}},
        "averaged": net(prefix="module.") | {"n_averaged": torch.tensor(3)},
        "same_twice": {"teacher": state, "student": collections.OrderedDict(state)},
        "mmseg": {"state_dict": mm, "meta": {"seed": 1}},
        "parts": {"backbone": net(names=SEG_NAMES[:-1]), "head": other["bn1.weight"]},
        "beside": {"state_dict": state, "path": pathlib.PurePosixPath("x"), "path313": path_of_313("x"),
                   "arguments": argparse.Namespace(path=pathlib.PosixPath("x")), "space": types.SimpleNamespace(a=1),
                   "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 2), complex(1, 2), range(3), slice(1, 2)],
                   "bytes": [b"x", bytearray(b"x")], "sets": [{1}, frozenset({1})], "id": uuid.uuid4(),
                   "dates": [datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)],
                   "queue": collections.deque([1], 3), "numpy": [np.float32(1), np.bool_(True), np.arange(3)]},
        "other_tensors": {"state_dict": state, "quantized": quantized,
                          "sparse": torch.eye(3).to_sparse(), "complex": torch.zeros(2, dtype=torch.complex64),
                          "uint16": torch.zeros(2, dtype=torch.uint16), "f8": torch.zeros(2, dtype=torch.float8_e4m3fn),
                          "dtype": torch.float16, "meta": torch.zeros(2, device="meta")},
        "two_nets": {"generator": state, "discriminator": other, "epoch": 3},
        "student_teacher": {"state_dict": net(prefix="student.") | net(WRONG, "teacher.")},
        "whole_module": torch.nn.DataParallel(whole()), "own_module": whole(),
        "partial": {"state_dict": state, "cfg": functools.partial(print, 1)},
        "optimizer_alone": {"optimizer": optimizer.state_dict()},
    }  # fmt: skip
    wrappers = ("_orig_mod", "_orig_mod.module", "module._orig_mod", "model._orig_mod", "model", "net", "model.net",
                "network", "encoder.model", "backbone", "module.model.module.net", "a.b.c",
                "_forward_module.model")  # fmt: skip
    found |= {f"prefix_{words}": {"state_dict": net(prefix=f"{words}.")} for words in wrappers}
    keys = ("network", "weights", "params", "backbone", "generator", "model_state", "anything")
    return found | {f"key_{key}": {key: state, "epoch": 3} for key in keys}


def in_blocks(state):
    """Names as of a net whose blocks were compiled or sharded one by one."""
    return collections.OrderedDict(
        (name.replace("stage2.", "stage2._orig_mod."), value) for name, value in state.items()
    )


def files():
    """`{file name: bytes}`."""
    made = {}
    for name, content in contents().items():
        made[f"{name}.pth"] = saved(content)
    made["compiled_blocks.pth"] = saved(in_blocks(net()))
    made["protocol_5.pth"] = saved({"state_dict": net(), "array": np.arange(3.0)}, pickle_protocol=5)
    made["legacy.pth"] = saved(contents()["official_cls"], _use_new_zipfile_serialization=False)
    others = {"state_dict": net(), "quantized": contents()["other_tensors"]["quantized"]}
    made["legacy_other_tensors.pth"] = saved(others, _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    made["no_checksums.pth"] = saved(net())
    torch.serialization.set_crc32_options(True)
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), script)
    made["script.pt"] = script.getvalue()
    made["python_pickle.pkl"] = pickle.dumps(net())
    made["pointer.pth"] = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 39000000\n"
    made["page.pth"] = b"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"
    made["model.safetensors.index.json"] = b'{"metadata": {}, "weight_map": {}}'
    return made | features()


def features():
    """What timm's `features_only` nets hold, of one number each."""
    import timm

    made = {}
    for place in ("incre", ""):
        trunk = timm.create_model("hrnet_w18_small", features_only=True, feature_location=place).state_dict()
        names = [name for name in trunk if not name.endswith("num_batches_tracked")]
        made[f"features_{place or 'trunk'}.pth"] = saved(net(names=names))
    return made


def saved(content, **options):
    """The bytes of `torch.save`."""
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def main():
    """Packs them."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in sorted(files().items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    FILE.write_bytes(lzma.compress(target.getvalue(), preset=9))


if __name__ == "__main__":
    main()

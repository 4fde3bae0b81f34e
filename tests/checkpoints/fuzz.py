"""Feeds mutated and hostile files to the reader, in a process of its own.

`python -m tests.checkpoints.fuzz FOLDER COUNT` ends with an error where anything but a `CheckpointError` or whole
tensors comes out, where code runs, a file is written, or more memory is used than a few hundred MB. Prints the counts
as JSON.
"""

import collections
import gc
import importlib
import io
import json
import os
import random
import resource
import struct
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

from hrnet_keras.checkpoints.torch_file import CheckpointError, read_tensors
from tests.checkpoints.hostile import payloads
from tests.checkpoints.published import FILES

LIMIT = 400 << 20  # bytes that reading may take, whatever the file says
BAD_EVENTS = ("os.system", "subprocess.Popen", "exec", "os.exec", "os.posix_spawn", "socket.connect", "os.remove",
              "os.rename", "os.symlink", "shutil.rmtree", "ctypes.dlopen", "pickle.find_class")  # fmt: skip
INTERESTING = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", b"\xff" * 8, b"\x00" * 8, b"\x80", b".",
               b"R", b"b", b"c", b"Q", b"u", b"(", b"2", b"h\x00", b"r\xff\xff\xff\x7f", b"\x8a\xff",
               b"B\xff\xff\xff\x7f")  # fmt: skip


class Watch:
    """Notes every event of the interpreter that a file's code would cause."""

    def __init__(self):
        self.on, self.seen = False, []
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if not self.on:
            return
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if event in BAD_EVENTS or writes:
            self.seen.append((event, str(arguments)[:200]))


def mutate(data, rng):
    """A damaged copy of `data`."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at : at + rng.randrange(1, 40)]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 4:
            data[at : at + 8] = rng.choice(INTERESTING)
        elif kind == 5:
            other = rng.randrange(len(data) + 1)
            data[at:at] = data[other : other + rng.randrange(1, 60)]
        else:
            del data[max(1, at) :]
        if not data:
            return b"\x00"
    return bytes(data)


def mutate_inside(data, rng):
    """A zip archive whose pickle is damaged and whose checksums are right."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            content = old.read(info)
            new.writestr(info.filename, mutate(content, rng) if info.filename.endswith("data.pkl") else content)
    return target.getvalue()


def safetensors_file():
    """A small file of the third format."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    return struct.pack("<Q", len(header)) + header + np.arange(6, dtype=np.float32).tobytes()


def main(folder, count):
    for name in ("encodings.cp437", "encodings.raw_unicode_escape", "safetensors.numpy"):
        importlib.import_module(name)  # they load on first use, which the watch would see
    start = time.perf_counter()
    rng, watch, results = random.Random(0), Watch(), collections.Counter()
    seeds = {path.name: path.read_bytes() for path in sorted(FILES.glob("*.pth"))}
    seeds["small.safetensors"] = safetensors_file()
    plain = {name: data for name, data in seeds.items() if not name.startswith("module")}
    right = {name: feed(folder / name, data, watch)[1] for name, data in plain.items()}
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with open("/proc/self/statm", encoding="utf-8") as file:
        address_space = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (address_space + LIMIT, address_space + LIMIT))
    for i in range(count):
        name = rng.choice(sorted(seeds))
        inside = name.endswith(("_zip.pth", "endian.pth")) and rng.random() < 0.6
        data = (mutate_inside if inside else mutate)(seeds[name], rng)
        outcome, found = feed(folder / f"mutation_{i % 50}.pth", data, watch)
        results["mutations", outcome] += 1
        checked = not inside and name.endswith(("_zip.pth", "endian.pth")) and name in right
        if outcome == "read" and checked:  # pickle and numbers have checksums there
            assert set(found) <= set(right[name]), (i, name)
            for key, value in found.items():
                assert np.array_equal(value, right[name][key]), (i, name, key)
    print(f"{time.perf_counter() - start:.0f} s for {count} mutations", file=sys.stderr)
    for name, data in payloads(seeds["kinds_zip.pth"], seeds["kinds_legacy.pth"]):
        outcome, _ = feed(folder / f"hostile_{name}.pth", data, watch)
        assert outcome == "refused", name
        results["payloads", outcome] += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - base
    assert not watch.seen, watch.seen[:3]
    assert peak < LIMIT, f"{peak >> 20} MB"
    counts = {f"{kind} {outcome}": number for (kind, outcome), number in sorted(results.items())}
    print(json.dumps({**counts, "peak_MB": peak >> 20}))


def feed(path, data, watch):
    """Reads a file made of `data`: `("read", tensors)` or `("refused", None)`; all else is an error."""
    path.write_bytes(data)
    watch.on = True
    try:
        found = read_tensors(path)
        for value in found.values():
            value.reshape(-1)[:3].tolist()
            value.reshape(-1)[-3:].tolist()
    except CheckpointError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error), str(error)[:300]
        return "refused", None
    finally:
        watch.on = False
        gc.collect(0)
    return "read", found


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""Reading a checkpoint of 66 million parameters: this package beside torch.load, in turns, each in a new process.

make torch-venv && .venv/bin/python benchmarks/loading.py --write
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from speed import HERE, machine, replace_between

MAKE = """
import sys, torch
shapes = [(720, 720, 1, 1)] + [(384, 384, 3, 3)] * 48 + [(192, 192, 3, 3)] * 12 + [(48,)] * 1600
state = {f"layer{i}.weight": torch.rand(shape) for i, shape in enumerate(shapes)}
print(sum(value.numel() for value in state.values()))
torch.save(state, sys.argv[1] + "/zip.pth")
torch.save(state, sys.argv[1] + "/legacy.pth", _use_new_zipfile_serialization=False)
"""
MEASURE = """
import json, resource, sys, time
{imports}
def peak():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1024
before, start = peak(), time.perf_counter()
state = {read}
total = sum(float({one}) for value in state.values())
print(json.dumps({{"seconds": time.perf_counter() - start, "MB": peak() - before}}))
"""
ONE = "value.reshape(-1)[-1]"
CONTENDERS = {
    "torch.load": ("torch", "import torch", "torch.load(sys.argv[1], weights_only=True)"),
    "torch.load, mmap=True": ("torch", "import torch", "torch.load(sys.argv[1], weights_only=True, mmap=True)"),
    "hrnet_keras": (
        "keras", "from hrnet_keras.checkpoints.torch_file import read_tensors", "read_tensors(sys.argv[1])"),
}  # fmt: skip


def measure(pythons, path, rounds):
    """`{contender: {"seconds", "MB"}}`: medians of new processes that take turns."""
    found = {name: [] for name in CONTENDERS if "mmap" not in name or "legacy" not in path.name}
    for _ in range(rounds):
        for name in found:
            side, imports, read = CONTENDERS[name]
            program = MEASURE.format(imports=imports, read=read, one=ONE)
            done = subprocess.run([pythons[side], "-c", program, path], check=True, stdout=subprocess.PIPE, text=True)
            found[name].append(json.loads(done.stdout))
    return {
        name: {key: statistics.median(one[key] for one in runs) for key in ("seconds", "MB")}
        for name, runs in found.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-python", default=str(HERE.parent / ".venv-torch/bin/python"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    options = parser.parse_args()
    pythons = {"torch": options.torch_python, "keras": sys.executable}
    lines = ["| file | reader | median ms | ratio | memory MB |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([pythons["torch"], "-c", MAKE, folder], check=True, stdout=subprocess.PIPE, text=True)
        numbers = int(done.stdout)
        for form in ("zip", "legacy"):
            results = measure(pythons, Path(folder, f"{form}.pth"), options.rounds)
            for name, one in results.items():
                ratio = one["seconds"] / results["torch.load"]["seconds"]
                lines.append(f"| {form} | {name} | {1000 * one['seconds']:.0f} | {ratio:.2f} | {one['MB']:.0f} |")
    table = f"{machine()}; {numbers / 1e6:.1f} M numbers, {4 * numbers / 2**20:.0f} MB\n\n" + "\n".join(lines)
    print(table)
    if options.write:
        replace_between("loading", table, HERE / "README.md")


if __name__ == "__main__":
    main()

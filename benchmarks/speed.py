"""Speed beside the official PyTorch networks: same weights, same work, one run, in turns; medians and ratios.

make torch-venv && .venv/bin/python benchmarks/speed.py --write
"""

import argparse
import datetime
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
EAGER = "PyTorch eager"
FORWARD = {
    EAGER: ("torch", "eager"),
    "PyTorch channels_last": ("torch", "channels_last"),
    "Keras model": ("keras", "function"),
    "Keras SavedModel": ("keras", "saved_model"),
}
TRAIN = {
    EAGER: ("torch", "eager"),
    "PyTorch channels_last": ("torch", "channels_last"),
    "PyTorch channels_last bfloat16": ("torch", "channels_last bfloat16"),
    "Keras fit step": ("keras", "float32"),
    "Keras fit step bfloat16": ("keras", "bfloat16"),
}
LABELS = {
    EAGER: ("torch", "eager"),
    "PyTorch channels_last": ("torch", "channels_last"),
    "Keras": ("keras", "function"),
}


def forward(net, task, size, batch, outputs):
    return {
        "kind": "model",
        "mode": "forward",
        "net": net,
        "task": task,
        "size": size,
        "batch": batch,
        "outputs": outputs,
    }


CASES = {
    "forward W18 seg 512x512": (forward("W18", "seg", (512, 512), 1, 19), FORWARD),
    "forward W48 seg 512x512": (forward("W48", "seg", (512, 512), 1, 19), FORWARD),
    "forward W32 pose 256x192": (forward("W32", "pose", (256, 192), 1, 17), FORWARD),
    "forward W32 pose 256x192, 8 at once": (forward("W32", "pose", (256, 192), 8, 17), FORWARD),
    "train W18-small-v2 seg 256x256, 4 at once": (
        {**forward("W18SmallV2", "seg", (256, 256), 4, 19), "mode": "train"}, TRAIN),
    "train W18-small-v1 seg 256x256, 8 at once": (
        {**forward("W18SmallV1", "seg", (256, 256), 8, 11), "mode": "train"}, TRAIN),
    "labels 1024x2048 from stride 4": ({"kind": "labels", "size": (1024, 2048), "outputs": 19}, LABELS),
}  # fmt: skip


class Side:
    """A worker process, asked by JSON lines."""

    def __init__(self, python, script):
        self.process = subprocess.Popen(
            [python, str(HERE / script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[1]} ended: see its message above")
        return json.loads(line)


def measure(sides, case, contenders, rounds, count):
    """Returns `{contender: {"median", "min", "difference"}}`, seconds; the contenders run in turns."""
    outputs = {}
    for name, (side, variant) in contenders.items():
        sides[side].ask(action="prepare", name=name, case=case, variant=variant)
        with tempfile.NamedTemporaryFile(suffix=".npy") as file:
            sides[side].ask(action="output", name=name, path=file.name)
            outputs[name] = np.load(file.name).astype(np.float64)
        sides[side].ask(action="run", name=name, count=2)
    times = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (side, _) in contenders.items():
            times[name] += sides[side].ask(action="run", name=name, count=count)["times"]
    for side in sides.values():
        side.ask(action="forget")
    return {name: summary(times[name], outputs[name], outputs[EAGER]) for name in contenders}


def summary(times, output, expected):
    spread = expected.std() if expected.ndim else abs(float(expected))
    difference = float(np.abs(output - expected).max() / spread)
    return {"median": statistics.median(times), "min": min(times), "difference": difference}


def table(results):
    """The results as Markdown."""
    lines = [
        "| case | contender | median ms | min ms | ratio to PyTorch eager | largest difference |",
        "|---|---|---|---|---|---|",
    ]
    for case, rows in results.items():
        for name, row in rows.items():
            ratio = row["median"] / rows[EAGER]["median"]
            lines.append(
                f"| {case} | {name} | {1000 * row['median']:.1f} | {1000 * row['min']:.1f} | {ratio:.2f} "
                f"| {row['difference']:.1e} |"
            )
            case = ""
    return "\n".join(lines)


def machine():
    """What this was measured on."""
    name = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            name = line.split(":")[1].strip()
    return f"{datetime.date.today()}, {name}, 2 threads, float32 unless said otherwise"


def replace_between(marker, text, path):
    """Puts `text` between `<!-- marker -->` and `<!-- /marker -->` of a file."""
    whole = path.read_text()
    start, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    before, after = whole.split(start)[0], whole.split(end)[1]
    path.write_text(f"{before}{start}\n{text}\n{end}{after}")


def options_of(description, rounds):
    """The options of a benchmark beside PyTorch, whose environment has to be there."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--torch-python", default=str(HERE.parent / ".venv-torch/bin/python"))
    parser.add_argument("--cases", nargs="*", default=[""], help="only cases whose names contain one of these")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--count", type=int, default=3, help="runs in a row per turn")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    options = parser.parse_args()
    if not Path(options.torch_python).exists():
        raise SystemExit(f"{options.torch_python}: no such file; make torch-venv makes the peer's environment")
    return options


def main():
    options = options_of(__doc__, 6)
    sides = {"torch": Side(options.torch_python, "torch_peer.py"), "keras": Side(sys.executable, "keras_side.py")}
    results = {}
    for name, (case, contenders) in CASES.items():
        if any(part in name for part in options.cases):
            results[name] = measure(sides, case, contenders, options.rounds, options.count)
            print(table({name: results[name]}), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=1))
    if options.write:
        replace_between("speed", f"{machine()}\n\n{table(results)}", HERE / "README.md")


if __name__ == "__main__":
    main()

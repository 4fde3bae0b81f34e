"""The time of every framework of detection, and the trunk's share of it; FCOS beside PyTorch, too.

make torch-venv && .venv-torch/bin/pip install torchvision && .venv/bin/python benchmarks/frameworks.py --write
"""

import json
import statistics
import subprocess
import sys
import tempfile

from detection import FORWARD, HEADER, NET, SCRIPTS, SIZE, ended, table_rows
from speed import HERE, Side, machine, measure, options_of, replace_between

from hrnet_keras.tasks.detection.frameworks import MODULES

WORKS = {"whole": "saved_model", "train": "step"}  # and who does the whole of it
PEER = "fcos"
OWN_HEADER = """\
| framework | picture ms | min ms | of it the trunk | training step ms | min ms | of it the trunk |
|---|---|---|---|---|---|---|"""


def time_of(case, variant, rounds, count):
    """Seconds of the work and of the trunk in it, in turns of one process: `{variant: [...]}`."""
    side = Side(sys.executable, SCRIPTS["keras"])
    times = {name: [] for name in (variant, "trunk")}
    for name in times:
        side.ask(action="prepare", name=name, case=case, variant=name)
        side.ask(action="run", name=name, count=1)
    for _ in range(rounds):
        for name in times:
            times[name] += side.ask(action="run", name=name, count=count)["times"]
    ended(side)
    return times


def cells_of(times):
    """Median, minimum and the trunk's share, of both works."""
    for work, variant in WORKS.items():
        whole, trunk = times[work][variant], times[work]["trunk"]
        median = statistics.median(whole)
        yield f"{1000 * median:.0f}"
        yield f"{1000 * min(whole):.0f}"
        yield f"{100 * statistics.median(trunk) / median:.0f} %"


def main():
    options = options_of(__doc__, 3)
    results, lines, beside = {}, [OWN_HEADER], []
    with tempfile.TemporaryDirectory() as folder:
        for framework in MODULES:
            if not any(part in framework for part in options.cases):
                continue
            common = {
                "kind": "detector", "net": NET, "size": SIZE, "batch": 1, "framework": framework,
                "weights": f"{folder}/{framework}.npz",
            }  # fmt: skip
            subprocess.run([sys.executable, str(HERE / SCRIPTS["keras"]), json.dumps(common)], check=True)
            results[framework] = {
                work: time_of({**common, "work": work}, variant, options.rounds, options.count)
                for work, variant in WORKS.items()
            }
            lines.append(f"| {framework} | " + " | ".join(cells_of(results[framework])) + " |")
            print("\n".join(lines), flush=True)
            if framework == PEER:
                pythons = {"torch": options.torch_python, "keras": sys.executable}
                sides = {kind: Side(pythons[kind], script) for kind, script in SCRIPTS.items()}
                case = {**common, "work": "whole"}
                beside = list(table_rows(framework, measure(sides, case, FORWARD, options.rounds, options.count)))
                print("\n".join([HEADER, *beside]), flush=True)
                for side in sides.values():
                    ended(side)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=1))
    if options.write:
        lines[:0] = [f"{machine()}; HRNetV2p-{NET}, one picture of {SIZE[0]}x{SIZE[1]}", ""]
        replace_between("frameworks", "\n".join([*lines, "", HEADER, *beside]), HERE / "README.md")


if __name__ == "__main__":
    main()

"""The detector's speed beside PyTorch: the official trunk with torchvision's parts, same weights, in turns.

make torch-venv && .venv-torch/bin/pip install torchvision && .venv/bin/python benchmarks/detection.py --write
"""

import json
import statistics
import subprocess
import sys
import tempfile

from speed import EAGER, HERE, Side, machine, measure, options_of, replace_between

NET, SIZE = "W18", (800, 1088)
SCRIPTS = {"torch": "detection_peer.py", "keras": "detection_keras.py"}
CHANNELS_LAST = "PyTorch channels_last"
FORWARD = {
    EAGER: ("torch", "eager"),
    CHANNELS_LAST: ("torch", "channels_last"),
    "Keras model": ("keras", "function"),
    "Keras SavedModel": ("keras", "saved_model"),
}
TRAIN = {EAGER: ("torch", "eager"), CHANNELS_LAST: ("torch", "channels_last"), "Keras fit step": ("keras", "step")}
CASES = {
    "whole picture": ("whole", 1, FORWARD),
    "after the pyramid": ("after", 1, FORWARD),
    "training step, 2 pictures": ("train", 2, TRAIN),
}
HEADER = """\
| case | contender | median ms | min ms | ratio to PyTorch eager | largest difference of scores | peak MiB | ratio |
|---|---|---|---|---|---|---|---|"""


def ended(side):
    side.process.stdin.close()
    side.process.wait()


def measure_training(pythons, case, contenders, rounds, count):
    """As `measure`, with a process of its own for every turn, as its peak memory counts."""
    times = {name: [] for name in contenders}
    peaks = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (kind, variant) in contenders.items():
            side = Side(pythons[kind], SCRIPTS[kind])
            side.ask(action="prepare", name=name, case=case, variant=variant)
            side.ask(action="run", name=name, count=1)
            times[name] += side.ask(action="run", name=name, count=count)["times"]
            peaks[name].append(side.ask(action="tell", name=name, what="peak")["value"])
            ended(side)
    return {name: summary_of(times[name], peaks[name]) for name in contenders}


def summary_of(times, peaks):
    return {"median": statistics.median(times), "min": min(times), "peak": statistics.median(peaks)}


def table_rows(case, rows):
    """Lines of Markdown."""
    first = rows[EAGER]
    for name, row in rows.items():
        cells = [case, name, f"{1000 * row['median']:.0f}", f"{1000 * row['min']:.0f}"]
        cells.append(f"{row['median'] / first['median']:.2f}")
        cells.append(f"{row['difference']:.1e}" if "difference" in row else "")
        cells += [f"{row['peak']:.0f}", f"{row['peak'] / first['peak']:.2f}"] if "peak" in row else ["", ""]
        yield "| " + " | ".join(cells) + " |"
        case = ""


def count_traces(case, sizes):
    """A sentence about pictures of many sizes in a row."""
    side = Side(sys.executable, SCRIPTS["keras"])
    case = {**case, "work": "sizes", "batch": 1, "sizes": sizes}
    side.ask(action="prepare", name="sizes", case=case, variant="predictor")
    times = side.ask(action="run", name="sizes", count=sizes)["times"]
    traces = side.ask(action="tell", name="sizes", what="traces")["value"]
    side.process.stdin.close()
    slowest = max(times[sizes // 2 :]) / statistics.median(times[sizes // 2 :])
    return (
        f"{sizes} pictures of other sizes in a row, predicted by the Keras model: {traces} traces; "
        f"the slowest of the second half takes {slowest:.1f} times as long as their median."
    )


def main():
    options = options_of(__doc__, 4)
    pythons = {"torch": options.torch_python, "keras": sys.executable}
    results, lines = {}, [HEADER]
    with tempfile.TemporaryDirectory() as folder:
        common = {"kind": "detector", "net": NET, "size": SIZE, "weights": f"{folder}/weights.npz"}
        drawing = [sys.executable, str(HERE / SCRIPTS["keras"]), json.dumps({**common, "batch": 1})]
        subprocess.run(drawing, check=True)
        for name, (work, batch, contenders) in CASES.items():
            if not any(part in name for part in options.cases):
                continue
            case = {**common, "work": work, "batch": batch}
            if work == "train":
                results[name] = measure_training(pythons, case, contenders, max(options.rounds // 2, 1), 2)
            else:
                sides = {kind: Side(pythons[kind], script) for kind, script in SCRIPTS.items()}
                results[name] = measure(sides, case, contenders, options.rounds, options.count)
                for side in sides.values():
                    ended(side)
            lines += table_rows(name, results[name])
            print("\n".join(lines), flush=True)
        lines += ["", count_traces(common, 20)]
        print(lines[-1])
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=1))
    if options.write:
        lines[:0] = [f"{machine()}; HRNetV2p-{NET}, {SIZE[0]}x{SIZE[1]}", ""]
        replace_between("detection", "\n".join(lines), HERE / "README.md")


if __name__ == "__main__":
    main()

"""COCO's evaluators on the same truths and results: seconds, memory, and how far their figures lie from pycocotools'.

.venv/bin/python benchmarks/evaluators.py --write
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SIDE = 480  # pixels of the pictures


def make(pictures, kind):
    """Truths with 2 % crowds and results with ties in score, false ones and other classes, as `cocoeval` takes them."""
    from pycocotools import mask as coder

    rng = np.random.default_rng(0)
    images = [{"id": i, "height": SIDE, "width": SIDE} for i in range(1, pictures + 1)]
    truth, results = [], []
    for image in images:
        for _ in range(rng.integers(0, 15)):
            corner, sides = rng.uniform(0, SIDE * 0.8, 2), np.exp(rng.uniform(2, 5, 2))
            box, category = [*corner.tolist(), *sides.tolist()], int(rng.integers(1, 81))
            known = {"image_id": image["id"], "category_id": category, "iscrowd": int(rng.random() < 0.02)}
            truth.append({**known, "bbox": box, "area": float(np.prod(sides))})
            for _ in range(rng.integers(1, 5)):
                moved = [*(corner + rng.normal(0, 6, 2)).tolist(), *(sides * np.exp(rng.normal(0, 0.1, 2))).tolist()]
                guess = category if rng.random() < 0.9 else int(rng.integers(1, 81))
                score = round(float(rng.random()), 2)
                results.append({"image_id": image["id"], "category_id": guess, "score": score, "bbox": moved})
    if kind == "segm":
        for one in (*truth, *results):
            encoded = coder.frPyObjects(np.array([one["bbox"]]), SIDE, SIDE)[0]
            one["segmentation"] = {**encoded, "counts": encoded["counts"].decode()}
        for one in results:
            del one["bbox"]
    return images, truth, results, [{"id": i, "name": str(i)} for i in range(1, 81)]


def turn(name, kind, pictures, file):
    """Evaluates with one library; writes its precisions to a file."""
    if name == "pycocotools":
        sys.modules["faster_coco_eval"] = None
    from hrnet_keras.tasks import cocoeval

    assert cocoeval.library()[1].__module__.startswith(name.replace("-", "_"))
    case = make(pictures, kind)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    measured = cocoeval.evaluate(kind, *case)
    seconds = time.perf_counter() - began
    np.save(file, measured.precision)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "memory": memory / 1e6, "results": len(case[2])}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    parser.add_argument("--turn", nargs=3, help=argparse.SUPPRESS)  # evaluator, kind, file
    options = parser.parse_args()
    if options.turn:
        name, kind, file = options.turn
        print(json.dumps(turn(name, kind, options.pictures, file)))
        return
    lines = [
        "| compared | evaluator | seconds, median | ratio | memory, GB | largest difference |",
        "|---|---|---|---|---|---|",
    ]
    results = 0
    for kind in ("bbox", "segm"):
        found = measure(kind, options)
        first = found["pycocotools"]
        for name, (seconds, memory, precision, count) in found.items():
            difference = np.abs(precision - first[2]).max()
            ratio = seconds / first[0]
            lines.append(f"| {kind} | {name} | {seconds:.2f} | {ratio:.2f} | {memory:.2f} | {difference:.1e} |")
            results = count
    text = "\n".join(lines)
    print(text)
    if options.write:
        from speed import machine, replace_between

        what = f"{machine()}; {options.pictures} pictures, {results} results of 80 classes"
        replace_between("evaluators", f"{what}\n\n{text}", HERE / "README.md")


def measure(kind, options):
    """Of every evaluator the medians of seconds and memory, its precisions, and the number of results."""
    turns = {"pycocotools": [], "faster-coco-eval": []}
    precisions, count = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for name, figures in turns.items():
                file = str(Path(folder) / f"{name}.npy")
                command = [sys.executable, __file__, "--pictures", str(options.pictures), "--turn", name, kind, file]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
                said = json.loads(done.stdout.splitlines()[-1])
                figures.append((said["seconds"], said["memory"]))
                precisions[name], count = np.load(file), said["results"]
    return {
        name: (*map(statistics.median, zip(*figures, strict=True)), precisions[name], count)
        for name, figures in turns.items()
    }


if __name__ == "__main__":
    main()

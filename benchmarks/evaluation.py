"""Pictures per second that `hk.evaluate` scores: pictures that share batches beside pictures one by one.

    python benchmarks/evaluation.py [--peer CLONE] [--pictures 96] [--rounds 5]

Each way runs in a process of its own, and the ways take turns, so that whatever else the machine does meets all alike.
`--peer` names a clone of another version of this package, which is measured, too.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent.parent
TASKS = {"cls": "W18-Small-v1, classification, 224x224", "pose": "W18-Small-v1, pose 256x192, 1 to 3 persons a picture"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="clone of another version")
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", nargs=3, metavar=("TASK", "WAY", "ROOT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(*options.worker)
        return
    ways = {"one by one": (HERE, "one_by_one"), "in batches": (HERE, "batches")}
    if options.peer:
        ways = {options.peer: (Path(options.peer), "batches"), **ways}
    print(f"{os.cpu_count()} cores, {options.pictures} pictures, median of {options.rounds} rounds, taken in turns")
    for task, title in TASKS.items():
        with tempfile.TemporaryDirectory() as root:
            draw(task, Path(root), options.pictures)
            seconds = measured(task, root, ways, options.rounds)
        print(title)
        before = statistics.median(next(iter(seconds.values())))
        for way, taken in seconds.items():
            median = statistics.median(taken)
            print(f"  {way:<24} {options.pictures / median:7.1f} pictures/s   {before / median:.2f} times")


def measured(task, root, ways, rounds):
    """Seconds of every round of every way."""
    workers = {}
    for way, (clone, name) in ways.items():
        command = [sys.executable, __file__, "--worker", task, name, root]
        environment = {**os.environ, "PYTHONPATH": str(clone), "TF_CPP_MIN_LOG_LEVEL": "3"}
        workers[way] = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        workers[way].stdout.readline()  # warm
    seconds = {way: [] for way in ways}
    for _ in range(rounds):
        for way, worker in workers.items():
            worker.stdin.write("go\n")
            worker.stdin.flush()
            seconds[way].append(float(worker.stdout.readline()))
    for worker in workers.values():
        worker.communicate()
    return seconds


def work(task, way, root):
    """Scores the pictures whenever it is told to, and says how many seconds that took."""
    import hrnet_keras as hk
    from hrnet_keras import datasets, evaluation

    if way == "one_by_one":
        evaluation.HELD = -1
    if task == "cls":
        model = hk.HRNetV2W18SmallV1("cls", num_classes=2, input_shape=(224, 224, 3))
        dataset = datasets.load("imagenet", "val", root)
    else:
        model = hk.HRNetV1W18SmallV1("pose", num_keypoints=3, input_shape=(256, 192, 3))
        dataset = datasets.load("points", "val", root)
    hk.evaluate(model, dataset, verbose=False)
    print("warm", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        hk.evaluate(model, dataset, verbose=False)
        print(time.perf_counter() - began, flush=True)


def draw(task, root, count):
    """Pictures of noise: JPEG files of 224x224 in folders of classes, or of 640x480 with boxes in a table."""
    rng = np.random.default_rng(0)
    lines = ["file,a_x,a_y,b_x,b_y,c_x,c_y,box_left,box_top,box_right,box_bottom"]
    for i in range(count):
        size = (224, 224) if task == "cls" else (480, 640)
        coarse = rng.integers(0, 256, (size[0] // 16, size[1] // 16, 3), dtype=np.uint8)
        folder = root / "val" / f"class{i % 2}" if task == "cls" else root / "images"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize(size[::-1], Image.BICUBIC).save(folder / f"{i}.jpg", quality=90)
        for left, top in rng.integers(0, 240, (1 + i % 3, 2)):
            points = [f"{left + 50},{top + 20}", f"{left + 60},{top + 90}", f"{left + 40},{top + 150}"]
            lines.append(f"{i}.jpg,{','.join(points)},{left},{top},{left + 120},{top + 200}")
    if task == "pose":
        (root / "val.csv").write_text("\n".join(lines))


if __name__ == "__main__":
    main()

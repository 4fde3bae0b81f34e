"""Opening a file of the size of COCO's instances_train2017.json: this package beside pycocotools, in turns.

.venv/bin/python benchmarks/coco_json.py --write
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from speed import HERE, machine, replace_between

PICTURES, OBJECTS, CLASSES = 118_287, 860_001, 80  # of COCO's training set
SEED = 2017


def polygon(rng, x, y, wide, high):
    """Rounded as COCO's are; the number of points has COCO's mean."""
    count = int(rng.integers(6, 40))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    points = np.stack([x + wide * (0.5 + 0.5 * np.cos(angles)), y + high * (0.5 + 0.5 * np.sin(angles))], axis=1)
    return np.round(points.ravel(), 2).tolist()


def annotation(rng, number, picture):
    x, y = rng.uniform(0, 400, 2)
    wide, high = rng.uniform(10, 200, 2)
    box = [round(float(value), 2) for value in (x, y, wide, high)]
    if rng.uniform() < 0.01:
        counts = rng.integers(1, 5000, 60).tolist()
        segmentation = {"counts": [*counts, 480 * 640 - sum(counts)], "size": [480, 640]}
    else:
        segmentation = [polygon(rng, x, y, wide, high) for _ in range(1 + int(rng.uniform() < 0.1))]
    return {
        "segmentation": segmentation, "area": round(float(wide * high), 4),
        "iscrowd": int(isinstance(segmentation, dict)),
        "image_id": picture, "bbox": box, "category_id": 1 + int(rng.integers(CLASSES)), "id": number,
    }  # fmt: skip


def generate(file, pictures, objects):
    """Writes the file: its objects in an order that has nothing to do with the pictures', as COCO's."""
    rng = np.random.default_rng(SEED)
    images = [
        {"license": 3, "file_name": f"{5 * i + 9:012}.jpg",
         "coco_url": f"http://images.cocodataset.org/{5 * i + 9:012}.jpg",
         "height": 480, "width": 640, "date_captured": "2013-11-14 11:18:45",
         "flickr_url": f"http://farm9.staticflickr.com/8186/{8119368305 + i}_4e622c8349_z.jpg", "id": 5 * i + 9}
        for i in range(pictures)
    ]  # fmt: skip
    some = [json.dumps(annotation(rng, 0, 0)) for _ in range(5000)]  # drawn once, used again and again
    owners = rng.integers(pictures, size=objects)
    with open(file, "w", encoding="utf-8") as stream:
        stream.write('{"info": {"year": 2017}, "licenses": [], "images": ')
        stream.write(json.dumps(images))
        stream.write(', "annotations": [')
        for number, owner in enumerate(owners.tolist()):
            text = some[number % len(some)].replace('"image_id": 0', f'"image_id": {5 * owner + 9}')
            stream.write((", " if number else "") + text.replace('"id": 0', f'"id": {number + 1}'))
        stream.write('], "categories": ')
        stream.write(json.dumps([{"id": i + 1, "name": f"class {i}"} for i in range(CLASSES)]))
        stream.write("}")


def read_ours(file):
    """Opened as a data set, but for looking whether the pictures are there, which they are not."""
    from hrnet_keras.datasets import DatasetInfo
    from hrnet_keras.datasets.coco_objects import read_objects
    from hrnet_keras.datasets.coco_table import CocoTable, box_set, check_ids, sizes_of

    start = time.perf_counter()
    objects = read_objects(file)
    check_ids(objects)
    labels = {number: i for i, number in enumerate(objects.categories)}
    table = CocoTable(objects, sizes_of(objects, [], []), labels, lenient=True)
    files = [Path("train2017") / name for name in objects.pictures.values()]
    opened = box_set(DatasetInfo("coco"), "train", table, objects, range(len(files)), files)
    seconds = time.perf_counter() - start
    return seconds, [len(opened), sum(len(opened.annotations(i)["truth"]) for i in range(0, len(opened), 1000))]


def read_theirs(file):
    from pycocotools.coco import COCO

    start = time.perf_counter()
    coco = COCO(file)
    seconds = time.perf_counter() - start
    return seconds, [len(coco.imgs), sum(len(coco.imgToAnns[number]) for number in list(coco.imgs)[::1000])]


CONTENDERS = {"pycocotools": read_theirs, "hrnet_keras": read_ours}


def measure(name, file):
    """Runs in a process of its own: seconds, growth of the peak of memory over the imports, and what was found."""

    import hrnet_keras.datasets.coco_table  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, found = CONTENDERS[name](file)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "MB": (peak - before) / 1024, "peak": peak / 1024, "found": found}))


def run(file, rounds):
    """`{contender: medians}` of new processes that take turns."""
    runs = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in CONTENDERS:
            words = [sys.executable, __file__, "--measure", name, file]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
    found = {json.dumps(one["found"]) for each in runs.values() for one in each}
    assert len(found) == 1, found
    return {
        name: {key: statistics.median(one[key] for one in each) for key in ("seconds", "MB", "peak")}
        for name, each in runs.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--objects", type=int, default=OBJECTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    parser.add_argument("--measure", nargs=2, metavar=("CONTENDER", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "instances.json")
        generate(file, options.pictures, options.objects)
        size = Path(file).stat().st_size
        results = run(file, options.rounds)
    peer = results["pycocotools"]
    lines = ["| reader | seconds | ratio | memory MB | ratio | peak of the process MB |", "|---|---|---|---|---|---|"]
    for name, one in results.items():
        ratios = [one[key] / peer[key] for key in ("seconds", "MB")]
        cells = (f"{one['seconds']:.1f}", f"{ratios[0]:.2f}", f"{one['MB']:.0f}", f"{ratios[1]:.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} | {one['peak']:.0f} |")
    title = f"{machine()}; {options.pictures:,} pictures, {options.objects:,} objects, {size / 1e6:.0f} MB"
    table = title + "\n\n" + "\n".join(lines)
    print(table)
    if options.write:
        replace_between("coco-json", table, HERE / "README.md")


if __name__ == "__main__":
    main()

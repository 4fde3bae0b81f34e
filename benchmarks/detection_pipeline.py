"""Detection's training pictures per second beside the reference's work in OpenCV, same files, same cores, in turns.

.venv/bin/python benchmarks/detection_pipeline.py --write
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
BATCH, SCALE = 2, (1333, 800)


def write_pictures(root, count, size):
    """JPEG files of `size` (height, width), drawn scenes with a sensor's noise, and their boxes in COCO's layout."""
    import cv2

    from hrnet_keras import datasets

    drawn = datasets.load("toytown", "train", size=(400, 667), count=count, annotation="objects")
    rng, pictures, objects = np.random.default_rng(0), [], []
    (root / "images" / "train").mkdir(parents=True)
    for i in range(count):
        example = drawn.example(i)
        height, width = size if i % 4 else size[::-1]
        image = cv2.resize(example["image"], (width, height), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
        pictures.append({"id": i + 1, "file_name": f"{i:012}.jpg", "height": height, "width": width})
        file = str(root / "images" / "train" / pictures[-1]["file_name"])
        cv2.imwrite(file, noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        factors = np.array([width / 667, height / 400] * 2)
        for (left, top, right, bottom), label in zip(example["boxes"] * factors, example["labels"], strict=True):
            box = [float(left), float(top), float(right - left), float(bottom - top)]
            objects.append({
                "id": len(objects) + 1, "image_id": i + 1, "category_id": int(label) + 1, "bbox": box,
                "area": box[2] * box[3], "iscrowd": 0,
            })  # fmt: skip
    categories = [{"id": i, "name": name} for i, name in enumerate(drawn.info.class_names, 1)]
    whole = {"images": pictures, "annotations": objects, "categories": categories}
    (root / "train.json").write_text(json.dumps(whole))


def run_ours(root, batches, cores):
    """Pictures per second of the training stream, normalised as our nets do it in their graph."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import cv2
    import tensorflow as tf

    from hrnet_keras import datasets
    from hrnet_keras.layers.normalize import MEAN, STD
    from hrnet_keras.tasks.detection import pipeline

    cv2.setNumThreads(1)
    tf.config.threading.set_inter_op_parallelism_threads(cores)
    dataset = datasets.load("boxes", "train", root)
    stream = pipeline.training(dataset, batch=BATCH, scale=SCALE, cache=False)
    scale, offset = tf.constant(1 / (255 * np.array(STD)), tf.float32), tf.constant(-np.array(MEAN) / STD, tf.float32)

    def normalised(images, targets):
        shape = tf.shape(images)
        rows = tf.reshape(images, (shape[0], shape[1], -1))
        pixels = rows * tf.tile(scale, [shape[2]]) + tf.tile(offset, [shape[2]])
        return tf.reshape(tf.where(rows < 0, 0.0, pixels), shape), targets

    threads = tf.data.Options()
    threads.threading.private_threadpool_size = cores
    return speed(iter(stream.map(normalised, num_parallel_calls=cores).with_options(threads)), batches)


def speed(stream, batches):
    """Pictures per second, after two batches to warm up."""
    for _ in range(2):
        next(stream)
    began = time.perf_counter()
    for _ in range(batches):
        next(stream)
    return BATCH * batches / (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--size", type=int, nargs=2, default=(800, 1333), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batches", type=int, default=40, help="per turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    parser.add_argument("--ours", help=argparse.SUPPRESS)  # a turn: the folder of the files
    options = parser.parse_args()
    if options.ours:
        print(json.dumps(run_ours(options.ours, options.batches, options.cores)))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_pictures(root, options.pictures, tuple(options.size))
        weight = sum(file.stat().st_size for file in root.glob("images/train/*.jpg")) / options.pictures
        more = [str(options.batches), str(options.cores)]
        peer = [sys.executable, str(HERE / "detection_pipeline_peer.py"), folder, *more]
        contenders = {
            "reference's work, OpenCV in processes": [*peer, "processes"],
            "reference's work, OpenCV in threads": [*peer, "threads"],
            "hrnet_keras": [sys.executable, __file__, "--ours", folder, "--batches", more[0], "--cores", more[1]],
        }
        speeds = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, command in contenders.items():
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
                speeds[name].append(json.loads(done.stdout.splitlines()[-1]))
                print(f"{name}: {speeds[name][-1]:.1f}", flush=True)
    report(speeds, weight, options)


def report(speeds, weight, options):
    from speed import machine, replace_between

    medians = {name: statistics.median(values) for name, values in speeds.items()}
    best_peer = max(value for name, value in medians.items() if name != "hrnet_keras")
    lines = ["| loader | pictures per second, median | ratio to the faster of the reference's |", "|---|---|---|"]
    lines += [f"| {name} | {value:.1f} | {value / best_peer:.2f} |" for name, value in medians.items()]
    text = "\n".join(lines)
    print(text)
    if options.write:
        what = (
            f"{machine()}; {options.cores} cores, {options.pictures} JPEG files of {options.size[1]}x{options.size[0]} "
            f"(a quarter of them upright), {weight / 1e3:.0f} kB each, batches of {BATCH}"
        )
        replace_between("detection pipeline", f"{what}\n\n{text}", HERE / "README.md")


if __name__ == "__main__":
    main()

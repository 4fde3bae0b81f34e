"""Training pictures per second beside the official loader's work, same files, same cores, in turns.

make torch-venv && .venv/bin/python benchmarks/pipeline.py --write
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
CROP, BATCH, SCALE = (512, 1024), 4, (0.5, 2.1)


def draw_street(root, count):
    """Drawn scenes of 2048x1024 in the layout of Cityscapes; sensor noise makes the files as large as real ones."""
    from PIL import Image

    from hrnet_keras.datasets.cityscapes import TRAINED_IDS
    from hrnet_keras.datasets.toytown import draw_scene

    ids, rng = np.array(TRAINED_IDS, np.uint8), np.random.default_rng(0)
    for i in range(count):
        example = draw_scene(i, (512, 1024))
        picture = Image.fromarray(example["image"]).resize((2048, 1024), Image.BICUBIC)
        noisy = np.clip(np.float32(picture) + rng.normal(0, 1, (1024, 2048, 3)), 0, 255).astype(np.uint8)
        label_map = ids[example["label_map"]].repeat(2, 0).repeat(2, 1)
        for kind, name, pixels in (("leftImg8bit", "leftImg8bit", noisy), ("gtFine", "gtFine_labelIds", label_map)):
            path = root / kind / "train" / "toytown" / f"toytown_{i:06}_{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


def run_ours(root, batches, cores, prepared):
    """Pictures per second of the training stream, after two batches to warm up."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    from hrnet_keras import datasets
    from hrnet_keras.layers.normalize import MEAN, STD
    from hrnet_keras.tasks.segmentation import pipeline

    tf.config.threading.set_inter_op_parallelism_threads(cores)
    options = {"prepared": prepared} if prepared else {"partial": True}
    dataset = datasets.load("cityscapes", "train", root, **options)
    stream = pipeline.training(dataset, batch=BATCH, crop=CROP, scale=SCALE, base_size=2048, cache=False)
    scale, offset = (np.tile(np.float32(row), CROP[1]) for row in (1 / (255 * np.array(STD)), -np.array(MEAN) / STD))

    def normalised(image, labels):  # our nets do it in their graph, the official loader here
        rows = tf.reshape(image, (BATCH, CROP[0], -1)) * scale + offset
        return tf.reshape(rows, image.shape), labels

    stream = stream.map(normalised, num_parallel_calls=cores)
    threads = tf.data.Options()
    threads.threading.private_threadpool_size = cores
    examples = iter(stream.with_options(threads))
    for _ in range(2):
        next(examples)
    began = time.perf_counter()
    for _ in range(batches):
        next(examples)
    return BATCH * batches / (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-python", default=str(HERE.parent / ".venv-torch/bin/python"))
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--batches", type=int, default=20, help="per turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    parser.add_argument("--ours", help=argparse.SUPPRESS)  # a turn: the folder of the files
    options = parser.parse_args()
    if options.ours:
        print(json.dumps(run_ours(options.ours, options.batches, options.cores, None)))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw_street(root, options.pictures)
        size = sum(f.stat().st_size for f in root.glob("leftImg8bit/*/*/*.png")) / options.pictures
        more = [str(options.batches), str(options.cores)]
        contenders = {
            "official work (OpenCV, PyTorch DataLoader)": [
                options.torch_python, str(HERE / "pipeline_peer.py"), folder, *more],
            "hrnet_keras": [
                sys.executable, __file__, "--ours", folder, "--batches", more[0], "--cores", more[1]],
        }  # fmt: skip
        speeds = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, command in contenders.items():
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
                speeds[name].append(json.loads(done.stdout.splitlines()[-1]))
                print(f"{name}: {speeds[name][-1]:.1f}", flush=True)
    report(speeds, size, options)


def report(speeds, size, options):
    from speed import machine, replace_between

    medians = {name: statistics.median(values) for name, values in speeds.items()}
    first = next(iter(medians.values()))
    lines = ["| loader | pictures per second, median | ratio |", "|---|---|---|"]
    lines += [f"| {name} | {value:.1f} | {value / first:.2f} |" for name, value in medians.items()]
    text = "\n".join(lines)
    print(text)
    if options.write:
        what = (
            f"{machine()}; {options.cores} cores, {options.pictures} PNG files of 2048x1024, {size / 1e6:.1f} MB each"
        )
        replace_between("pipeline", f"{what}\n\n{text}", HERE / "README.md")


if __name__ == "__main__":
    main()

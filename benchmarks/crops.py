"""Training crops of persons per second beside the official loader's work, same files, same cores, in turns.

make torch-venv && .venv-torch/bin/pip install opencv-python-headless && .venv/bin/python benchmarks/crops.py --write
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
CROP, BATCH = (256, 192), 32


def draw_people(root, count):
    """Drawn scenes of 640x480 in the layout of COCO; sensor noise makes the files as large as real ones.

    Returns:
        How many persons there are.
    """
    from PIL import Image

    from hrnet_keras import datasets

    drawn = datasets.load("toytown", "train", size=(480, 640), count=count, annotation="figures")
    rng, pictures, persons = np.random.default_rng(0), [], []
    (root / "images" / "train2017").mkdir(parents=True)
    for i in range(count):
        example = drawn.example(i)
        noisy = np.clip(example["image"] + rng.normal(0, 8, example["image"].shape), 0, 255).astype(np.uint8)
        pictures.append({"id": i, "file_name": f"{i:012}.jpg", "height": 480, "width": 640})
        Image.fromarray(noisy).save(root / "images" / "train2017" / pictures[-1]["file_name"], quality=90)
        for points, visible, box in zip(example["points"], example["visible"], example["boxes"], strict=True):
            wide, high = box[2:] - box[:2]
            persons.append({
                "id": len(persons), "image_id": i, "category_id": 1, "iscrowd": 0, "area": wide * high,
                "keypoints": np.column_stack([points, visible]).ravel().tolist(),
                "num_keypoints": int((visible > 0).sum()), "bbox": [*box[:2].tolist(), wide, high],
            })  # fmt: skip
    whole = {"images": pictures, "annotations": persons, "categories": [{"id": 1, "name": "person"}]}
    (root / "annotations").mkdir()
    (root / "annotations" / "person_keypoints_train2017.json").write_text(json.dumps(whole))
    return len(persons)


def run_ours(root, batches, cores):
    """Crops per second of the training stream and milliseconds of a processor per crop, after two batches to warm up.

    Pictures are read from their files.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    from hrnet_keras import datasets
    from hrnet_keras.layers.normalize import MEAN, STD
    from hrnet_keras.tasks.pose import pipeline

    dataset = datasets.load("coco", "train", root)
    stream = pipeline.training(dataset, batch=BATCH, input_size=CROP, cache=False)
    mean, std = tf.constant(MEAN) * 255, tf.constant(STD) * 255
    stream = stream.map(lambda image, targets: ((image - mean) / std, targets))  # our nets do it in their graph
    threads = tf.data.Options()
    threads.threading.private_threadpool_size = cores
    examples = iter(stream.with_options(threads))
    for _ in range(2):
        next(examples)
    began, used = time.perf_counter(), time.process_time()
    for _ in range(batches):
        next(examples)
    crops = BATCH * batches
    return crops / (time.perf_counter() - began), 1000 * (time.process_time() - used) / crops


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-python", default=str(HERE.parent / ".venv-torch/bin/python"))
    parser.add_argument("--pictures", type=int, default=100)
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
        persons = draw_people(Path(folder), options.pictures)
        size = sum(f.stat().st_size for f in Path(folder).glob("images/*/*.jpg")) / options.pictures
        more = [str(options.batches), str(options.cores)]
        contenders = {
            "official work (OpenCV, PyTorch DataLoader)": [
                options.torch_python, str(HERE / "crops_peer.py"), folder, *more],
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
                print(f"{name}: {speeds[name][-1][0]:.1f} a second, {speeds[name][-1][1]:.2f} ms", flush=True)
    report(speeds, persons, size, options)


def report(speeds, persons, size, options):
    from speed import machine, replace_between

    medians = {name: [statistics.median(part) for part in zip(*values, strict=True)] for name, values in speeds.items()}
    first = next(iter(medians.values()))[0]
    lines = ["| loader | crops per second, median | ratio | best | processor time per crop, median |",
             "|---|---|---|---|---|"]  # fmt: skip
    lines += [f"| {name} | {speed:.1f} | {speed / first:.2f} | {max(speeds[name])[0]:.1f} | {used:.1f} ms |"
              for name, (speed, used) in medians.items()]  # fmt: skip
    text = "\n".join(lines)
    print(text)
    if options.write:
        what = (
            f"{machine()}; {options.cores} cores, {persons} persons in {options.pictures} JPEG files of 640x480, "
            f"{size / 1e3:.0f} kB each"
        )
        replace_between("crops", f"{what}\n\n{text}", HERE / "README.md")


if __name__ == "__main__":
    main()

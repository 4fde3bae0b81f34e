"""RoIAlign with adaptive sampling: the forms of the package and a gather of all samples, beside torchvision.

.venv-torch/bin/pip install torchvision && .venv/bin/python benchmarks/roi_align.py --write
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

HERE = Path(__file__).parent
CHANNELS, STRIDES = 256, (4, 8, 16, 32)
# name: (pictures, height, width, boxes of each picture, bins, with gradient)
CASES = {
    "1000 boxes, 7x7, 800x1088": (1, 800, 1088, 1000, 7, False),
    "2 x 512 boxes, 7x7, 800x1088, with gradient": (2, 800, 1088, 512, 7, True),
    "100 boxes, 14x14, 800x1088": (1, 800, 1088, 100, 14, False),
}
SLOW = ("static gather", "dense")  # measured once


def drawn(pictures, height, width, count):
    """Maps and boxes like proposals: sides from 12 pixels to the picture's, most within 1:3 and 3:1."""
    rng = np.random.default_rng(0)
    shape = (pictures, count)
    side, aspect = np.exp(rng.uniform(np.log(12), np.log(700), shape)), np.exp(rng.normal(0, 0.5, shape))
    sizes = np.stack([np.minimum(side * np.sqrt(aspect), width), np.minimum(side / np.sqrt(aspect), height)], -1)
    corner = rng.uniform(0, 1, (*shape, 2)) * ([width, height] - sizes)
    boxes = np.concatenate([corner, corner + sizes], -1).astype(np.float32)
    maps = [rng.standard_normal((pictures, height // s, width // s, CHANNELS), np.float32) for s in STRIDES]
    return maps, boxes


def timed(function, repeats):
    """The answer, and wall and processor milliseconds of every repeat after one that warms up."""
    answer, times = function(), []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        function()
        times.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor)))
    return answer, times


def static_gather(maps, boxes, size, most):
    """Four corners of as many samples as any box needs along an axis, masked; exact up to `most` (rows, columns)."""
    from keras import ops

    from hrnet_keras.tasks.detection.parts.levels import roi_levels
    from hrnet_keras.tasks.detection.parts.roi_samples import ALIGNED, sampled_axis

    levels = ops.reshape(roi_levels(boxes), (-1,))
    flat = ops.reshape(boxes, (-1, 4))
    sizes = np.array([x.shape[1:3] for x in maps], np.int32)
    begins = np.cumsum([0, *(x.shape[0] * x.shape[1] * x.shape[2] for x in maps[:-1])]).astype(np.int32)
    picture = ops.repeat(ops.arange(boxes.shape[0]), boxes.shape[1])
    height, width = (ops.take(sizes[:, i], levels) for i in (0, 1))
    begin = ops.take(begins, levels) + picture * height * width
    scale = ops.take(np.float32([1 / s for s in STRIDES]), levels)
    rows = sampled_axis(flat[:, 1], flat[:, 3], scale, height, size, ALIGNED)
    columns = sampled_axis(flat[:, 0], flat[:, 2], scale, width, size, ALIGNED)
    cells = ops.concatenate([ops.reshape(x, (-1, CHANNELS)) for x in maps])

    def corners(axis, count):
        start, extent, samples, length = (ops.cast(x, "float32")[..., None] for x in axis)
        index = ops.cast(ops.arange(size * count), "float32")
        inside, index = index % count, index // count
        position = start + index * extent + (inside + 0.5) * extent / ops.maximum(samples, 1.0)
        counts = (inside < samples) & (position >= -1) & (position <= length)
        position = ops.clip(position, 0.0, length - 1)
        low = ops.floor(position)
        weight = ops.where(counts, 1.0, 0.0) / ops.maximum(samples, 1.0)
        places = ops.stack([low, ops.minimum(low + 1, length - 1)], -1)
        return ops.cast(places, "int32"), ops.stack([1 - position + low, position - low], -1) * weight[..., None]

    def align(box):
        begin, width, rows, columns = box
        row, row_weight = corners(rows, most[0])
        column, column_weight = corners(columns, most[1])
        places = begin + row[:, None, :, None] * width + column[None, :, None, :]
        weights = row_weight[:, None, :, None] * column_weight[None, :, None, :]
        samples = ops.sum(ops.take(cells, places, axis=0) * weights[..., None], axis=(2, 3))
        return ops.sum(ops.reshape(samples, (size, most[0], size, most[1], CHANNELS)), axis=(1, 3))

    pooled = ops.map(align, (begin, width, rows, columns))
    return ops.reshape(pooled, (*boxes.shape[:2], size, size, CHANNELS))


def most_samples(boxes, size):
    """Samples per bin that the largest boxes need along y and along x."""
    sides = boxes[..., [3, 2]] - boxes[..., [1, 0]]
    level = np.clip(np.floor(np.log2(np.sqrt(sides.prod(-1)) / 56 + 1e-6)), 0, 3)
    return np.ceil(sides / (4 * 2**level)[..., None] / size).max((0, 1)).astype(int).tolist()


def run_ours(case, name, repeats):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    from hrnet_keras.tasks.detection.parts.roi_align import roi_align

    pictures, height, width, count, size, gradient = CASES[case]
    maps, boxes = drawn(pictures, height, width, count)
    upstream = np.ones((pictures, count, size, size, CHANNELS), np.float32)

    def forward(*maps):
        if name == "static gather":
            return static_gather(maps, tf.constant(boxes), size, most_samples(boxes, size))
        return roi_align(list(maps), tf.constant(boxes), size=size, form=name)

    def both(*maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            pooled = forward(*maps)
        return pooled, *tape.gradient(pooled, maps, output_gradients=tf.constant(upstream))

    compiled = tf.function(both if gradient else forward)
    maps = [tf.constant(x) for x in maps]
    answers, times = timed(lambda: compiled(*maps), repeats)
    answers = answers if gradient else [answers]
    return [x.numpy() for x in answers], times


def run_peer(case, name, repeats):
    """torchvision, level by level as its `MultiScaleRoIAlign` and mmdet do it."""
    import torch
    from torchvision.ops import roi_align

    pictures, height, width, count, size, gradient = CASES[case]
    maps, boxes = drawn(pictures, height, width, count)
    maps = [torch.from_numpy(x).permute(0, 3, 1, 2).contiguous().requires_grad_(gradient) for x in maps]
    picture = torch.arange(pictures).repeat_interleave(count)[:, None].float()
    rois = torch.cat([picture, torch.from_numpy(boxes).reshape(-1, 4)], 1)
    area = (rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])
    levels = torch.clamp(torch.floor(torch.log2(area.sqrt() / 56 + 1e-6)), 0, 3)

    def forward():
        pooled = torch.zeros(len(rois), CHANNELS, size, size)
        for level, stride in enumerate(STRIDES):
            mine = (levels == level).nonzero()[:, 0]
            pooled[mine] = roi_align(maps[level], rois[mine], size, 1 / stride, 0, aligned=True)
        return pooled

    def both():
        for x in maps:
            x.grad = None
        pooled = forward()
        pooled.backward(torch.ones_like(pooled))
        return [pooled.detach(), *(x.grad for x in maps)]

    answers, times = timed(both if gradient else forward, repeats)
    answers = answers if gradient else [answers]
    answers = [x.permute(0, 2, 3, 1).numpy() for x in answers]
    return [answers[0].reshape(pictures, count, size, size, CHANNELS), *answers[1:]], times


def turn(python, folder, case, name, repeats):
    """One process of a contender."""
    command = [python, __file__, "--turn", folder, case, name, str(repeats)]
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parent}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
    return dict(np.load(Path(folder) / "answer.npz"))


def measure(case, options):
    """`{contender: [(wall, processor), ...]}`, and the largest difference of each in standard deviations."""
    names = ["torchvision", "windows", "dense", *([] if CASES[case][-1] else ["static gather"])]
    times, worst, expected = {name: [] for name in names}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for name in (name for name in names if name not in SLOW or not times[name]):
                python = options.torch_python if name == "torchvision" else sys.executable
                answer = turn(python, folder, case, name, 1 if name in SLOW else options.repeats)
                times[name] += [tuple(pair) for pair in answer.pop("times")]
                expected = expected or answer
                worst[name] = max(float(np.abs(answer[k] - expected[k]).max() / expected[k].std()) for k in expected)
                print(case, name, [f"{wall:.0f}" for wall, _ in times[name]], f"{worst[name]:.1e}", flush=True)
    return times, worst


def report(case, times, worst):
    first = statistics.median(wall for wall, _ in times["torchvision"])
    for name, measured in times.items():
        wall, processor = (statistics.median(part) for part in zip(*measured, strict=True))
        figures = f"{wall:.0f} | {min(measured)[0]:.0f} | {processor:.0f} | {wall / first:.2f} | {worst[name]:.1e}"
        yield f"| {case} | {name} | {figures} |"
        case = ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-python", default=str(HERE.parent / ".venv-torch/bin/python"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5, help="per turn")
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    parser.add_argument("--turn", nargs=4, help=argparse.SUPPRESS)  # folder, case, contender, repeats
    options = parser.parse_args()
    if options.turn:
        folder, case, name, repeats = options.turn
        run = run_peer if name == "torchvision" else run_ours
        answers, times = run(case, name, int(repeats))
        np.savez(Path(folder) / "answer.npz", *answers, times=np.array(times))
        return
    lines = ["| case | contender | median ms | min ms | processor ms | ratio | largest difference |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for case in CASES:
        lines += report(case, *measure(case, options))
    print("\n".join(lines))
    if options.write:
        from speed import machine, replace_between

        replace_between("roi-align", f"{machine()}\n\n" + "\n".join(lines), HERE / "README.md")


if __name__ == "__main__":
    main()

"""The work of the reference's detection loader, made again from the description of its transforms with OpenCV.

Of every picture: read as BGR, resized within 1333x800, mirrored or not, normalised in float32 as RGB, padded to a
multiple of 32, channels brought to the front; a batch is padded to its largest picture. Two workers make a batch each,
as its DataLoader has them: threads, or processes that write into shared memory.

Source: `Resize`, `RandomFlip`, `Normalize`, `Pad`, `DefaultFormatBundle` and `collate` of mmdet 2 (what they do).
"""

import json
import random
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context, shared_memory
from pathlib import Path

import cv2
import numpy as np
from detection_pipeline import BATCH, SCALE, speed

MEAN, STD = np.array([[123.675, 116.28, 103.53]]), np.array([[58.395, 57.12, 57.375]])


def prepare(file, boxes):
    """A picture `(3, height, width)` and its boxes."""
    image = cv2.imread(file, cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    factor = min(SCALE[0] / max(height, width), SCALE[1] / min(height, width))
    size = (int(width * factor + 0.5), int(height * factor + 0.5))
    image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    boxes = boxes * np.array([size[0] / width, size[1] / height] * 2, np.float32)
    boxes = np.clip(boxes, 0, [size[0], size[1]] * 2)
    if random.random() < 0.5:
        image = np.flip(image, axis=1)
        boxes = np.stack([size[0] - boxes[:, 2], boxes[:, 1], size[0] - boxes[:, 0], boxes[:, 3]], axis=1)
    image = image.copy().astype(np.float32)
    cv2.cvtColor(image, cv2.COLOR_BGR2RGB, image)
    cv2.subtract(image, MEAN, image)
    cv2.multiply(image, 1 / STD, image)
    below, right = -image.shape[0] % 32, -image.shape[1] % 32
    image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=0)
    return np.ascontiguousarray(image.transpose(2, 0, 1)), boxes


def collate(pictures):
    shape = np.max([image.shape for image, _ in pictures], axis=0)
    whole = np.zeros((len(pictures), *shape), np.float32)
    for image, out in zip(pictures, whole, strict=True):
        out[:, : image[0].shape[1], : image[0].shape[2]] = image[0]
    return whole, [boxes for _, boxes in pictures]


def make_batch(rows):
    return collate([prepare(*row) for row in rows])


def make_shared(rows, name):
    """A batch in shared memory: its shape and its boxes."""
    images, boxes = make_batch(rows)
    memory = shared_memory.SharedMemory(name)
    np.ndarray(images.shape, np.float32, memory.buf)[:] = images
    memory.close()
    return images.shape, boxes


def start_worker():
    cv2.setNumThreads(0)


def batches_of_threads(batches, workers):
    start_worker()
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(make_batch, next(batches)) for _ in range(2 * workers)]
        while True:
            yield waiting.pop(0).result()
            waiting.append(pool.submit(make_batch, next(batches)))


def batches_of_processes(batches, workers):
    bytes_of_batch = 4 * BATCH * 3 * 1344 * 1344
    memories = [shared_memory.SharedMemory(create=True, size=bytes_of_batch) for _ in range(2 * workers + 1)]
    try:
        with ProcessPoolExecutor(workers, get_context("fork"), start_worker) as pool:
            waiting = [(m, pool.submit(make_shared, next(batches), m.name)) for m in memories[:-1]]
            free = memories[-1]
            while True:
                memory, future = waiting.pop(0)
                shape, boxes = future.result()
                yield np.ndarray(shape, np.float32, memory.buf), boxes
                waiting.append((free, pool.submit(make_shared, next(batches), free.name)))
                free = memory
    finally:
        for memory in memories:
            memory.close()
            memory.unlink()


def rows_of(root):
    """Files and boxes, the upright pictures and the others, in batches of one of the two, for ever."""
    whole = json.loads((Path(root) / "train.json").read_text())
    boxes = {picture["id"]: [] for picture in whole["images"]}
    for one in whole["annotations"]:
        left, top, width, height = one["bbox"]
        boxes[one["image_id"]].append([left, top, left + width, top + height])
    groups = ([], [])
    for picture in whole["images"]:
        file = str(Path(root) / "images" / "train" / picture["file_name"])
        row = (file, np.array(boxes[picture["id"]], np.float32).reshape(-1, 4))
        groups[picture["width"] < picture["height"]].append(row)
    while True:
        batches = []
        for group in groups:
            random.shuffle(group)
            batches += [group[i : i + BATCH] for i in range(0, len(group) - BATCH + 1, BATCH)]
        random.shuffle(batches)
        yield from batches


def main():
    root, batches, workers, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    make = {"threads": batches_of_threads, "processes": batches_of_processes}[kind]
    stream = make(rows_of(root), workers)
    print(json.dumps(speed(stream, batches)), flush=True)
    stream.close()


if __name__ == "__main__":
    main()

"""The work of the official pose loader, made again from the info of its data set with OpenCV and a DataLoader.

Reads the picture whole, turns BGR to RGB, draws half body, scale, rotation and mirroring, warps to 256x192, moves the
joints, draws a Gaussian per joint, makes a float tensor of channels first and normalises it.

Source: info of `JointsDataset` and its COCO reader in the official pose repository (order, ranges, rounding).
"""

import json
import os
import random
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

WIDTH, HEIGHT, STRIDE, SIGMA, BATCH = 192, 256, 4, 2, 32
PAIRS = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


class People(Dataset):
    def __init__(self, root, times):
        whole = json.loads((Path(root) / "annotations" / "person_keypoints_train2017.json").read_text())
        files = {picture["id"]: picture["file_name"] for picture in whole["images"]}
        self.persons = [
            (str(Path(root) / "images" / "train2017" / files[one["image_id"]]), *person(one))
            for one in whole["annotations"]
        ] * times

    def __len__(self):
        return len(self.persons)

    def __getitem__(self, i):
        file, joints, visible, center, scale = self.persons[i]
        joints, visible = joints.copy(), visible.copy()
        image = cv2.imread(file, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        if visible.sum() > 8 and random.random() < 0.3:
            center, scale = half_body(joints, visible) or (center, scale)
        scale = scale * np.clip(np.random.randn() * 0.35 + 1, 0.65, 1.35)
        rotation = np.clip(np.random.randn() * 45, -90, 90) if random.random() <= 0.6 else 0
        if random.random() <= 0.5:
            image = image[:, ::-1, :]
            joints[:, 0] = image.shape[1] - joints[:, 0] - 1
            center = np.array([image.shape[1] - center[0] - 1, center[1]], np.float32)
            for a, b in PAIRS:
                joints[[a, b]], visible[[a, b]] = joints[[b, a]], visible[[b, a]]
        matrix = affine(center, scale, rotation)
        image = cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        tensor = torch.from_numpy(image.transpose((2, 0, 1)).copy()).float().div(255)
        tensor = (tensor - MEAN) / STD
        for j in range(17):
            if visible[j] > 0:
                joints[j] = matrix @ np.array([joints[j, 0], joints[j, 1], 1.0])
        maps, weights = targets(joints, visible)
        return tensor, torch.from_numpy(maps), torch.from_numpy(weights)


def person(one):
    """Joints, visibility, centre and scale of an annotation."""
    joints = np.array(one["keypoints"]).reshape(17, 3)
    x, y, wide, high = one["bbox"]
    wide, high = max(0, wide - 1), max(0, high - 1)
    return joints[:, :2], np.minimum(joints[:, 2], 1), *center_scale(x + wide / 2, y + high / 2, wide, high, 1.25)


def center_scale(x, y, wide, high, padding):
    ratio = WIDTH / HEIGHT
    if wide > ratio * high:
        high = wide / ratio
    elif wide < ratio * high:
        wide = high * ratio
    return np.array([x, y], np.float32), np.array([wide / 200, high / 200], np.float32) * padding


def half_body(joints, visible):
    upper = [joints[j] for j in range(11) if visible[j] > 0]
    lower = [joints[j] for j in range(11, 17) if visible[j] > 0]
    chosen = upper if np.random.randn() < 0.5 and len(upper) > 2 else lower if len(lower) > 2 else upper
    if len(chosen) < 2:
        return None
    chosen = np.array(chosen)
    (wide, high), (x, y) = chosen.max(0) - chosen.min(0), chosen.mean(0)
    return center_scale(x, y, wide, high, 1.5)


def affine(center, scale, rotation):
    """The map through three pairs of points: centre, a point above it, and one beside that."""
    angle, reach = np.pi * rotation / 180, -100 * scale[0]
    up = np.array([-reach * np.sin(angle), reach * np.cos(angle)], np.float32)
    source = np.array([center, center + up, center + up + [-up[1], up[0]]], np.float32)
    to, there = np.array([WIDTH / 2, HEIGHT / 2], np.float32), np.array([0, -WIDTH / 2], np.float32)
    target = np.array([to, to + there, to + there + [-there[1], there[0]]], np.float32)
    return cv2.getAffineTransform(source, target)


def targets(joints, visible):
    """A Gaussian per joint, cut to a square of 3 sigma."""
    columns, rows, reach = WIDTH // STRIDE, HEIGHT // STRIDE, 3 * SIGMA
    maps, weights = np.zeros((17, rows, columns), np.float32), visible[:, None].astype(np.float32)
    for j in range(17):
        x, y = int(joints[j, 0] / STRIDE + 0.5), int(joints[j, 1] / STRIDE + 0.5)
        left, top, right, bottom = x - reach, y - reach, x + reach + 1, y + reach + 1
        if left >= columns or top >= rows or right < 0 or bottom < 0:
            weights[j] = 0
            continue
        if weights[j] > 0.5:
            grid = np.arange(0, 2 * reach + 1, 1, np.float32)
            patch = np.exp(-((grid - reach) ** 2 + (grid[:, None] - reach) ** 2) / (2 * SIGMA**2))
            inner = patch[max(0, -top) : rows - top, max(0, -left) : columns - left]
            maps[j, max(0, top) : min(rows, bottom), max(0, left) : min(columns, right)] = inner
    return maps, weights


def processor_seconds():
    """What this process and its children have used of the processors so far (Linux)."""
    me = os.getpid()
    children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
    fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in (me, *children)]
    return sum(int(f[11]) + int(f[12]) for f in fields) / os.sysconf("SC_CLK_TCK")


def main():
    root, batches, cores = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    loader = DataLoader(People(root, 100), BATCH, shuffle=True, num_workers=cores, pin_memory=False, drop_last=True)
    examples = iter(loader)
    for _ in range(2):
        next(examples)
    began, used = time.perf_counter(), processor_seconds()
    for _ in range(batches):
        next(examples)
    crops = BATCH * batches
    found = crops / (time.perf_counter() - began), 1000 * (processor_seconds() - used) / crops
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

"""The work of the official Cityscapes loader, made again from the info of its transform with OpenCV and a DataLoader.

Reads picture and label map whole, turns label ids into classes one id after the other, resizes both to a random scale,
pads, cuts, normalises in float32, brings the channels to the front, mirrors half of them.

Source: the data set files of HRNet-Semantic-Segmentation (order, ranges, rounding).
"""

import json
import random
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

CROP, BATCH, BASE, IGNORED = (512, 1024), 4, 2048, 255
IDS = {-1: IGNORED} | {value: IGNORED for value in range(34)}
IDS |= {value: i for i, value in enumerate((7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33))}
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class Street(Dataset):
    def __init__(self, root, times):
        self.files = sorted(Path(root).glob("leftImg8bit/train/*/*.png")) * times

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        file = self.files[i]
        label_file = str(file).replace("leftImg8bit", "gtFine").replace("_gtFine.png", "_gtFine_labelIds.png")
        image, stored = cv2.imread(str(file), cv2.IMREAD_COLOR), cv2.imread(label_file, cv2.IMREAD_GRAYSCALE)
        label = stored.copy()
        for value, number in IDS.items():
            label[stored == value] = number
        scale = 0.5 + random.randint(0, 16) / 10
        long = int(BASE * scale + 0.5)
        height, width = image.shape[:2]
        size = (long, int(height * long / width + 0.5))
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        label = cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)
        below, right = max(CROP[0] - image.shape[0], 0), max(CROP[1] - image.shape[1], 0)
        if below or right:
            image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
            label = cv2.copyMakeBorder(label, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(IGNORED,))
        x, y = random.randint(0, image.shape[1] - CROP[1]), random.randint(0, image.shape[0] - CROP[0])
        image, label = image[y : y + CROP[0], x : x + CROP[1]], label[y : y + CROP[0], x : x + CROP[1]]
        image = image.astype(np.float32)[:, :, ::-1]
        image = image / 255.0
        image -= MEAN
        image /= STD
        image, label = image.transpose((2, 0, 1)), label.astype("int32")
        if random.random() < 0.5:
            image, label = image[:, :, ::-1], label[:, ::-1]
        return np.ascontiguousarray(image, np.float32), np.ascontiguousarray(label)


def main():
    root, batches, cores = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    loader = DataLoader(Street(root, 100), BATCH, shuffle=True, num_workers=cores, pin_memory=False, drop_last=True)
    examples = iter(loader)
    for _ in range(2):
        next(examples)
    began = time.perf_counter()
    for _ in range(batches):
        next(examples)
    print(json.dumps(BATCH * batches / (time.perf_counter() - began)), flush=True)


if __name__ == "__main__":
    main()

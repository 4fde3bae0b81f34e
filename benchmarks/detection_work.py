"""What both sides of `detection.py` work on: weights under mmdet's names, pictures, a pyramid, and objects to learn."""

import numpy as np
import worker

CLASSES = 80
OBJECTS = 7  # per picture, as COCO has
CHANNELS = 256
STRIDES = (4, 8, 16, 32, 64)
# Heads whose outputs would be of size 1: scores and boxes then lie like those of a trained net.
SCALES = {"reduction_conv": 0.01, "rpn_head.rpn_reg": 0.1, "rpn_head.rpn_cls": 1.0, "fc_reg": 0.5, "fc_cls": 1.5}
BACKGROUND = 4.0  # added to its logit: most proposals are none of the classes


def weights(shapes):
    """Weights by mmdet's names and shapes."""
    made = worker.weights(shapes)
    for name in made:
        for part, scale in SCALES.items():
            if part in name:
                made[name] = made[name] * np.float32(scale)
    made["roi_head.bbox_head.fc_cls.bias"][-1] += BACKGROUND
    return made


def pictures(case):
    """RGB 0..255, float32 `(batch, height, width, 3)`: grey values that change over 32 pixels, and noise."""
    batch, (height, width) = case["batch"], case["size"]
    coarse = worker.random((batch, height // 32, width // 32, 3), "coarse").repeat(32, 1).repeat(32, 2)
    noise = worker.random((batch, height, width, 3), "fine")
    return np.clip(120 + 50 * coarse + 15 * noise, 0, 255).round().astype(np.float32)


def pyramid(case):
    """Five levels `(batch, height, width, channels)`, smooth as what convolutions give."""
    levels = []
    for stride in STRIDES:
        height, width = (-(-side // stride) for side in case["size"])
        drawn = worker.random((case["batch"], height + 2, width + 2, CHANNELS), "pyramid")
        levels.append(sum(drawn[:, i : i + height, j : j + width] for i in range(3) for j in range(3)) / 3)
    return levels


def objects(case):
    """Boxes float32 `(batch, objects, 4)`, xyxy in pixels, and labels `(batch, objects)`."""
    rng = np.random.default_rng(0)
    sides = np.array(case["size"][::-1], np.float64)
    corners = rng.uniform(0, 0.6, (case["batch"], OBJECTS, 2)) * sides
    extents = rng.uniform(0.05, 0.35, (case["batch"], OBJECTS, 2)) * sides
    boxes = np.concatenate([corners, corners + extents], -1).astype(np.float32)
    return boxes, rng.integers(0, CLASSES, (case["batch"], OBJECTS)).astype(np.int32)


def padded_scores(scores):
    """The 100 best scores, zeros where there are fewer."""
    scores = np.asarray(scores, np.float32)[:100]
    return np.pad(scores, (0, 100 - len(scores)))

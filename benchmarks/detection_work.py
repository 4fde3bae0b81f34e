"""What both sides of `detection.py` work on: weights under mmdet's names, pictures, a pyramid, and objects to learn."""

import numpy as np
import worker

CLASSES = 80
OBJECTS = 7  # per picture, as COCO has
CHANNELS = 256
PYRAMID = "pyramid."  # what its levels' names in the file of weights begin with
STRIDES = (4, 8, 16, 32, 64)
# Of heads, whose outputs would be of size 1: scores and boxes then lie like those of a trained net.
SCALES = {"rpn_head.rpn_reg": 0.1, "rpn_head.rpn_cls": 1.0, "fc_reg": 0.5, "fc_cls": 0.75}
BACKGROUND = 6.0  # mean of its logit, of the classes' 0: most proposals are none of them


def weights(case):
    """Weights by mmdet's names, of the file that `detection_keras.py` made for the case."""
    with np.load(case["weights"]) as file:
        return {name: file[name] for name in file if not name.startswith(PYRAMID)}


def pyramid(case):
    """The five levels of the case's pictures, `(batch, height, width, channels)`."""
    with np.load(case["weights"]) as file:
        return [file[f"{PYRAMID}{i}"] for i in range(len(STRIDES))]


def drawn_weights(shapes):
    """Random weights by mmdet's names and shapes."""
    made = worker.weights(shapes)
    for name in made:
        for part, scale in SCALES.items():
            if part in name:
                made[name] = made[name] * np.float32(scale)
    return made


def pictures(case):
    """RGB 0..255, float32 `(batch, height, width, 3)`: grey values that change over 32 pixels, and noise."""
    batch, (height, width) = case["batch"], case["size"]
    coarse = worker.random((batch, height // 32, width // 32, 3), "coarse").repeat(32, 1).repeat(32, 2)
    noise = worker.random((batch, height, width, 3), "fine")
    return np.clip(120 + 50 * coarse + 15 * noise, 0, 255).round().astype(np.float32)


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

"""What both sides of `detection.py` and `frameworks.py` work on.

Weights under mmdet's names, pictures, a pyramid, and objects to learn.
"""

import numpy as np
import worker

CLASSES = 80
OBJECTS = 7  # per picture, as COCO has
CHANNELS = 256
PYRAMID = "pyramid."  # what its levels' names in the file of weights begin with
STRIDES = (4, 8, 16, 32, 64)
# Of heads, whose outputs would be of size 1: scores and boxes then lie like those of a trained net.
SCALES = {
    "rpn_head.rpn_reg": 0.1,
    "rpn_head.rpn_cls": 1.0,
    "fc_reg": 0.5,
    "fc_cls": 0.75,
    "conv_cls": 0.75,
    "conv_reg": 0.5,
}
BACKGROUND = 6.0  # mean of its logit, of the classes' 0: most proposals are none of them
DISTANCE = 4.0  # logarithm of what FCOS's points are away from edges, in pixels
RARE = -5.0  # bias of the logits of points: most belong to no class
MASKS = ("mask_rcnn", "cascade_mask_rcnn", "htc")  # frameworks that learn them


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
        if name.endswith(".scale"):  # of FCOS's distances
            made[name] = np.ones_like(made[name])
        if name.endswith("conv_reg.bias"):
            made[name] = np.full_like(made[name], DISTANCE)
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


def targets(case, framework):
    """What a framework learns from: boxes, labels, and masks that fill their boxes, and a semantic map of classes."""
    boxes, labels = objects(case)
    learnt = {"boxes": boxes, "labels": labels}
    if framework in MASKS:
        rows, columns = (np.arange(side) for side in case["size"])
        left, top, right, bottom = (boxes[..., i, None] for i in range(4))
        in_rows, in_columns = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
        learnt["masks"] = (in_rows[..., None] & in_columns[..., None, :]).astype(np.uint8)
    if framework == "htc":
        learnt["semantic"] = np.random.default_rng(0).integers(0, 182, (case["batch"], *case["size"])).astype(np.int32)
    return learnt


def padded_scores(scores):
    """The 100 best scores, zeros where there are fewer."""
    scores = np.asarray(scores, np.float32)[:100]
    return np.pad(scores, (0, 100 - len(scores)))

"""The official test-time rules: scales, mirroring and windows, from one picture to scores per class at its own size."""

import math
from dataclasses import dataclass

import numpy as np

from hrnet_keras.layers.resizing import resize_bilinear

RULES = ("whole", "windows", "cityscapes", "fixed")
HIGHEST = 80.0  # logits are cut here lest their exponential overflow; those of trained nets lie far below
MULTI_SCALE = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)  # of Cityscapes; PASCAL-Context, ADE20K and COCO-Stuff also take 2.0


@dataclass(frozen=True)
class Protocol:
    """How a picture is shown to the net.

    Args:
        rule: `"whole"`: the scaled picture at once; `"windows"`: windows of `window` at two thirds of their size apart,
            not moved back at the edge (PASCAL-Context, ADE20K, COCO-Stuff); `"cityscapes"`: whole up to scale 1, above
            it windows side by side, moved back at the edge; `"fixed"`: resized to `window` whatever its shape (LIP).
        window: `(height, width)`.
        base_size: pixels of the long side at scale 1; `None`: the picture's own.
        scales: whose scores are added.
        flip: adds the mirrored picture: mean of the logits.

    Source: `inference`, `multi_scale_inference` of the data sets of HRNet-Semantic-Segmentation.
    """

    rule: str = "whole"
    window: tuple[int, int] | None = None
    base_size: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self):
        if self.rule not in RULES:
            raise ValueError(f"rule={self.rule!r}: expected one of {', '.join(map(repr, RULES))}")
        if self.rule != "whole" and self.window is None:
            raise ValueError(f"rule={self.rule!r} needs window=(height, width)")
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(f"scales={self.scales!r}: expected numbers above 0")


# How the published scores of a data set were measured (single scale), by the name in its facts.
PUBLISHED = {
    "cityscapes": Protocol("cityscapes", (1024, 2048), 2048),
    "lip": Protocol("fixed", (473, 473)),
    "pascal_context_59": Protocol("windows", (480, 480), 520),
    "pascal_context_60": Protocol("windows", (480, 480), 520),
    "ade20k": Protocol("windows", (520, 520), 520),
    "cocostuff": Protocol("windows", (520, 520), 520),
}


def score_map(image, forward, protocol, *, padding=0.0, align_corners=False, flip_pairs=()):
    """Scores of every class at every pixel: the sum over scales of exp(logits), as the official evaluation adds them.

    Args:
        image: float32 `(height, width, channels)`.
        forward: a function from `(1, height, width, channels)` to logits of any resolution.
        protocol: a `Protocol`.
        padding: value of the pixels beyond the edge: black.
        align_corners: how logits and scores are resized, as in the net.
        flip_pairs: class ids that change places in a mirrored picture.

    Returns:
        float32 `(height, width, classes)`. Their argmax is the official answer; they are no probabilities.
    """

    def look(x):
        logits = _resized(forward(x[None])[0], x.shape[:2], align_corners)
        if protocol.flip:
            mirrored = _resized(forward(x[None, :, ::-1])[0], x.shape[:2], align_corners)[:, ::-1]
            for one, other in flip_pairs:
                mirrored = _swapped(mirrored, one, other)
            logits = (logits + mirrored) / 2
        return np.exp(np.minimum(logits, HIGHEST))

    size, total = image.shape[:2], None
    for scale in protocol.scales:
        scaled = _resized(image, _scaled_size(size, scale, protocol), False)
        if protocol.rule == "windows":
            found = _overlapping(scaled, look, protocol.window, padding)
        elif protocol.rule == "cityscapes" and scale > 1:
            found = _side_by_side(scaled, look, protocol.window)
        else:
            found = look(scaled)
        found = _resized(found, size, align_corners)
        total = found if total is None else total + found
    return total


def _scaled_size(size, scale, protocol):
    if protocol.rule == "fixed":
        return tuple(int(side * scale + 0.5) for side in protocol.window)
    if protocol.base_size is None and scale == 1:
        return size
    height, width = size
    long = int((protocol.base_size or max(size)) * scale + 0.5)
    if height > width:
        return long, int(width * long / height + 0.5)
    return int(height * long / width + 0.5), long


def _overlapping(image, look, window, padding):
    """Windows two thirds of their size apart, the last ones padded; where they overlap, the mean."""
    height, width = image.shape[:2]
    if max(height, width) <= min(window):
        return look(_padded(image, window, padding))[:height, :width]
    image = _padded(image, (max(height, window[0]), max(width, window[1])), padding)
    steps = [int(side * 2 / 3) for side in window]
    counts = [math.ceil((n - side) / step) + 1 for n, side, step in zip(image.shape, window, steps, strict=False)]
    total, seen = None, np.zeros((*image.shape[:2], 1), np.float32)
    for row in range(counts[0]):
        for column in range(counts[1]):
            here = _place(row * steps[0], column * steps[1], window, image.shape)
            part = image[here]
            found = look(_padded(part, window, padding))[: part.shape[0], : part.shape[1]]
            total = np.zeros((*image.shape[:2], found.shape[-1]), np.float32) if total is None else total
            total[here] += found
            seen[here] += 1
    return (total / seen)[:height, :width]


def _side_by_side(image, look, window):
    """Windows side by side, the last ones moved back from the edge; where they overlap, the mean."""
    height, width = image.shape[:2]
    counts = [math.ceil((n - side) / side) + 1 for n, side in zip((height, width), window, strict=True)]
    total, seen = None, np.zeros((height, width, 1), np.float32)
    for row in range(counts[0]):
        for column in range(counts[1]):
            top = max(0, min((row + 1) * window[0], height) - window[0])
            left = max(0, min((column + 1) * window[1], width) - window[1])
            here = _place(top, left, window, image.shape)
            found = look(image[here])
            total = np.zeros((height, width, found.shape[-1]), np.float32) if total is None else total
            total[here] += found
            seen[here] += 1
    return total / seen


def _place(top, left, window, shape):
    return slice(top, min(top + window[0], shape[0])), slice(left, min(left + window[1], shape[1]))


def _padded(image, size, value):
    """The picture at the upper left of one of `size`."""
    if image.shape[:2] == tuple(size):
        return image
    whole = np.empty((*size, image.shape[2]), np.float32)
    whole[:] = value
    whole[: image.shape[0], : image.shape[1]] = image
    return whole


def _resized(maps, size, align_corners):
    maps = np.asarray(maps, np.float32)
    if maps.shape[:2] == tuple(size):
        return maps
    return np.asarray(resize_bilinear(maps[None], tuple(size), align_corners=align_corners))[0]


def _swapped(maps, one, other):
    order = np.arange(maps.shape[-1])
    order[[one, other]] = other, one
    return maps[..., order]

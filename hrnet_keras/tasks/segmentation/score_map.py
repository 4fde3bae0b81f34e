"""One picture -> scores of every class at its own size: scales, mirroring and windows of a `Protocol` carried out."""

import math

import numpy as np

from hrnet_keras.datasets.sides import mirror_order
from hrnet_keras.layers.normalize import MEAN
from hrnet_keras.layers.resizing import resize_bilinear

HIGHEST = 80.0  # logits are cut here lest their exponential overflow; those of trained nets lie far below
MEAN_COLOUR = tuple(round(255 * mean) for mean in MEAN)  # whole grey levels, as the official code pads a uint8 picture


def score_map(image, forward, protocol, *, padding=0.0, align_corners=False, flip_pairs=()):
    """Scores of every class at every pixel; their argmax is the answer.

    Args:
        image: float32 `(height, width, channels)`.
        forward: a function from `(1, height, width, channels)` to logits of any resolution.
        protocol: a `Protocol`.
        padding: value of the pixels beyond the edge: black.
        align_corners: how logits and scores are resized, as in the net.
        flip_pairs: class ids that change places in a mirrored picture.

    Returns:
        float32 `(height, width, classes)`: the sum over scales of exp(logits), as the official evaluation adds them (no
        probabilities), or their mean probability with `combine="softmax"`; NaN where logits are no finite numbers.
    """
    size, image, filled = image.shape[:2], *_prepared(image, protocol)
    softmax = protocol.combine == "softmax"
    look = _look(forward, protocol, align_corners, flip_pairs)
    total = None
    for scale in protocol.scales:
        scaled = _resized(image, _scaled_size(image.shape[:2], scale, protocol), False)
        if protocol.rule == "windows":
            found = _overlapping(scaled, look, protocol.window, padding)
        elif protocol.rule == "sliding":
            found = _spread(scaled, look, protocol.window, protocol.stride)
        elif protocol.rule == "cityscapes" and scale > 1:
            found = _spread(scaled, look, protocol.window, protocol.window)
        else:
            found = look(scaled)
        found = _resized(found, image.shape[:2], align_corners)
        if softmax:
            found = _mean_probability(found, protocol.flip) / len(protocol.scales)
        total = found if total is None else total + found
    return _resized(total[: filled[0], : filled[1]], size, align_corners)


def _look(forward, protocol, align_corners, flip_pairs):
    """The function from a picture to what the rule adds up: exp(mean logits), or (both sides') logits as they are."""

    def look(x):
        logits = _marked(_resized(forward(x[None])[0], x.shape[:2], align_corners))
        sides = [logits]
        if protocol.flip:
            mirrored = _marked(_resized(forward(x[None, :, ::-1])[0], x.shape[:2], align_corners)[:, ::-1])
            sides.append(mirrored[..., mirror_order(mirrored.shape[-1], flip_pairs, "label_flip_pairs")])
        if protocol.combine == "softmax":
            return np.concatenate(sides, axis=-1)
        mean = np.minimum(sum(sides[1:], sides[0]) / len(sides), HIGHEST)
        return np.exp(mean, out=mean)  # in place: these maps are large

    return look


def _mean_probability(logits, flip):
    """Softmax of the logits; of both sides, one behind the other in the channels, the mean."""
    sides = np.split(logits, 2, axis=-1) if flip else [logits]
    shares = [np.exp(side - side.max(-1, keepdims=True)) for side in sides]
    return sum(share / share.sum(-1, keepdims=True) for share in shares) / len(sides)


def _prepared(image, protocol):
    """The picture that scales and windows work on, and how much of it is no padding."""
    if protocol.first_short_size is None:
        return image, image.shape[:2]
    image = _resized(image, short_side_size(image.shape[:2], protocol.first_short_size), False)
    filled = image.shape[:2]
    return _padded(image, [math.ceil(side / 8) * 8 for side in filled], MEAN_COLOUR), filled


def short_side_size(size, short):
    """The size of a picture whose short side becomes `short`, the aspect ratio kept, rounded half up."""
    height, width = size
    if height < width:
        return short, int(width * short / height + 0.5)
    return int(height * short / width + 0.5), short


def _scaled_size(size, scale, protocol):
    if protocol.rule == "fixed":
        return tuple(int(side * scale + 0.5) for side in protocol.window)
    if protocol.base_size is None and scale == 1:
        return size
    height, width = size
    if protocol.short_size is not None:
        long, short = int(protocol.base_size * scale + 0.5), int(protocol.short_size * scale + 0.5)
        factor = min(long / max(size), short / min(size))
        return int(height * factor + 0.5), int(width * factor + 0.5)
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


def _spread(image, look, window, stride):
    """Windows `stride` apart, the last ones moved back from the edge; where they overlap, the mean."""
    height, width = image.shape[:2]
    counts = [
        max(math.ceil((n - side) / step), 0) + 1 for n, side, step in zip((height, width), window, stride, strict=True)
    ]
    total, seen = None, np.zeros((height, width, 1), np.float32)
    for row in range(counts[0]):
        for column in range(counts[1]):
            top = max(0, min(row * stride[0] + window[0], height) - window[0])
            left = max(0, min(column * stride[1] + window[1], width) - window[1])
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


def _marked(logits):
    """Logits, all of a pixel NaN where one is no finite number: exponentials would turn some of them into numbers."""
    is_finite = np.isfinite(logits.sum(-1, keepdims=True))
    return logits if is_finite.all() else np.where(is_finite, logits, np.float32(np.nan))

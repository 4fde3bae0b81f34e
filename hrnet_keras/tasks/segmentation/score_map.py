"""One picture -> scores of every class at its own size: scales, mirroring and windows of a `Protocol` carried out."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from hrnet_keras.architecture import IMAGENET
from hrnet_keras.datasets.sides import mirror_order
from hrnet_keras.layers.resizing import resize_bilinear
from hrnet_keras.tasks.segmentation.protocol import Protocol

HIGHEST = 80.0  # logits are cut here lest their exponential overflow; those of trained nets lie far below
MEAN_COLOUR = tuple(round(mean) for mean in IMAGENET.mean)  # as the official code pads a uint8 picture


def score_map(
    image: np.ndarray, forward: Callable[[np.ndarray], np.ndarray], protocol: Protocol, *,
    padding: float | Sequence[float] = 0.0, align_corners: bool = False, flip_pairs: Sequence[tuple[int, int]] = (),
) -> np.ndarray:  # fmt: skip
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
    size = image.shape[:2]
    image, filled = _prepared(image, protocol)
    forward_crop = _crop_scorer(forward, protocol, align_corners, flip_pairs)
    total = np.zeros(1, np.float32)
    for scale in protocol.scales:
        scaled = _resized(image, _scaled_size(image.shape[:2], scale, protocol), False)
        scores = _scores_of_scale(scaled, scale, forward_crop, protocol, padding)
        scores = _resized(scores, image.shape[:2], align_corners)
        if protocol.combine == "softmax":
            scores = _mean_probability(scores, protocol.flip) / len(protocol.scales)
        total = total + scores
    return _resized(total[: filled[0], : filled[1]], size, align_corners)


def _scores_of_scale(scaled, scale, forward_crop, protocol, padding):
    """What the mode adds up of a picture at one scale."""
    if protocol.mode == "windows":
        return _overlapping(scaled, forward_crop, protocol.window, padding)
    if protocol.mode == "sliding":
        return _spread(scaled, forward_crop, protocol.window, protocol.stride)
    if protocol.mode == "cityscapes" and scale > 1:
        return _spread(scaled, forward_crop, protocol.window, protocol.window)
    return forward_crop(scaled)


def _crop_scorer(forward, protocol, align_corners, flip_pairs):
    """The function from a crop to what is added up: exp(mean logits), or (both sides') logits as they are."""

    def forward_crop(crop):
        size = crop.shape[:2]
        logits = _marked(_resized(forward(crop[None])[0], size, align_corners))
        sides = [logits]
        if protocol.flip:
            mirrored = _marked(_resized(forward(crop[None, :, ::-1])[0], size, align_corners)[:, ::-1])
            sides.append(mirrored[..., mirror_order(mirrored.shape[-1], flip_pairs, "label_flip_pairs")])
        if protocol.combine == "softmax":
            return np.concatenate(sides, axis=-1)
        # The official code adds up exp(logits) of windows and scales, without a softmax.
        mean = np.minimum(sum(sides[1:], sides[0]) / len(sides), HIGHEST)
        return np.exp(mean, out=mean)  # in place: these maps are large

    return forward_crop


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
    if protocol.mode == "fixed":
        return tuple(int(side * scale + 0.5) for side in protocol.window)
    if protocol.base_size is None and scale == 1:
        return size
    height, width = size
    if protocol.short_size is not None:
        long = int(protocol.base_size * scale + 0.5)
        short = int(protocol.short_size * scale + 0.5)
        factor = min(long / max(size), short / min(size))
        return int(height * factor + 0.5), int(width * factor + 0.5)
    long = int((protocol.base_size or max(size)) * scale + 0.5)
    if height > width:
        return long, int(width * long / height + 0.5)
    return int(height * long / width + 0.5), long


def _overlapping(image, forward_crop, window, padding):
    """Windows two thirds of their size apart, the last ones padded; where they overlap, the mean."""
    height, width = image.shape[:2]
    if max(height, width) <= min(window):
        return forward_crop(_padded(image, window, padding))[:height, :width]
    image = _padded(image, (max(height, window[0]), max(width, window[1])), padding)
    # `multi_scale_inference` of the official repository: strides of two thirds, truncated.
    steps = [int(side * 2 / 3) for side in window]
    places = []
    for side, extent, step in zip(image.shape, window, steps, strict=False):
        count = math.ceil((side - extent) / step) + 1
        places.append([i * step for i in range(count)])
    windows = _windows(places, window, image.shape)

    def forward_padded(crop):
        return forward_crop(_padded(crop, window, padding))[: crop.shape[0], : crop.shape[1]]

    return _mean_of_windows(image, windows, forward_padded)[:height, :width]


def _spread(image, forward_crop, window, stride):
    """Windows `stride` apart, the last ones moved back from the edge; where they overlap, the mean."""
    places = []
    for side, extent, step in zip(image.shape, window, stride, strict=False):
        # `slide_inference` of mmseg moves the last windows back; the official code pads them.
        count = max(math.ceil((side - extent) / step), 0) + 1
        places.append([max(0, min(i * step + extent, side) - extent) for i in range(count)])
    return _mean_of_windows(image, _windows(places, window, image.shape), forward_crop)


def _windows(places, window, shape):
    """The windows that begin at `places`, lists of rows and of columns, as slices that end where the picture does."""
    for top in places[0]:
        for left in places[1]:
            bottom = min(top + window[0], shape[0])
            right = min(left + window[1], shape[1])
            yield slice(top, bottom), slice(left, right)


def _mean_of_windows(image, windows, forward_crop):
    """Scores of windows, put together; where they overlap, the mean."""
    total = None
    seen = np.zeros((*image.shape[:2], 1), np.float32)
    for window in windows:
        scores = forward_crop(image[window])
        if total is None:
            total = np.zeros((*image.shape[:2], scores.shape[-1]), np.float32)
        total[window] += scores
        seen[window] += 1
    return total / seen


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

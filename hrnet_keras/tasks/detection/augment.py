"""A picture with its boxes as the training shows it: resized, cut, mirrored."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hrnet_keras.datasets.dataset import Example
from hrnet_keras.datasets.objects import masks_of
from hrnet_keras.tasks.detection.recipe import Augment
from hrnet_keras.tasks.detection.resizing import (
    Size,
    cut_boxes,
    resize,
    resize_rule,
    resized_boxes,
    resized_labels,
    resized_masks,
)

NO_BOX = -1  # label where a picture has fewer boxes than the batch has room for
JITTER = (10, 30)  # pixels, vertical and horizontal, that a crop's middle lies from that of its box at most


@dataclass(frozen=True)
class Sample:
    """A picture to train on.

    Attributes:
        image: uint8 RGB `(height, width, 3)`.
        boxes: float64 `(n, 4)` xyxy in pixels of `image`.
        labels: int32 `(n,)`.
        masks: uint8 `(n, height, width)`, 0 or 1, where they are asked for.
        semantic: uint8 `(height, width)`, a class or 255, where it is asked for.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None = None
    semantic: np.ndarray | None = None

    def arrays(self) -> list[np.ndarray]:
        """Image, its size int32 `(2,)`, boxes float32, labels, masks and semantic map, if any; a row of what counts
        objects, if an empty one.
        """
        size = np.array(self.image.shape[:2], np.int32)
        rows = max(len(self.boxes), 1)
        boxes = _filled(self.boxes.astype(np.float32), rows, 0)
        arrays = [self.image, size, boxes, _filled(self.labels, rows, NO_BOX)]
        if self.masks is not None:
            arrays.append(_filled(self.masks, rows, 0))
        if self.semantic is not None:
            arrays.append(self.semantic)
        return arrays


def sample(
    example: Example, augment: Augment, numbers: np.ndarray, label_pairs: Sequence[tuple[int, int]] = ()
) -> Sample:
    """A picture as the training shows it.

    Args:
        example: of a set of boxes, with `label_map` where semantic maps are asked for; its arrays are left as they are.
        augment: how.
        numbers: float `(5,)`, each from 0 to below 1: of the flip, the size, the box that a crop is near and its place.
            A choice that is switched off leaves the others as they are.
        label_pairs: labels that change places in a mirror.
    """
    image = example["image"]
    old = image.shape[:2]
    new = resize_rule(old, *_draw_scale(augment, numbers[1]))
    kept = ~np.asarray(example["crowd"], bool)
    boxes = resized_boxes(np.asarray(example["boxes"], np.float64)[kept], old, new)
    labels = np.asarray(example["labels"], np.int32)[kept]
    masks = None
    if augment.masks:
        masks = resized_masks(_masks(example, kept), new)
    semantic = None
    if augment.semantic:
        semantic = resized_labels(example["label_map"], new)
    shown = Sample(resize(image, new), boxes, labels, masks, semantic)
    if augment.crop is not None:
        shown = cropped(shown, augment.crop, numbers[2:5])
    if numbers[0] < augment.flip:
        return mirrored(shown, label_pairs)
    return shown


def mirrored(shown: Sample, label_pairs: Sequence[tuple[int, int]] = ()) -> Sample:
    """A sample flipped left to right: x becomes the width less x; labels of `label_pairs` change places."""
    width = shown.image.shape[1]
    boxes = shown.boxes.copy()
    boxes[:, [0, 2]] = width - shown.boxes[:, [2, 0]]
    labels = shown.labels.copy()
    for a, b in label_pairs:
        labels[shown.labels == a] = b
        labels[shown.labels == b] = a
    masks = shown.masks
    if masks is not None:
        masks = np.ascontiguousarray(masks[:, :, ::-1])
    semantic = shown.semantic
    if semantic is not None:
        semantic = np.ascontiguousarray(semantic[:, ::-1])
    return Sample(cv2.flip(shown.image, 1), boxes, labels, masks, semantic)


def cropped(shown: Sample, crop: Size, numbers: np.ndarray) -> Sample:
    """A window of a sample near one of its boxes, the boxes whose middle lies in it cut at its edges.

    Args:
        shown: the sample.
        crop: (height, width) of the window; it ends where the picture ends.
        numbers: float `(3,)`, each from 0 to below 1: of the box, and how far the window's middle lies from its middle
            (up to 10 pixels up or down and 30 to a side). Without a box the window lies anywhere.
    """
    size = np.array(shown.image.shape[:2])
    window = np.minimum(crop, size)
    if len(shown.boxes):
        left, top, right, bottom = shown.boxes[int(numbers[0] * len(shown.boxes))]
        middle = np.array([top + bottom, left + right]) / 2
        begin = middle + (2 * numbers[1:] - 1) * JITTER - window / 2
    else:
        begin = numbers[1:] * (size - window)
    begin = np.clip(np.floor(begin + 0.5).astype(int), 0, size - window)
    top, left = (int(place) for place in begin)
    height, width = (int(side) for side in window)
    moved = shown.boxes - [left, top] * 2
    middles = (moved[:, :2] + moved[:, 2:]) / 2
    kept = ((middles >= 0) & (middles < [width, height])).all(axis=1)
    masks = shown.masks
    if masks is not None:
        masks = np.ascontiguousarray(masks[kept, top : top + height, left : left + width])
    semantic = shown.semantic
    if semantic is not None:
        semantic = np.ascontiguousarray(semantic[top : top + height, left : left + width])
    image = np.ascontiguousarray(shown.image[top : top + height, left : left + width])
    return Sample(image, cut_boxes(moved[kept], (height, width)), shown.labels[kept], masks, semantic)


def _draw_scale(augment: Augment, number: float) -> tuple[int, int]:
    """(long, short) of a picture."""
    if augment.scales:
        return augment.scales[int(number * len(augment.scales))]
    long, short = augment.scale
    if augment.scale_range is not None:
        lowest, highest = augment.scale_range
        short = lowest + int(number * (highest - lowest + 1))
    return long, short


def _masks(example: Example, kept: np.ndarray) -> np.ndarray:
    """Masks of the kept objects, bool `(n, height, width)`; the others are not drawn."""
    if "masks" in example:
        return example["masks"][kept]
    segments = tuple(one for one, is_kept in zip(example["segments"], kept, strict=True) if is_kept)
    return masks_of({**example, "segments": segments})


def _filled(values: np.ndarray, rows: int, value: int) -> np.ndarray:
    """`values` with rows of `value` at its end, `rows` altogether."""
    if len(values) == rows:
        return values
    filled = np.full((rows, *values.shape[1:]), value, values.dtype)
    filled[: len(values)] = values
    return filled

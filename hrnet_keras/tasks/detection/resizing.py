"""Pictures, boxes and masks at the size that a detector is shown them: the aspect ratio kept, OpenCV's pixels."""

import cv2
import numpy as np

Size = tuple[int, int]  # (height, width)


def resize_rule(size: Size, long: int, short: int) -> Size:
    """The size of a picture of `size` whose sides become `long` and `short` at most, the aspect ratio kept.

    Args:
        size: (height, width).
        long, short: pixels; one of the two is met, up to rounding.

    Returns:
        (height, width), at least one pixel each.

    Source: `rescale_size` of mmcv.
    """
    factor = min(long / max(size), short / min(size))
    height, width = (max(int(side * factor + 0.5), 1) for side in size)
    return height, width


def resize(image: np.ndarray, size: Size) -> np.ndarray:
    """A picture uint8 `(height, width, 3)` resized to `size` (height, width), bilinear, with OpenCV's rounding."""
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)


def resized_boxes(boxes: np.ndarray, old: Size, new: Size) -> np.ndarray:
    """Boxes `(n, 4)` of a picture of size `old` that is resized to `new` (height, width), cut at the new edges."""
    factors = np.array([new[1] / old[1], new[0] / old[0]] * 2)
    return cut_boxes(boxes * factors, new)


def cut_boxes(boxes: np.ndarray, size: Size) -> np.ndarray:
    """Boxes `(n, 4)` xyxy cut at the edges of a picture of `size` (height, width)."""
    return np.clip(boxes, 0, [size[1], size[0]] * 2)


def resized_labels(labels: np.ndarray, size: Size) -> np.ndarray:
    """A label map uint8 `(height, width)` resized to `size`, each pixel the nearest one of OpenCV's rule."""
    return cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)


def resized_masks(masks: np.ndarray, size: Size) -> np.ndarray:
    """Masks `(n, height, width)` resized to `size`, each pixel the nearest one of OpenCV's rule -> uint8."""
    resized = np.empty((len(masks), *size), np.uint8)
    for mask, out in zip(np.asarray(masks, np.uint8), resized, strict=True):
        cv2.resize(mask, size[::-1], dst=out, interpolation=cv2.INTER_NEAREST)
    return resized

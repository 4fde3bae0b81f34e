"""Bringing the pictures of a data set to another size as they are read, before anything else happens to them."""

import cv2

from hrnet_keras.datasets import DataError


def to_size(size):
    """The rule for `Dataset.new_size` that brings every picture to `(height, width)` whatever its shape."""
    return lambda _: tuple(size)


def to_short_side(short):
    """The rule for `Dataset.new_size` that brings the short side of every picture to `short` pixels, its shape kept.

    Raises:
        ValueError: `short` is no number of pixels.

    Source: training of the official OCR branch on PASCAL-Context, ADE20K and COCO-Stuff.
    """
    if not isinstance(short, int) or short < 1:
        raise ValueError(f"short_side={short!r}: expected a number of pixels above 0, or null")

    def size(old):
        height, width = old
        if height < width:
            return short, int(width * short / height + 0.5)
        return int(height * short / width + 0.5), short

    return size


def resized(example, size):
    """An example whose picture and label map are brought to `(height, width)` as the official loaders do, by OpenCV.

    Args:
        example: dict with `image` uint8 `(any, any, 3)` and `label_map` uint8 `(any, any)`.
        size: `(height, width)`.

    Returns:
        The dict with both of the new size: the picture bilinearly, the label map by its nearest pixel.
    """
    if min(size) < 1:
        raise DataError(f"{example['name']}: a picture of size {size}: expected at least one pixel")
    image = cv2.resize(example["image"], size[::-1], interpolation=cv2.INTER_LINEAR)
    label_map = cv2.resize(example["label_map"], size[::-1], interpolation=cv2.INTER_NEAREST)
    return example | {"image": image, "label_map": label_map}

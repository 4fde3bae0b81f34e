"""Small sets of pictures with boxes, made in memory, for tests of detection."""

from dataclasses import dataclass, field

import numpy as np

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.objects import BoxSet


@dataclass
class Picture:
    """What a test says of a picture."""

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray = None
    more: dict = field(default_factory=dict)


class Table:
    """Their annotations."""

    origin = "a test"

    def __init__(self, pictures):
        self.pictures = pictures

    def row(self, number):
        picture = self.pictures[number]
        boxes = np.array(picture.boxes, np.float64).reshape(-1, 4)
        crowd = np.zeros(len(boxes), bool) if picture.crowd is None else np.array(picture.crowd, bool)
        return {
            "size": self.size_of(number), "image_id": number, "boxes": boxes,
            "labels": np.array(picture.labels, np.int32), "crowd": crowd,
            "areas": np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), **picture.more,
        }  # fmt: skip

    def size_of(self, number):
        return self.pictures[number].image.shape[:2]

    def trainable(self, number):
        return min(self.size_of(number)) >= 32 and len(self.pictures[number].labels) > 0


class Objects(BoxSet):
    """Pictures that a test made, with what is known of their objects."""

    def __init__(self, pictures, class_names=("cat", "dog", "cow"), **facts):
        info = DatasetInfo(name="objects", class_names=class_names, **facts)
        self.pictures = pictures
        super().__init__(info, "train", [f"picture-{i}" for i in range(len(pictures))], (), Table(pictures))

    def image(self, i):
        return self.pictures[i].image


def random_picture(rng, size, boxes=2, classes=3):
    """A picture of noise with so many random boxes."""
    height, width = size
    corners = np.sort(rng.uniform(0, 1, (boxes, 2, 2)), axis=1).reshape(-1, 4) * ([width, height] * 2)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    return Picture(image, corners, rng.integers(0, classes, boxes))

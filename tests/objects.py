"""Small sets of pictures with boxes, made in memory, for tests of detection."""

from dataclasses import dataclass, field

import numpy as np

from hrnet_keras.datasets import Dataset, DatasetInfo


@dataclass
class Picture:
    """What a test says of a picture."""

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray = None
    more: dict = field(default_factory=dict)


class Objects(Dataset):
    """Pictures that a test made, with what a set of boxes says of them."""

    def __init__(self, pictures, class_names=("cat", "dog", "cow"), **facts):
        info = DatasetInfo(name="objects", class_names=class_names, **facts)
        super().__init__(info, "train", [f"picture-{i}" for i in range(len(pictures))])
        self.pictures = pictures

    def annotations(self, i):
        picture = self.pictures[i]
        boxes = np.array(picture.boxes, np.float64).reshape(-1, 4)
        crowd = np.zeros(len(boxes), bool) if picture.crowd is None else np.array(picture.crowd, bool)
        return {
            "name": self.names[i], "size": picture.image.shape[:2], "image_id": i, "boxes": boxes,
            "labels": np.array(picture.labels, np.int32), "crowd": crowd,
            "areas": np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), **picture.more,
        }  # fmt: skip

    def image(self, i):
        return self.pictures[i].image

    def trainable(self, i):
        return min(self.pictures[i].image.shape[:2]) >= 32 and not all(self.annotations(i)["crowd"])


def random_picture(rng, size, boxes=2, classes=3):
    """A picture of noise with so many random boxes."""
    height, width = size
    corners = np.sort(rng.uniform(0, 1, (boxes, 2, 2)), axis=1).reshape(-1, 4) * ([width, height] * 2)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    return Picture(image, corners, rng.integers(0, classes, boxes))

"""A small folder data set that tests draw for themselves: bright squares on a dark ground."""

import numpy as np
from PIL import Image

CLASSES = ("ground", "square", "bar")


def draw(root, *, count=6, size=(48, 64), split=None, seed=0):
    """Writes `count` pictures and label maps below `root`; returns the folder of the data set."""
    rng = np.random.default_rng(seed)
    base = root / split if split else root
    for name in ("images", "labels"):
        (base / name).mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    for i in range(count):
        image = rng.integers(0, 60, (*size, 3), dtype=np.uint8)
        labels = np.zeros(size, np.uint8)
        y, x = rng.integers(0, size[0] - 20), rng.integers(0, size[1] - 20)
        image[y : y + 20, x : x + 20, 0], labels[y : y + 20, x : x + 20] = 230, 1
        image[:, 5:12, 2], labels[:, 5:12] = 230, 2
        Image.fromarray(image).save(base / "images" / f"{i}.png")
        Image.fromarray(labels).save(base / "labels" / f"{i}.png")
    return root

"""Dummy files of COCO's objects, as its archives unpack."""

import numpy as np
from PIL import Image

from tests.box_files import write_json
from tests.point_files import picture

CATEGORIES = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}, {"id": 90, "name": "toothbrush"}]


def entry(number, image, category, box, **more):
    """One of COCO's "annotations": a box `(x, y, width, height)` with its own outline."""
    x, y, width, height = box
    outline = [x, y, x + width, y, x + width, y + height, x, y + height]
    return {
        "id": number, "image_id": image, "category_id": category, "bbox": list(box), "area": width * height,
        "iscrowd": 0, "segmentation": [outline], **more,
    }  # fmt: skip


def coco(root, counts, size=(120, 160)):
    """`{split: number of pictures}`, each of two objects, in a folder, and semantic maps; `size`: height and width."""
    labels = np.tile(np.array([0, 181, 255], np.uint8).repeat(size[1] // 3 + 1)[: size[1]], (size[0], 1))
    for split, count in counts.items():
        images, entries = [], []
        for i in range(1, count + 1):
            name = f"{i:012}.jpg"
            picture(root / "images" / f"{split}2017" / name, size, seed=i)
            file = root / "stuffthingmaps" / f"{split}2017" / f"{i:012}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(labels).save(file)
            images.append({"id": i, "file_name": name, "height": size[0], "width": size[1]})
            entries.append(entry(10 * i, i, 1, (20, 10, 50, 90)))
            entries.append(entry(10 * i + 1, i, (3, 90)[i % 2], (60, 40, 80, 60)))
        whole = {"images": images, "annotations": entries, "categories": CATEGORIES}
        write_json(root / "annotations" / f"instances_{split}2017.json", whole)
    return root

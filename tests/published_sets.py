"""Dummy files in the layouts in which published data sets unpack."""

import json

import numpy as np
from PIL import Image


def _pair(picture, label, size, values, seed):
    rng = np.random.default_rng(seed)
    for path in (picture, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(picture)
    blocks = rng.choice(np.array(values, np.uint8), (4, 4))
    rows, columns = np.arange(size[0]) * 4 // size[0], np.arange(size[1]) * 4 // size[1]
    label_map = blocks[rows[:, None], columns]
    label_map[0, : len(values)] = values[: size[1]]  # every value is there
    Image.fromarray(label_map).save(label)


def cityscapes(root, counts, size=(64, 128)):
    for split, count in counts.items():
        for i in range(count):
            stem = f"aachen_{i:06}_000019"
            _pair(root / "leftImg8bit" / split / "aachen" / f"{stem}_leftImg8bit.png",
                  root / "gtFine" / split / "aachen" / f"{stem}_gtFine_labelIds.png", size, range(34), i)  # fmt: skip
    return root


def lip(root, counts, size=(40, 30)):
    for split, count in counts.items():
        for i in range(count):
            label = root / "TrainVal_parsing_annotations" / f"{split}_segmentations" / f"{i}.png"
            _pair(root / "TrainVal_images" / f"{split}_images" / f"{i}.jpg", label, size, range(20), i)
    return root


def pascal_context(root, counts, size=(60, 80)):
    for split, count in counts.items():
        stems = [f"2008_{split}{i:03}" for i in range(count)]
        for i, stem in enumerate(stems):
            _pair(root / "JPEGImages" / f"{stem}.jpg", root / "SegmentationClassContext" / f"{stem}.png", size,
                  range(60), i)  # fmt: skip
        listed = root / "ImageSets" / "SegmentationContext" / f"{split}.txt"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text("\n".join(stems) + "\n")
    return root


def pascal_context_merged(root, counts, size=(60, 80)):
    """The annotation file of PASCAL in Detail: run lengths of upright stripes, one per category."""
    from pycocotools import mask as run_lengths

    images, shapes = [], []
    for split, count in counts.items():
        for i in range(count):
            stem, key = f"2008_{split}{i:03}", len(images)
            _pair(root / "JPEGImages" / f"{stem}.jpg", root / "unused" / f"{stem}.png", size, [0], i)
            images.append({"image_id": key, "file_name": f"{stem}.jpg", "phase": split, "height": size[0],
                           "width": size[1]})  # fmt: skip
            for column, category in enumerate((2, 9, 458, 207)):
                stripe = np.zeros(size, np.uint8, order="F")
                stripe[:, 10 * column : 10 * column + 15] = 1  # the next one covers its last third
                rle = run_lengths.encode(stripe)
                rle = {"size": rle["size"], "counts": rle["counts"].decode()}
                shapes.append({"image_id": key, "id": len(shapes), "category_id": category, "segmentation": rle})
    root.joinpath("trainval_merged.json").write_text(json.dumps({"images": images, "annos_segmentation": shapes}))
    return root


def ade20k(root, counts, size=(60, 80)):
    for split, count in counts.items():
        folder = {"train": "training", "val": "validation"}[split]
        for i in range(count):
            stem = f"ADE_{split}_{i:08}"
            _pair(root / "images" / folder / f"{stem}.jpg", root / "annotations" / folder / f"{stem}.png", size,
                  range(151), i)  # fmt: skip
    return root


def cocostuff(root, counts, size=(60, 80)):
    """As PNG files."""
    for split, count in counts.items():
        for i in range(count):
            _pair(root / split / "image" / f"{i}.jpg", root / split / "label" / f"{i}.png", size, range(183), i)
    return root


def cocostuff_released(root, counts, size=(60, 190)):
    from scipy.io import savemat

    for split, count in counts.items():
        stems = [f"COCO_{split}_{i:012}" for i in range(count)]
        for i, stem in enumerate(stems):
            label = root / "unused" / f"{stem}.png"
            _pair(root / "images" / f"{stem}.jpg", label, size, range(183), i)
            (root / "annotations").mkdir(exist_ok=True)
            savemat(root / "annotations" / f"{stem}.mat", {"S": np.asarray(Image.open(label)), "names": ["unlabeled"]})
        listed = root / "imageLists" / {"train": "train.txt", "val": "test.txt"}[split]
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text("\n".join(stems) + "\n")
    return root


def imagenet(root, counts, size=(50, 70)):
    for split, count in counts.items():
        for label in range(3):
            folder = root / split / f"n{label:08}"
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                pixels = np.random.default_rng((label, i)).integers(0, 256, (*size, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{label}_{i}.JPEG", "JPEG")
    return root


MAKERS = {
    "cityscapes": cityscapes, "lip": lip, "pascal_context": pascal_context, "imagenet": imagenet, "ade20k": ade20k,
    "cocostuff": cocostuff,
}  # fmt: skip

"""Cityscapes, 19 classes: street scenes of 50 cities, 2048x1024 (Cordts et al., CVPR 2016)."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import MaskSet
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.masks import from_pairs
from hrnet_keras.datasets.prepared import open_prepared, place_of
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath

# Ids in *_labelIds.png that are trained on, in the order of the classes; all other ids are ignored.
TRAINED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
IDS = {value: 255 for value in (*range(34), 255)} | {value: i for i, value in enumerate(TRAINED_IDS)}
COUNTS = {"train": 2975, "val": 500, "test": 1525, "train_extra": 19998}
ARCHIVES = {
    "fine": "leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip",
    "coarse": "gtCoarse.zip and the pictures",
}
CONFIGS = {"fine": "semantic_segmentation", "coarse": "semantic_segmentation_extra"}  # of TFDS's builder

# Of the training loss: the data set file of the official segmentation repository, which always uses them.
CLASS_WEIGHTS = (
    0.8373, 0.918, 0.866, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023, 0.9539, 0.9843, 1.1116, 0.9037,
    1.0865, 1.0955, 1.0865, 1.1529, 1.0507,
)  # fmt: skip


def load(
    split: str, root: FilePath | None = None, *, prepared: FilePath | None = None, annotation: str = "fine",
    partial: bool = False,
) -> MaskSet:  # fmt: skip
    """Opens Cityscapes at `<root>/leftImg8bit/<split>/<city>` and `<root>/gtFine/<split>/<city>`, as it unpacks.

    Args:
        split: `"train"`, `"val"`, `"trainval"` or `"test"` (whose label maps are dummies); coarse also `"train_extra"`.
        root: the folder.
        prepared: instead, TFDS's folder with the shards of `cityscapes` (see `datasets.prepared`).
        annotation: `"fine"` or `"coarse"`.
        partial: takes what is there, where not all pictures are.

    Raises:
        ValueError: unknown split or annotation, root and prepared both; `DataError` where folder or files are missing.

    Source: the data set file of the official segmentation repository.
    """
    if annotation not in ARCHIVES:
        raise ValueError(f"annotation={annotation!r}: expected 'fine' or 'coarse'")
    if split not in (*COUNTS, "trainval"):
        raise ValueError(f"split={split!r}: cityscapes has {', '.join(map(repr, (*COUNTS, 'trainval')))}")
    place = place_of("cityscapes", root, prepared, holds="leftImg8bit/ and gtFine/")
    parts: tuple[str, ...] = (split,)
    if split == "trainval":
        parts = ("train", "val")
    info = replace(
        published_info("cityscapes"),
        class_weights=CLASS_WEIGHTS,
        source="cityscapes-dataset.com",
        terms="non-commercial",
    )
    expected = sum(COUNTS[part] for part in parts)
    if prepared is not None:
        config = CONFIGS[annotation]
        dataset = open_prepared(
            "cityscapes", split, place, info, config=config, expected=expected, partial=partial, ids=IDS
        )
    else:
        pairs = _pairs(place, parts, f"gt{annotation.capitalize()}")
        folder = place / "leftImg8bit" / parts[0]
        archive = f"{ARCHIVES[annotation]} of cityscapes-dataset.com"
        dataset = from_pairs(info, split, folder, pairs, expected=expected, archive=archive, partial=partial, ids=IDS)
    dataset.to_file = to_label_ids
    return dataset


def _pairs(root: Path, parts: tuple[str, ...], truth: str) -> list[tuple[str, Path, Path]]:
    """`(name, picture, label file)` of all pictures of the parts, which may lack their label file."""
    pairs = []
    for part in parts:
        for picture in files_in(root / "leftImg8bit" / part, "*/*_leftImg8bit.png"):
            stem = picture.name.removesuffix("_leftImg8bit.png")
            city = picture.parent.name
            pairs.append((stem, picture, root / truth / part / city / f"{stem}_{truth}_labelIds.png"))
    return pairs


def to_label_ids(label_map: np.ndarray) -> np.ndarray:
    """Class ids -> the label ids that the test server takes; uint8 `(height, width)` both. 255 becomes 30, ignored."""
    # 30 is the label id of trailers, which the evaluation ignores.
    table = np.full(256, 30, np.uint8)
    table[: len(TRAINED_IDS)] = TRAINED_IDS
    return table[label_map]

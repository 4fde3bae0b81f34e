"""ADE20K, 150 classes: indoor and outdoor scenes of the MIT scene-parsing challenge (Zhou et al., CVPR 2017)."""

from dataclasses import replace
from pathlib import Path

from hrnet_keras.datasets import DataError, MaskSet
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.masks import from_pairs, to_short_side
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath

FOLDERS = {"train": "training", "val": "validation"}
COUNTS = {"train": 20210, "val": 2000}
ARCHIVE = "ADEChallengeData2016.zip"
IDS = {0: 255, 255: 255} | {value: value - 1 for value in range(1, 151)}


def load(split: str, root: FilePath | None = None, *, short_side: int | None = None, partial: bool = False) -> MaskSet:
    """Opens ADE20K at `<root>/images/{training,validation}` and `<root>/annotations/{training,validation}`.

    Args:
        split: `"train"` or `"val"`.
        root: the folder `ADEChallengeData2016`.
        short_side: pixels that the short side of training pictures is first brought to (520 in the official OCR
            branch); `None`: as they are.
        partial: takes what is there, where not all pictures are.

    Raises:
        ValueError: unknown split; `DataError` where folder or files are missing.

    Source: the data set file of the official segmentation repository, OCR branch; layout of the archive.
    """
    if split not in FOLDERS:
        raise ValueError(f"split={split!r}: ade20k has 'train' and 'val'")
    if root is None:
        raise DataError("ade20k is read from files: expected root, the folder ADEChallengeData2016")
    pictures = Path(root) / "images" / FOLDERS[split]
    labels = Path(root) / "annotations" / FOLDERS[split]
    pairs = [(file.stem, file, labels / f"{file.stem}.png") for file in files_in(pictures, "*.jpg")]
    info = replace(published_info("ade20k"), source="groups.csail.mit.edu/vision/datasets/ADE20K", terms="research")
    dataset = from_pairs(
        info, split, pictures, pairs, expected=COUNTS[split], archive=ARCHIVE, partial=partial, ids=IDS
    )
    if short_side is not None and split == "train":
        dataset.new_size = to_short_side(short_side)
    return dataset

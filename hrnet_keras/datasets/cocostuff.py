"""COCO-Stuff 10k, 171 classes: things and stuff on pictures of COCO (Caesar, Uijlings and Ferrari, CVPR 2018)."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError, MaskSet
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.masks import from_pairs, to_short_side
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath
from hrnet_keras.datasets.text import read_text

COUNTS = {"train": 9000, "val": 1000}
LISTS = {"train": "train.txt", "val": "test.txt"}  # the release calls its held-out pictures test
ARCHIVE = "cocostuff-10k-v1.1.zip"

# Of the ids 0..182, those that no picture uses; the others are numbered through, the first of them being unlabelled.
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
USED = tuple(value for value in range(1, 183) if value not in UNUSED)
IDS = {value: 255 for value in range(256)} | {value: i for i, value in enumerate(USED)}


def load(split: str, root: FilePath | None = None, *, short_side: int | None = None, partial: bool = False) -> MaskSet:
    """Opens COCO-Stuff 10k, either as released or as PNG files.

    As released: `<root>/images/*.jpg`, `<root>/annotations/*.mat` and `<root>/imageLists/{train,test}.txt`. As PNG
    files with the ids 0..182, taken where they exist: `<root>/{train,val}/image/*.jpg` and
    `<root>/{train,val}/label/*.png`.

    Args:
        split: `"train"` or `"val"`.
        root: the folder.
        short_side: pixels that the short side of training pictures is first brought to (520 in the official OCR
            branch); `None`: as they are.
        partial: takes what is there, where not all pictures are.

    Raises:
        ValueError: unknown split; `DataError` where folder or files are missing.

    Source: the data set file of the official segmentation repository, OCR branch; layout of the release.
    """
    if split not in COUNTS:
        raise ValueError(f"split={split!r}: cocostuff has 'train' and 'val'")
    if root is None:
        raise DataError("cocostuff is read from files: expected root, the folder that the release unpacks to")
    root = Path(root)
    folder = root / split / "image"
    kind: type[MaskSet] = MaskSet
    if folder.is_dir():
        labels = root / split / "label"
        pairs = [(file.stem, file, labels / f"{file.stem}.png") for file in files_in(folder, "*.jpg")]
    else:
        folder = root / "images"
        kind = Released
        pairs = _released(root, split, partial)
    info = replace(
        published_info("cocostuff"), source="github.com/nightrome/cocostuff10k", terms="Flickr's terms of use"
    )
    dataset = from_pairs(
        info, split, folder, pairs, expected=COUNTS[split], archive=ARCHIVE, partial=partial, ids=IDS, kind=kind
    )
    if short_side is not None and split == "train":
        dataset.new_size = to_short_side(short_side)
    return dataset


def _released(root: Path, split: str, partial: bool) -> list[tuple[str, Path, Path]]:
    """Name, picture and label file of every picture that the release lists."""
    listed = root / "imageLists" / LISTS[split]
    if not listed.is_file():
        raise DataError(f"{root}: has neither {split}/image nor imageLists/{LISTS[split]}: unpack {ARCHIVE} there")
    pairs = []
    for stem in read_text(listed).split():
        picture = root / "images" / f"{stem}.jpg"
        if picture.is_file():
            pairs.append((stem, picture, root / "annotations" / f"{stem}.mat"))
        elif not partial:
            raise DataError(f"{picture}: no such file, {listed.name} names it; unpack {ARCHIVE} again")
    return pairs


class Released(MaskSet):
    """Label maps in MATLAB files, as released: variable `S`, ids 0..182."""

    def stored_ids(self, i: int) -> np.ndarray:
        """Label map `i` as stored, uint8 `(height, width)`; raises `DataError` for a file that is none."""
        from scipy.io import loadmat

        file = self.label_files[i]
        try:
            ids = np.asarray(loadmat(file)["S"])
        except Exception as error:  # SciPy raises many kinds for a damaged file
            raise DataError(f"{file}: no label map of COCO-Stuff ({error}): unpack {ARCHIVE} again") from error
        if ids.ndim != 2 or ids.min(initial=0) < 0 or ids.max(initial=0) > 182:
            raise DataError(f"{file}: expected a map of ids 0..182 in variable S, given shape {ids.shape}")
        return ids.astype(np.uint8)

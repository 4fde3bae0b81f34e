"""COCO-Stuff 10k, 171 classes: things and stuff on pictures of COCO (Caesar, Uijlings and Ferrari, CVPR 2018)."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError, Dataset, paired
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.published import published
from hrnet_keras.datasets.resized import to_short_side
from hrnet_keras.datasets.text import read_text

COUNTS = {"train": 9000, "val": 1000}
LISTS = {"train": "train.txt", "val": "test.txt"}  # the release calls its held-out pictures test
ARCHIVE = "cocostuff-10k-v1.1.zip"

# Of the ids 0..182, those that no picture uses; the others are numbered through, the first of them being unlabelled.
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
USED = tuple(value for value in range(1, 183) if value not in UNUSED)
IDS = {value: 255 for value in range(256)} | {value: i for i, value in enumerate(USED)}


def load(split, root=None, *, short_side=None, partial=False):
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
    folder, listed = root / split / "image", root / "imageLists" / LISTS[split]
    if folder.is_dir():
        labels, kind = root / split / "label", Dataset
        pairs = [(file.stem, file, labels / f"{file.stem}.png") for file in files_in(folder, "*.jpg")]
    elif listed.is_file():
        folder, kind = root / "images", Released
        stems = read_text(listed).split()
        pairs = [(stem, folder / f"{stem}.jpg", root / "annotations" / f"{stem}.mat") for stem in stems]
        lacking = next((picture for _, picture, _ in pairs if not picture.is_file()), None)
        if lacking is not None and not partial:
            raise DataError(f"{lacking}: no such file, {listed.name} names it; unpack {ARCHIVE} again")
        pairs = [pair for pair in pairs if pair[1].is_file()]
    else:
        raise DataError(f"{root}: has neither {split}/image nor imageLists/{LISTS[split]}: unpack {ARCHIVE} there")
    info = replace(published("cocostuff"), source="github.com/nightrome/cocostuff10k", terms="Flickr's terms of use")
    found = paired(
        info, split, folder, pairs, expected=COUNTS[split], archive=ARCHIVE, partial=partial, ids=IDS, kind=kind
    )
    if short_side is not None and split == "train":
        found.new_size = to_short_side(short_side)
    return found


class Released(Dataset):
    """Label maps in MATLAB files, as released: variable `S`, ids 0..182."""

    def stored_labels(self, i):
        """Label map `i` as stored, uint8 `(height, width)`; raises `DataError` for a file that is none."""
        from scipy.io import loadmat

        file = self.label_files[i]
        try:
            found = np.asarray(loadmat(file)["S"])
        except Exception as error:  # SciPy raises many kinds for a damaged file
            raise DataError(f"{file}: no label map of COCO-Stuff ({error}): unpack {ARCHIVE} again") from error
        if found.ndim != 2 or found.min(initial=0) < 0 or found.max(initial=0) > 182:
            raise DataError(f"{file}: expected a map of ids 0..182 in variable S, given shape {found.shape}")
        return found.astype(np.uint8)

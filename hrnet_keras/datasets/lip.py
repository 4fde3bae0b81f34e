"""LIP (Look Into Person), 20 classes: single people and their clothes (Gong et al., CVPR 2017)."""

from collections.abc import Sequence

from hrnet_keras.datasets import MaskSet
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.masks import from_pairs, to_size
from hrnet_keras.datasets.prepared import open_prepared, place_of
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath

COUNTS = {"train": 30462, "val": 10000}
ARCHIVE = "TrainVal_images.zip and TrainVal_parsing_annotations.zip of LIP"


def load(
    split: str, root: FilePath | None = None, *, prepared: FilePath | None = None, size: Sequence[int] | None = None,
    partial: bool = False,
) -> MaskSet:  # fmt: skip
    """Opens LIP at `<root>/TrainVal_images` and `<root>/TrainVal_parsing_annotations`, as its archives unpack.

    Args:
        split: `"train"` or `"val"`.
        root: the folder.
        prepared: instead, TFDS's folder with the shards of `lip` (see `datasets.prepared`).
        size: `(height, width)` that training pictures and label maps are resized to whatever their shape, (473, 473) in
            the official training; `None`: as they are. Pictures to be scored stay as they are.
        partial: takes what is there, where not all pictures are.

    Raises:
        ValueError: unknown split, root and prepared both; `DataError` where folder or files are missing.

    Source: the data set file of the official segmentation repository.
    """
    if split not in COUNTS:
        raise ValueError(f"split={split!r}: lip has 'train' and 'val'")
    place = place_of("lip", root, prepared, holds="TrainVal_images/")
    info = published_info("lip")
    expected = COUNTS[split]
    if prepared is not None:
        dataset = open_prepared("lip", split, place, info, expected=expected, partial=partial)
    else:
        pictures = place / "TrainVal_images" / f"{split}_images"
        labels = place / "TrainVal_parsing_annotations" / f"{split}_segmentations"
        pairs = [(file.stem, file, labels / f"{file.stem}.png") for file in files_in(pictures, "*.jpg")]
        dataset = from_pairs(info, split, pictures, pairs, expected=expected, archive=ARCHIVE, partial=partial)
    if size and split == "train":
        dataset.new_size = to_size(size)
    return dataset

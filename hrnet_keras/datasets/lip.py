"""LIP (Look Into Person), 20 classes: single people and their clothes (Gong et al., CVPR 2017)."""

from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError, Dataset, paired
from hrnet_keras.datasets.published import published

COUNTS = {"train": 30462, "val": 10000}
ARCHIVE = "TrainVal_images.zip and TrainVal_parsing_annotations.zip of LIP"


def load(split, root=None, *, size=None, partial=False):
    """Opens LIP at `<root>/TrainVal_images` and `<root>/TrainVal_parsing_annotations`, as its archives unpack.

    Args:
        split: `"train"` or `"val"`.
        root: the folder.
        size: `(height, width)` that training pictures and label maps are resized to whatever their shape, (473, 473) in
            the official training; `None`: as they are. Pictures to be scored stay as they are.
        partial: takes what is there, where not all pictures are.

    Raises:
        ValueError: unknown split; `DataError` where folder or files are missing.

    Source: the data set file of the official segmentation repository.
    """
    if split not in COUNTS:
        raise ValueError(f"split={split!r}: lip has 'train' and 'val'")
    if root is None:
        raise DataError("lip is read from files: expected root, the folder that holds TrainVal_images/")
    pictures = Path(root) / "TrainVal_images" / f"{split}_images"
    labels = Path(root) / "TrainVal_parsing_annotations" / f"{split}_segmentations"
    pairs = [(file.stem, file, labels / f"{file.stem}.png") for file in sorted(pictures.glob("*.jpg"))]
    found = paired(
        published("lip"), split, pictures, pairs, expected=COUNTS[split], archive=ARCHIVE, partial=partial, kind=Resized
    )
    if size and split == "train":
        found.size, found.as_stored = tuple(size), False
    return found


class Resized(Dataset):
    """A data set whose examples are brought to one `size` when they are read, whatever their shape."""

    size = None

    def example(self, i):
        """Example `i`, at `size` where there is one: the picture bilinearly, the label map by its nearest pixel."""
        example = super().example(i)
        if self.size:
            image, label_map = example["image"], example["label_map"]
            rows, columns = (
                np.minimum(np.floor(np.arange(n) * (old / n)).astype(int), old - 1)
                for n, old in zip(self.size, label_map.shape, strict=True)
            )
            example |= {"image": _bilinear(image, self.size), "label_map": label_map[rows[:, None], columns]}
        return example


def _bilinear(image, size):
    from hrnet_keras.layers.resizing import resize_bilinear  # loads Keras, which opening a data set need not

    found = np.asarray(resize_bilinear(image[None].astype(np.float32), size))[0]
    return np.floor(found + 0.5).astype(np.uint8)

"""PASCAL-Context, 59 or 60 classes: everyday pictures of VOC2010, every pixel labelled (Mottaghi et al., CVPR 2014)."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo, MaskSet
from hrnet_keras.datasets.masks import from_pairs, to_short_side
from hrnet_keras.datasets.prepared import open_prepared, place_of
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath
from hrnet_keras.datasets.text import read_text

PICTURES = "VOCtrainval_03-May-2010.tar"
ARCHIVE = f"{PICTURES} and the label maps SegmentationClassContext, or trainval_merged.json"

Shape = tuple[int, Any]  # category, run lengths

# Of the 459 categories, those that are classes, in the order of the classes; the first is the background.
RAW_IDS = (
    0, 2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158, 159,
    162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397,
    415, 416, 420, 424, 427, 440, 445, 454, 458,
)  # fmt: skip


def load(
    split: str, root: FilePath | None = None, *, prepared: FilePath | None = None, classes: int = 59,
    short_side: int | None = None,
) -> MaskSet:  # fmt: skip
    """Opens PASCAL-Context in the folder `VOCdevkit/VOC2010`.

    The pictures lie in `<root>/JPEGImages`. The label maps are `<root>/SegmentationClassContext/<stem>.png` (0 is
    background) with `<root>/ImageSets/SegmentationContext/<split>.txt` (a stem per line), or, where that list is
    missing, the annotations of `<root>/trainval_merged.json`, drawn when they are asked for.

    Args:
        split: `"train"` or `"val"`.
        root: the folder.
        prepared: instead of `root`: the folder of shards, see `hrnet_keras.datasets.prepared`.
        classes: 59 (background is ignored) or 60 (background is class 0).
        short_side: pixels that the short side of training pictures is first brought to (520 in the official OCR
            branch); `None`: as they are.

    Raises:
        ValueError: unknown split or number of classes; `DataError` where folder or files are missing.

    Source: class order as in the official segmentation repository and mmsegmentation, whose two file layouts these are.
    """
    if split not in ("train", "val"):
        raise ValueError(f"split={split!r}: pascal_context has 'train' and 'val'")
    if classes not in (59, 60):
        raise ValueError(f"classes={classes!r}: pascal_context has 59 or 60")
    place = place_of("pascal_context", root, prepared, holds="JPEGImages/ (VOC2010)")
    shift = 60 - classes
    # The background, 0, comes first: it is ignored where there are 59 classes.
    ids = {0: 255, 255: 255} | {value: value - shift for value in range(shift, 60)}
    info = replace(published_info(f"pascal_context_{classes}"), source="PASCAL VOC 2010", terms="Flickr's terms of use")
    if prepared is not None:
        dataset = open_prepared("pascal_context", split, place, info, ids=ids)
    else:
        dataset = _from_files(info, split, place, ids)
    if short_side is not None and split == "train":
        dataset.new_size = to_short_side(short_side)
    return dataset


def _from_files(info: DatasetInfo, split: str, root: Path, ids: dict[int, int]) -> MaskSet:
    listed = root / "ImageSets" / "SegmentationContext" / f"{split}.txt"
    merged = root / "trainval_merged.json"
    if not listed.is_file() and merged.is_file():
        return from_json(info, split, root, merged, ids)
    return _from_pngs(info, split, root, listed, ids)


def _from_pngs(info: DatasetInfo, split: str, root: Path, listed: Path, ids: dict[int, int]) -> MaskSet:
    if not listed.is_file():
        raise DataError(f"{listed}: no such file: expected a stem per line; unpack {ARCHIVE} there")
    stems = read_text(listed).split()
    pairs = [
        (stem, root / "JPEGImages" / f"{stem}.jpg", root / "SegmentationClassContext" / f"{stem}.png") for stem in stems
    ]
    lacking = next((picture for _, picture, _ in pairs if not picture.is_file()), None)
    if lacking is not None:
        raise DataError(f"{lacking}: no such file, {listed.name} names it; unpack {ARCHIVE} again")
    return from_pairs(info, split, root, pairs, expected=len(stems), archive=ARCHIVE, ids=ids)


def from_json(info: DatasetInfo, split: str, root: Path, merged: Path, ids: dict[int, int]) -> "Merged":
    """The split as the annotation file has it: pictures of its phase, in the order of the file."""
    try:
        data = json.loads(read_text(merged))
        pictures = [picture for picture in data["images"] if picture["phase"] == split]
        files = [root / "JPEGImages" / picture["file_name"] for picture in pictures]
        sizes = [(picture["height"], picture["width"]) for picture in pictures]
        shapes = _shapes_of(pictures, data["annos_segmentation"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{merged}: not the annotations of PASCAL in Detail ({type(error).__name__}: {error}): expected images and "
            "annos_segmentation; fetch the file again"
        ) from error
    if not files:
        raise DataError(f"{merged}: has no pictures of split {split!r}: expected some with phase {split!r}")
    lacking = next((file for file in files if not file.is_file()), None)
    if lacking is not None:
        raise DataError(f"{lacking}: no such file, {merged.name} names it; unpack {PICTURES} there")
    return Merged(info, split, files, merged, ids, sizes, shapes)


def _shapes_of(pictures: list[dict], annotations: list[dict]) -> list[list[Shape]]:
    """Category and run lengths of every shape in every picture, in the order of the pictures."""
    shapes: dict[Any, list[Shape]] = {picture["image_id"]: [] for picture in pictures}
    for shape in annotations:
        if shape["image_id"] in shapes:
            shapes[shape["image_id"]].append((shape["category_id"], shape["segmentation"]))
    return [shapes[picture["image_id"]] for picture in pictures]


class Merged(MaskSet):
    """Label maps drawn from the run lengths of `trainval_merged.json`, a later shape over an earlier one."""

    per_example = (*MaskSet.per_example, "sizes", "shapes")

    def __init__(
        self, info: DatasetInfo, split: str, files: list[Path], merged: Path, ids: dict[int, int],
        sizes: Iterable[tuple[int, int]], shapes: Iterable[list[Shape]],
    ) -> None:  # fmt: skip
        super().__init__(info, split, [file.stem for file in files], files, [merged] * len(files), ids)
        self.sizes = tuple(sizes)
        self.shapes = tuple(shapes)

    def stored_ids(self, i: int) -> np.ndarray:
        """Label map `i`: places of its categories in `RAW_IDS`, uint8 `(height, width)`."""
        from pycocotools import mask as run_lengths

        classes = np.zeros(self.sizes[i], np.uint8)
        for category, shape in self.shapes[i]:
            if category not in RAW_IDS:
                raise DataError(
                    f"{self.label_files[i]}: category {category} in picture {self.names[i]}: expected one of the "
                    f"{len(RAW_IDS)} that are classes"
                )
            inside = run_lengths.decode(shape).astype(bool)
            if inside.shape != classes.shape:
                raise DataError(
                    f"{self.label_files[i]}: a shape of {inside.shape} in picture {self.names[i]}, whose size is "
                    f"{classes.shape} (height, width): fetch the file again"
                )
            # The order of the shapes decides where they overlap: a later one lies above.
            classes[inside] = RAW_IDS.index(category)
        return classes

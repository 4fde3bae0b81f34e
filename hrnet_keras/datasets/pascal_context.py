"""PASCAL-Context, 59 or 60 classes: everyday pictures of VOC2010, every pixel labelled (Mottaghi et al., CVPR 2014)."""

from dataclasses import replace
from pathlib import Path

from hrnet_keras.datasets import DataError, paired
from hrnet_keras.datasets.published import published

ARCHIVE = "VOCtrainval_03-May-2010.tar and the label maps SegmentationClassContext"


def load(split, root=None, *, classes=59):
    """Opens PASCAL-Context at `<root>/JPEGImages`, `<root>/SegmentationClassContext` (PNG, 0 is background) and
    `<root>/ImageSets/SegmentationContext/<split>.txt` (a stem per line).

    Args:
        split: `"train"` or `"val"`.
        root: the folder, `VOCdevkit/VOC2010`.
        classes: 59 (background is ignored) or 60 (background is class 0).

    Raises:
        ValueError: unknown split or number of classes; `DataError` where folder or files are missing.

    Source: class order as in the official segmentation repository and mmsegmentation, whose file layout this is.
    """
    if split not in ("train", "val"):
        raise ValueError(f"split={split!r}: pascal_context has 'train' and 'val'")
    if classes not in (59, 60):
        raise ValueError(f"classes={classes!r}: pascal_context has 59 or 60")
    if root is None:
        raise DataError("pascal_context is read from files: expected root, the folder VOC2010")
    root = Path(root)
    listed = root / "ImageSets" / "SegmentationContext" / f"{split}.txt"
    if not listed.is_file():
        raise DataError(f"{listed}: no such file: expected a stem per line; unpack {ARCHIVE} there")
    stems = listed.read_text(encoding="utf-8").split()
    pairs = [
        (stem, root / "JPEGImages" / f"{stem}.jpg", root / "SegmentationClassContext" / f"{stem}.png") for stem in stems
    ]
    lacking = next((picture for _, picture, _ in pairs if not picture.is_file()), None)
    if lacking is not None:
        raise DataError(f"{lacking}: no such file, {listed.name} names it; unpack {ARCHIVE} again")
    shift = 60 - classes
    ids = {255: 255} | {value: value - shift for value in range(shift, 60)} | ({0: 255} if shift else {})
    facts = replace(published(f"pascal_context_{classes}"), source="PASCAL VOC 2010", terms="Flickr's terms of use")
    return paired(facts, split, root, pairs, expected=len(stems), archive=ARCHIVE, ids=ids)

"""Your own pictures with boxes around objects, in the layouts that tools for drawing boxes write."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.boxes_coco import jsons_in, read_coco_boxes
from hrnet_keras.datasets.boxes_csv import csvs_in, read_csv_boxes
from hrnet_keras.datasets.boxes_voc import read_voc_boxes, xmls_in
from hrnet_keras.datasets.boxes_yolo import is_yolo, read_yolo_boxes
from hrnet_keras.datasets.objects import BoxSet
from hrnet_keras.datasets.reading import FilePath

READERS = {"coco": read_coco_boxes, "voc": read_voc_boxes, "yolo": read_yolo_boxes, "csv": read_csv_boxes}
LOOKS = {"coco": jsons_in, "voc": xmls_in, "yolo": is_yolo, "csv": csvs_in}  # whether a folder holds such files
LAYOUTS = "a json in COCO's layout, VOC's xml files, YOLO's text files or a csv"


def load(
    split: str, root: FilePath | None = None, *, format: str | None = None, class_names: Sequence[str] | None = None,
    val_part: float | None = None, annotations: FilePath | None = None, images: FilePath | None = None,
    partial: bool = False,
) -> BoxSet:  # fmt: skip
    """Opens pictures with boxes.

    Args:
        split: for example `"train"`; `"all"`: all pictures of one file or folder.
        root: the folder.
        format: one of `READERS`; `None`: recognised by what lies in the folder.
        class_names: the classes to take, in the order of their ids; objects of others are left out. `None`: all.
        val_part: part of the pictures that makes up the split `"val"`, where all have one annotation file or folder; a
            share below 1, or a number of pictures. It is drawn by a hash of the pictures' names, so it stays the same,
            and further pictures don't move the others (with a share). The other splits are the rest.
        annotations: the annotation file or folder; a path, or one within `root`, in which `{split}` stands for the
            split. `None`: looked for.
        images: the folder of the pictures, likewise.
        partial: takes the pictures that are there, where not all are.

    Returns:
        A `BoxSet` (see `hrnet_keras.datasets.objects`).

    Raises:
        ValueError: unknown format, or a part that is none; `DataError` where files are missing or broken, or boxes are
            of another convention; file and annotation are named.
    """
    if root is None:
        raise DataError("boxes: expected root, the folder that holds the pictures and their annotations")
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    if format is not None and format not in READERS:
        raise ValueError(f"format={format!r}: expected {', '.join(map(repr, READERS))}, or none")
    if val_part is not None and not val_part > 0:
        raise ValueError(f"val_part={val_part!r}: expected a share below 1, or a number of pictures")
    annotations, images = _of_split(annotations, split), _of_split(images, split)
    kind = format or _format_of(root, annotations)
    dataset = READERS[kind](
        split, root, annotations=annotations, images=images, class_names=class_names, partial=partial,
        drawn=val_part is not None,
    )  # fmt: skip
    if val_part is None:
        return dataset
    return _drawn(dataset, split, val_part)


def _of_split(path: FilePath | None, split: str) -> str | None:
    return None if path is None else str(path).replace("{split}", split)


def _format_of(root: Path, annotations: FilePath | None) -> str:
    """The format of what lies in a folder."""
    suffix = Path(annotations).suffix.lower() if annotations is not None else ""
    if suffix in (".json", ".csv"):
        return "coco" if suffix == ".json" else "csv"
    found = [kind for kind, looks in LOOKS.items() if looks(root)]
    if not found:
        raise DataError(f"{root}: holds no boxes: expected {LAYOUTS}")
    if len(found) > 1:
        raise DataError(
            f"{root}: holds files of the formats {' and '.join(found)}: say which with the option format, or name a "
            "json or csv with the option annotations"
        )
    return found[0]


def _drawn(dataset: BoxSet, split: str, val_part: float) -> BoxSet:
    """The part of a data set's pictures that makes up a split."""
    numbers = {name: _number_of(name) for name in dataset.names}
    if val_part < 1:
        held_out = {name for name, number in numbers.items() if number < val_part}
    else:
        held_out = set(sorted(dataset.names, key=lambda name: numbers[name])[: int(val_part)])
    is_val = split == "val"
    kept = [i for i, name in enumerate(dataset.names) if (name in held_out) == is_val]
    if not kept:
        raise ValueError(f"val_part={val_part!r}: leaves nothing of {len(dataset)} pictures for split {split!r}")
    return dataset.subset(kept)


def _number_of(name: str) -> float:
    """A number from 0 to 1 that a name always has."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest(), "big") / 2**48

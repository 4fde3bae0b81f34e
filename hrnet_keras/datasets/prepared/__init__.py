"""Prepared data sets: shards that `tensorflow_datasets` built, opened as the very examples that the files give.

Built once, by `python -m hrnet_keras.datasets.prepared <name> --manual_dir=<archives> --data_dir=<shards>`, where
`<name>` is `cityscapes/semantic_segmentation`, `imagenet2012` (TFDS's own builders), `lip` or `pascal_context` (folders
beside this file). `tfds build <name, or path of the folder> --file_format=array_record` with the same two options does
the same; that command needs `apache-beam` and `mlcroissant`.

A shard keeps the bytes of a picture's file, so that pixels are the same either way. Exceptions: a label map with a
palette is kept as a grey PNG of the same ids, since TensorFlow turns palettes into colours; PASCAL-Context's label maps
are kept as drawn; and TFDS itself encodes 23 training pictures of ImageNet anew (22 CMYK, one PNG).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrnet_keras.datasets import ClassSet, DataError, DatasetInfo, MaskSet
from hrnet_keras.datasets.prepared.shards import Shards, Stored, import_tfds, listed
from hrnet_keras.datasets.reading import FilePath

SPLITS = {"train": ("train",), "val": ("validation",), "trainval": ("train", "validation")}  # others by their own name

Entry = tuple[Any, str, int | None]  # what it is sorted by, name, class or None


@dataclass(frozen=True)
class Layout:
    """How a set lies in its shards.

    Attributes:
        image, label_map: features that hold files; no label map where there is a class.
        suffix: of the pictures' files.
        entry: features of a record, names of the classes -> (what it is sorted by, name, class or None).
    """

    image: str
    label_map: str
    suffix: str
    entry: Callable[[dict, Any], Entry]


def _of_cityscapes(features: dict, _: Any) -> Entry:
    name = features["image_id"].decode()
    return (name.split("_")[0], name), name, None  # folder by folder, one per city


def _of_lip(features: dict, _: Any) -> Entry:
    name = features["name"].decode()
    return f"{name}.jpg", name, None  # with the suffix, which changes the order of names of unequal length


def _of_pascal_context(features: dict, _: Any) -> Entry:
    return int(features["position"]), features["name"].decode(), None


def _of_imagenet(features: dict, synsets: list[str]) -> Entry:
    file = features["file_name"].decode()
    label = int(features["label"])
    return (label, file), f"{synsets[label]}/{Path(file).stem}", label


LAYOUTS = {
    "cityscapes": Layout("image_left", "segmentation_label", ".png", _of_cityscapes),
    "imagenet2012": Layout("image", "", ".jpeg", _of_imagenet),
    "lip": Layout("image", "label_map", ".jpg", _of_lip),
    "pascal_context": Layout("image", "label_map", ".jpg", _of_pascal_context),
}


def open_prepared(
    name: str, split: str, data_dir: FilePath, info: DatasetInfo, *, config: str = "", expected: int | None = None,
    partial: bool = False, ids: dict[int, int] | None = None,
) -> Any:  # fmt: skip
    """Opens one split of a prepared data set.

    The order is that of the files: records, which TFDS shuffles, are sorted by what the files are sorted by. To that
    end all are read once; their names are then kept in `order-<split>.json` beside the shards.

    Args:
        name: `"cityscapes"`, `"imagenet2012"`, `"lip"` or `"pascal_context"`.
        split: `"train"`, `"val"`, `"trainval"`, or another by TFDS's name.
        data_dir: TFDS's folder, which holds `<name>/[<config>/]<version>`; the newest version is taken.
        info, ids: as for `datasets.masks.from_pairs`.
        config: of TFDS's builder, where it has several.
        expected: number of pictures of the whole split, `None` where any will do.
        partial: takes what is there.

    Returns:
        A `MaskSet`, or a `ClassSet` where a picture has one class, whose files are `Stored`.

    Raises:
        DataError: not built yet, not with random access, without the split, or with too few pictures.
        ImportError: `tensorflow_datasets` or `array_record` is missing.
    """
    layout = LAYOUTS[name]
    what = f"{name}/{config}" if config else name
    command = (
        f"python -m hrnet_keras.datasets.prepared {what} --manual_dir=<folder of the archives> --data_dir={data_dir}"
    )
    builder = _builder(what, data_dir, command)
    rows = [row for part in SPLITS.get(split, (split,)) for row in _rows(builder, part, layout, command)]
    if expected not in (None, len(rows)) and not partial:
        raise DataError(
            f"{builder.data_path}: holds {len(rows)} of the {expected} pictures of split {split!r}: build it again, "
            f"with whole archives, by {command} --overwrite, or take what is there with the option partial: true"
        )
    names, labels, images, label_maps = zip(*rows, strict=True)
    if not layout.label_map:
        return ClassSet(info, split, names, images, labels)
    return MaskSet(info, split, names, images, label_maps, ids)


def _rows(builder: Any, part: str, layout: Layout, command: str) -> Iterator[tuple[str, int | None, Stored, Stored]]:
    """`(name, class or None, picture, label map)` of every record of a split of TFDS, in the order of the files."""
    if part not in builder.info.splits:
        there = ", ".join(builder.info.splits)
        raise DataError(
            f"{builder.data_path}: has no split {part!r} but {there}: build it again, with its archives, by "
            f"{command} --overwrite"
        )
    shards = Shards(builder, part, files=(layout.image, layout.label_map))
    for record, name, label in listed(shards, layout.entry):
        picture = Stored(shards, record, layout.image, name, layout.suffix)
        yield name, label, picture, Stored(shards, record, layout.label_map, name, ".png")


def place_of(name: str, root: FilePath | None, prepared: FilePath | None, *, holds: str) -> Path:
    """Which of two folders is given: `root`, of the files, which `holds` what; or `prepared`, of shards.

    Raises:
        DataError: none of them; `ValueError`: both.
    """
    if root is None and prepared is None:
        raise DataError(
            f"{name} is read from files: expected root, the folder that holds {holds}, or prepared, that of its shards"
        )
    if root is not None and prepared is not None:
        raise ValueError(f"root={str(root)!r} and prepared={str(prepared)!r}: {name} is read from one of the two")
    return Path(root or prepared or "")


def _builder(name: str, data_dir: Any, command: str) -> Any:
    """The reader of what was built; TFDS finds the newest version and needs no code of the builder for it."""
    tfds = import_tfds()
    try:
        builder = tfds.core.read_only_builder.builder_from_files(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        raise DataError(f"{data_dir}: holds no prepared {name}: build it by {command}") from None
    if builder.info.file_format != tfds.core.FileFormat.ARRAY_RECORD:
        raise DataError(
            f"{builder.data_path}: is in format {builder.info.file_format.value}, which can't be read at any place: "
            f"build it again by {command} --overwrite"
        )
    return builder

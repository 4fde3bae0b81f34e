"""Your own boxes as an xml file per picture, as PASCAL VOC has them (Everingham et al., IJCV 2010)."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.box_checks import XYXY
from hrnet_keras.datasets.box_places import ALL, classes_of, folder_of_pictures, shown, spellings, within
from hrnet_keras.datasets.listed_objects import Picture, Thing, listed_set
from hrnet_keras.datasets.listing import files_in, folders_in, pictures_in
from hrnet_keras.datasets.objects import BoxSet
from hrnet_keras.datasets.point_files import as_path, is_number
from hrnet_keras.datasets.reading import FilePath, image_size
from hrnet_keras.datasets.text import read_text

CORNERS = ("xmin", "ymin", "xmax", "ymax")
WHOLE = ("Annotations", "annotations", "xml", "labels", ".")  # folders of the xml files of all splits
LISTS = ("ImageSets/Main/{split}.txt", "ImageSets/{split}.txt", "{split}.txt")  # names of a split's pictures


def read_voc_boxes(
    split: str, root: Path, *, annotations: FilePath | None = None, images: FilePath | None = None,
    class_names: Sequence[str] | None = None, partial: bool = False, drawn: bool = False,
) -> BoxSet:  # fmt: skip
    """Opens a split whose boxes are in xml files in PASCAL VOC's layout.

    The files lie in a folder of the split, or in one for all, of which `ImageSets/Main/<split>.txt` says what belongs
    to the split. Corners count pixels from 1, and the last one is inside: `xmin` 1 is the left edge, 0 here. Objects
    that are marked `difficult` are neither learnt nor missed. Classes are those of `classes.txt`, or all that occur in
    any split, by the alphabet, which is VOC's own order.

    Args:
        split, root, annotations, images, class_names, partial: as in `boxes_folder.load`.
        drawn: whether the split is drawn from all pictures.

    Raises:
        DataError: as `boxes_folder.load`.

    Source: the corners as in VOC's development kit and mmdet's reader.
    """
    folder, files = _files_of(split, root, annotations, drawn)
    places = _pictures_of(split, root, folder, images, files)
    pictures = [_picture(file, places, partial) for file in files]
    found = [picture for picture in pictures if picture is not None]
    names = classes_of(root, folder)
    if names is None:
        names = tuple(sorted(_names_in(root, folder)))
    return listed_set(
        split, root, found, names=names, chosen=class_names, convention=XYXY, origin=folder,
    )  # fmt: skip


def xmls_in(root: Path) -> list[Path]:
    """The first xml files in a folder or the folders in it."""
    return next((found for pattern in ("*.xml", "*/*.xml", "*/*/*.xml") if (found := files_in(root, pattern))), [])


def _files_of(split: str, root: Path, given: FilePath | None, drawn: bool) -> tuple[Path, list[Path]]:
    """The folder of the xml files and those of the split."""
    if given is not None:
        folder = within(root, given)
        files = files_in(folder, "*.xml")
        return folder, files if drawn or split == ALL else _chosen(split, root, folder, files)
    own = [root / place for word in spellings(split)
           for place in (f"{word}/annotations", f"{word}/Annotations", f"Annotations/{word}", f"annotations/{word}",
                         word)]  # fmt: skip
    whole = [root / place for place in WHOLE]
    if drawn or split == ALL:
        own = []
    for folder in own:
        if files_in(folder, "*.xml"):
            return folder, files_in(folder, "*.xml")
    for folder in whole:
        files = files_in(folder, "*.xml")
        if files and (drawn or split == ALL):
            return folder, files
        if files:
            return folder, _chosen(split, root, folder, files)
    raise DataError(
        f"{root}: holds no xml files of split {split!r}: expected {split}/*.xml, or Annotations/*.xml and "
        f"ImageSets/Main/{split}.txt (folders here: {shown(folders_in(root), root)})"
    )


def _chosen(split: str, root: Path, folder: Path, files: list[Path]) -> list[Path]:
    """Those of the files that a list of the split names."""
    lists = [root / place.format(split=word) for word in spellings(split) for place in LISTS]
    listing = next((file for file in lists if file.is_file()), None)
    if listing is None:
        raise DataError(
            f"{folder}: holds {len(files)} xml files and nothing says which are of split {split!r}: expected "
            f"{root / LISTS[0].format(split=split)}, folders of the splits, or the option val_part, which draws them"
        )
    stems = [line.split()[0] for line in read_text(listing).splitlines() if line.strip()]
    by_stem = {file.stem: file for file in files}
    absent = next((stem for stem in stems if Path(stem).stem not in by_stem and stem not in by_stem), None)
    if absent is not None:
        raise DataError(f"{listing}: names {absent!r}, of which {folder} has no xml file")
    return [by_stem.get(stem) or by_stem[Path(stem).stem] for stem in stems]


def _pictures_of(split: str, root: Path, folder: Path, images: FilePath | None, files: list[Path]) -> dict[str, Path]:
    """`{stem: file}` of the pictures."""
    if images is not None:
        place = within(root, images)
    else:
        names = [name for file in files[:1] for name in _likely_names(file)]
        place = folder_of_pictures(split, root, files[0] if files else folder, names)
        beside = [folder.parent / "images", folder.parent / "JPEGImages", folder]
        place = next((one for one in [place, *beside] if one.is_dir() and pictures_in(one)), place)
    return {file.stem: file for file in pictures_in(place)} | {"": place}


def _likely_names(file: Path) -> list[str]:
    """The picture's name as its xml says it."""
    name = _root_of(file).findtext("filename") or ""
    return [Path(as_path(name.strip())).name] if name.strip() else []


def _root_of(file: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(file.read_bytes())
    except ElementTree.ParseError as error:
        raise DataError(f"{file}: cut short or no xml ({error}): write or copy it again") from error
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error


def _picture(file: Path, places: dict[str, Path], partial: bool) -> Picture | None:
    """The picture of an xml file; `None` where it is not there and `partial`."""
    tree = _root_of(file)
    names = [Path(as_path(name)).stem for name in (tree.findtext("filename") or "",) if name.strip()]
    image = next((places[stem] for stem in (file.stem, *names) if stem and stem in places), None)
    if image is None and partial:
        return None
    if image is None:
        raise DataError(
            f"{file}: its picture {file.stem} is not in {places['']}; add it, or take what is there with the option "
            "partial: true"
        )
    stated = [tree.findtext(f"size/{word}") or "" for word in ("height", "width")]
    if all(is_number(text) and float(text) >= 1 for text in stated):
        size = (int(float(stated[0])), int(float(stated[1])))
    else:  # labelImg writes 0 and 0 of some pictures
        size = image_size(image)
    objects = tree.findall("object")
    things = tuple(_thing(one, f"{file}: object {i + 1}") for i, one in enumerate(objects))
    return Picture(image, image.name, size, things)


def _thing(entry: ElementTree.Element, where: str) -> Thing:
    name = (entry.findtext("name") or "").strip()
    texts = [(entry.findtext(f"bndbox/{corner}") or "").strip() for corner in CORNERS]
    if not name:
        raise DataError(f"{where}: has no name: expected the name of its class")
    bad = next((i for i, text in enumerate(texts) if not is_number(text)), None)
    if bad is not None:
        raise DataError(f"{where}: {CORNERS[bad]} {texts[bad]!r}: expected a finite number in bndbox")
    left, top, right, bottom = map(float, texts)
    is_difficult = (entry.findtext("difficult") or "0").strip() == "1"
    return Thing(where, name, (left - 1, top - 1, right, bottom), is_difficult)


def _names_in(root: Path, folder: Path) -> set[str]:
    """The names of all objects in the xml files of all splits."""
    files = {*files_in(root, "**/*.xml"), *files_in(folder, "*.xml")}
    names = {(name.text or "").strip() for file in files for name in _root_of(file).findall("object/name")}
    return names - {""}

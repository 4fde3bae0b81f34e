"""Your own boxes as a table: a csv with a row per object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.box_checks import XYWH, XYXY
from hrnet_keras.datasets.box_places import SPLITS, classes_of, file_of_split, first_file, folder_of_pictures, within
from hrnet_keras.datasets.listed_objects import Picture, Thing, listed_set
from hrnet_keras.datasets.listing import files_in
from hrnet_keras.datasets.objects import BoxSet
from hrnet_keras.datasets.point_files import as_path, is_number, parsed, read_csv
from hrnet_keras.datasets.points import absent_files
from hrnet_keras.datasets.reading import FilePath, image_size

PLACES = (
    "{split}.csv", "{split}_labels.csv", "{split}/_annotations.csv", "annotations/{split}.csv",
    "data/{split}_labels.csv", "annotations/{split}_labels.csv", "{split}/annotations.csv", "{split}/labels.csv",
)  # fmt: skip
FILE = ("filename", "file", "file_name", "image", "image_path", "path", "img", "picture", "image_name", "image_id")
CLASS = ("class", "label", "name", "category", "class_name", "label_name")
# What tools call the corners, and the four numbers of a box with its width and height.
CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"), ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"), ("box_left", "box_top", "box_right", "box_bottom"),
)  # fmt: skip
SIDES = (
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"), ("x", "y", "w", "h"), ("x", "y", "width", "height"),
    ("left", "top", "width", "height"),
)  # fmt: skip
SIZES = (("height", "width"), ("image_height", "image_width"), ("img_height", "img_width"))


@dataclass(frozen=True)
class _Header:
    """Which column holds what; `size` where the picture's height and width are told."""

    file: int
    name: int
    numbers: tuple[int, ...]
    convention: str
    size: tuple[int, int] | None = None


PLAIN = _Header(0, 5, (1, 2, 3, 4), XYXY)  # path, left, top, right, bottom, class


def read_csv_boxes(
    split: str, root: Path, *, annotations: FilePath | None = None, images: FilePath | None = None,
    class_names: Sequence[str] | None = None, partial: bool = False, drawn: bool = False,
) -> BoxSet:  # fmt: skip
    """Opens a split whose boxes are in a csv with a row per object.

    The header says what the columns are: `filename,width,height,class,xmin,ymin,xmax,ymax`, where width and height are
    the picture's, or a box by `x,y,w,h`, and the like. Without a header they are path, left, top, right, bottom, class.
    A row with a picture alone says that it has no objects. Numbers are pixels, and taken as they are. Classes are those
    of `classes.txt`, or all that occur in the tables of any split, by the alphabet.

    Args:
        split, root, annotations, images, class_names, partial: as in `boxes_folder.load`.
        drawn: whether the split is drawn from all pictures of one file.

    Raises:
        DataError: as `boxes_folder.load`.
    """
    if annotations is None:
        file = file_of_split(split, root, PLACES, csvs_in(root), drawn=drawn, what="csv")
    else:
        file = within(root, annotations)
    things, sizes, convention = _things_in(file)
    folder = folder_of_pictures(split, root, file, list(things))
    if images is not None:
        folder = within(root, images)
    absent = set(absent_files(folder, things))
    if absent and (not partial or len(absent) == len(things)):
        first = next(path for path in things if path in absent)
        raise DataError(
            f"{folder / first}: no such file, one of {len(absent)} absent of the {len(things)} pictures that "
            f"{file.name} names: add them, or take what is there with the option partial: true"
        )
    pictures = [
        Picture(folder / path, path, sizes.get(path) or image_size(folder / path), tuple(inside))
        for path, inside in things.items()
        if path not in absent
    ]
    names = classes_of(root, file.parent) or tuple(sorted(_names_in(root, file)))
    return listed_set(split, root, pictures, names=names, chosen=class_names, convention=convention, origin=file)


def csvs_in(root: Path) -> list[Path]:
    """The csv files in a folder, where tools put them."""
    return [file for pattern in ("*.csv", "annotations/*.csv", "data/*.csv", "*/_annotations.csv", "*/annotations.csv",
                                 "*/labels.csv") for file in files_in(root, pattern)]  # fmt: skip


def _names_in(root: Path, file: Path) -> set[str]:
    """The classes of the tables of all splits."""
    others = [first_file(root, PLACES, [split]) for split in SPLITS]
    files = {file, *(other for other in others if other is not None)}
    return {thing.name for one in files for inside in _things_in(one)[0].values() for thing in inside}


def _things_in(file: Path) -> tuple[dict[str, list[Thing]], dict[str, tuple[int, int]], str]:
    """`{path: objects}`, `{path: (height, width)}` of the pictures of which the table says it, and the convention."""
    rows = read_csv(file, "")
    if not rows:
        raise DataError(f"{file}: is empty: expected a row per object")
    header = _header_of(rows[0][1], f"{file}, line {rows[0][0]}")
    count = len(rows[0][1])
    if header is not PLAIN:
        rows = rows[1:]
    things: dict[str, list[Thing]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for line, cells in rows:
        where = f"{file}, line {line}"
        _check_count(cells, header, count, where)
        path = as_path(cells[header.file])
        inside = things.setdefault(path, [])
        if header.size and all(is_number(cells[i]) and float(cells[i]) >= 1 for i in header.size):
            sizes[path] = (int(float(cells[header.size[0]])), int(float(cells[header.size[1]])))
        if any(cells[i] for i in (header.name, *header.numbers)):
            inside.append(_thing(cells, header, where))
    return things, sizes, header.convention


def _check_count(cells: list[str], header: _Header, count: int, where: str) -> None:
    if len(cells) != count:
        raise DataError(f"{where}: {len(cells)} columns, expected {count}: cut short, or a comma too many?")
    if not cells[header.file]:
        raise DataError(f"{where}: names no picture")


def _thing(cells: list[str], header: _Header, where: str) -> Thing:
    if not cells[header.name]:
        raise DataError(f"{where}: has a box without a class")
    numbers = [parsed([cells[i]], where, first=i + 1)[0] for i in header.numbers]
    return Thing(where, cells[header.name], tuple(map(float, numbers)))


def _header_of(cells: list[str], where: str) -> _Header:
    if len(cells) == 6 and (all(map(is_number, cells[1:5])) or not any(cells[1:])):
        return PLAIN
    columns: Mapping[str, int] = {cell.lower().replace(" ", "_"): i for i, cell in enumerate(cells)}
    file = next((columns[word] for word in FILE if word in columns), None)
    name = next((columns[word] for word in CLASS if word in columns), None)
    corners = next((words for words in CORNERS if all(word in columns for word in words)), None)
    sides = next((words for words in SIDES if all(word in columns for word in words)), None)
    words = corners or sides
    if file is None or name is None or words is None:
        raise DataError(
            f"{where}: columns {', '.join(cells)}: expected filename, class, xmin, ymin, xmax, ymax (or x, y, w, h), "
            "or no header and path, left, top, right, bottom, class"
        )
    sizes = [pair for pair in SIZES if all(word in columns and word not in words for word in pair)]
    size = (columns[sizes[0][0]], columns[sizes[0][1]]) if sizes else None
    return _Header(file, name, tuple(columns[word] for word in words), XYXY if corners else XYWH, size)

"""What the sets of faces share: the official csv, by position of its columns, and mmpose's json of the same content."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo
from hrnet_keras.datasets.point_files import (
    is_number,
    keypoints_of,
    number_of,
    numbers,
    parsed,
    read_coco,
    read_csv,
    value_of,
)
from hrnet_keras.datasets.points import (
    Instance,
    PointSet,
    centers_and_scales,
    point_set,
    rows_of,
    square_box,
    tight_boxes,
)
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath

CSV_PAGE = "the page of github.com/HRNet/HRNet-Facial-Landmark-Detection"
JSON_PAGE = "the data set page of mmpose's documentation"


def face_info(name: str, normaliser: tuple[int, int] | str, source: str) -> DatasetInfo:
    """The `DatasetInfo` of a published set of faces; `normaliser` as there. All four are for research only."""
    return replace(published_info(name), metric="nme", normaliser=normaliser, source=source, terms="research only")


def annotation_file(
    name: str, split: str, root: FilePath | None, splits: dict[str, str]
) -> tuple[str, Path, Path | None]:
    """The official csv of a split, or else mmpose's json.

    Args:
        name: of the set, as the files spell it.
        split: asked for: a key of `splits`, or how the files spell it.
        root: folder of the set.
        splits: `{split: how the files spell it}`.

    Returns:
        The split's key, the folder, and the path: `<root>/face_landmarks_<name>_<split>.csv` or
        `<root>/annotations/face_landmarks_<name>_<split>.json`; `None` where neither is there.

    Raises:
        ValueError: unknown split; `DataError` without `root`.
    """
    split = next((key for key, spelt in splits.items() if split in (key, spelt)), split)
    if split not in splits:
        raise ValueError(f"split={split!r}: {name} has {', '.join(map(repr, splits))}")
    if root is None:
        raise DataError(f"{name} is read from files: expected root, the folder that holds images/ and its annotations")
    folder = Path(root)
    stem = f"face_landmarks_{name}_{splits[split]}"
    files = (folder / f"{stem}.csv", folder / "annotations" / f"{stem}.json")
    return split, folder, next((file for file in files if file.is_file()), None)


def open_faces(
    info: DatasetInfo, split: str, root: FilePath | None, splits: dict[str, str], *, partial: bool = False,
    sized: bool = False,
) -> PointSet:  # fmt: skip
    """Opens a split of 300W, WFLW or AFLW from its csv or json; pictures are relative to `<root>/images`.

    `boxes` are the squares of centre and scale; every face of the csv has all its points labelled (1).

    Args:
        info: of the set; its `point_names` say how many points a face has.
        split, root, splits: as in `annotation_file`.
        partial: takes the pictures that are there.
        sized: faces state the length that the metric divides by (AFLW).

    Raises:
        ValueError: unknown split; `DataError` where files are missing or broken.

    Source: columns of the csv files as the official facial-landmark repository reads them;
        keys of mmpose's json files.
    """
    split, top, file = annotation_file(info.name, split, root, splits)
    if file is None:
        stem = f"face_landmarks_{info.name}_{splits[split]}"
        raise DataError(
            f"{root}: holds neither {stem}.csv nor annotations/{stem}.json: unpack the annotations that {CSV_PAGE} or "
            f"{JSON_PAGE} links to there"
        )
    faces = _json_faces(file, len(info.point_names), sized)
    if file.suffix == ".csv":
        faces = _csv_faces(file, len(info.point_names), sized)
    archive = f"the pictures of {info.name}"
    folder = top / "images"
    return point_set(info, split, rows_of(faces), folder=folder, origin=file, archive=archive, partial=partial)


def face(
    where: str, picture: str, points: np.ndarray, visible: np.ndarray, center: Any, scale: float,
    size: float | None = None,
) -> Instance:  # fmt: skip
    """An `Instance` of a face with its square box; `DataError` where no point is labelled or the square is empty."""
    if not np.any(visible):
        raise DataError(f"{where}: no point is labelled: remove this face")
    if not scale > 0:
        raise DataError(f"{where}: scale {scale:g}: a box of no size; expected the face's side over 200 pixels")
    if size is not None and not size > 0:
        raise DataError(f"{where}: box size {size:g}: expected the side of the face's box in pixels")
    middle = (float(center[0]), float(center[1]))
    return Instance(picture, points, visible, square_box(middle, float(scale)), middle, float(scale), size)


def face_around(where: str, picture: str, points: np.ndarray, visible: np.ndarray) -> Instance:
    """A `face` of the tight box around its labelled points."""
    if not np.any(visible):
        raise DataError(f"{where}: no point is labelled: remove this face")
    (center,), (scale,) = centers_and_scales(tight_boxes(points[None], visible[None]))
    return face(where, picture, points, visible, center, scale)


def _csv_faces(file: Path, count: int, sized: bool) -> Iterator[Instance]:
    """Path, scale, [box size,] centre x, centre y, then the points: a row per face, below a header."""
    lead = 5 if sized else 4
    (_, header), *rows = read_csv(file, "unpack it again") or [(1, [])]
    if len(header) < 2 or is_number(header[1]):
        raise DataError(f"{file}: begins with {header[:1]}, a face or nothing: expected a header row, then the faces")
    for line, cells in rows:
        where = f"{file}, line {line}"
        if len(cells) != lead + 2 * count:
            raise DataError(
                f"{where}: {len(cells)} columns, expected {lead + 2 * count} ({lead} and x, y of {count} points): "
                "cut short, or of another set"
            )
        if not cells[0]:
            raise DataError(f"{where}: names no picture")
        values = parsed(cells[1:], where, first=2)
        size = float(values[1]) if sized else None
        points = values[lead - 1 :].reshape(count, 2)
        yield face(where, cells[0], points, np.ones(count, np.int8), values[lead - 3 : lead - 1], values[0], size)


def _json_faces(file: Path, count: int, sized: bool) -> Iterator[Instance]:
    """COCO's layout with `center`, `scale` and, for AFLW, `box_size`."""
    for picture, entry in read_coco(file, "unpack it again").pairs():
        where = f"{file}: annotation {entry.get('id')}"
        points, visible = keypoints_of(entry, count, where)
        center = numbers(value_of(entry, "center", where), 2, where, "center")
        size = number_of(entry, "box_size", where) if sized else None
        yield face(where, picture["file_name"], points, visible, center, number_of(entry, "scale", where), size)

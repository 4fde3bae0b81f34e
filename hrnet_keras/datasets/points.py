"""Pictures with annotated points: what the data sets of faces and persons have in common once their files are read.

An example is one picture; its arrays have a row per face or person. `points` float64 `(n, k, 2)` are `(x, y)` in
pixels of the picture; `visible` int8 `(n, k)` is 0 (not labelled), 1 (labelled) or 2 (labelled and seen), and whatever
is above 0 counts as labelled; `boxes` float64 `(n, 4)` are xyxy in pixels. Where the set states them: `centers` float64
`(n, 2)` and `scales` float64 `(n,)`, the square that the official reader crops, its side over 200 pixels and not yet
widened by 1.25; `sizes` float64 `(n,)`, the length that the set's metric divides by; `size`, the picture's
`(height, width)`.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets.dataset import Dataset, Example
from hrnet_keras.datasets.info import DatasetInfo
from hrnet_keras.datasets.point_files import as_path
from hrnet_keras.datasets.reading import DataError, ImageFile

Box = Sequence[float] | np.ndarray
Rows = dict[str, Example]


@dataclass(frozen=True)
class Instance:
    """One face or person of an annotation file.

    Attributes:
        picture: its file, as the annotation file names it.
        points: float64 `(k, 2)`, or `None` where only the box is known.
        visible: int8 `(k,)`, or `None`.
        box: xyxy in pixels.
        center: `(x, y)` of the official crop.
        scale: its side over 200 pixels.
        size: length that the metric divides by.
    """

    picture: str
    points: np.ndarray | None
    visible: np.ndarray | None
    box: tuple[float, float, float, float]
    center: tuple[float, float] | None = None
    scale: float | None = None
    size: float | None = None


class PointSet(Dataset):
    """One split of a data set with points.

    Args:
        info, split, names, image_files: as in `Dataset`.
        rows: annotations of every picture (see the module), in the same order.
        origin: file that they come from, for messages.
    """

    per_example = (*Dataset.per_example, "rows")

    def __init__(
        self, info: DatasetInfo, split: str, names: Iterable[str], image_files: Iterable[ImageFile],
        rows: Iterable[Example], origin: str | Path,
    ) -> None:  # fmt: skip
        super().__init__(info, split, names, image_files)
        self.origin = origin
        self.rows = tuple(rows)

    def annotations(self, i: int) -> Example:
        """What is known of picture `i` without its pixels: the words of the module, and `name`. Reads no file.

        The arrays are the caller's own.
        """
        return {**own_arrays(self.rows[i]), "name": self.names[i]}

    def check_fit(self, i: int, annotations: Example, size: tuple[int, int]) -> None:
        """Raises `DataError` where the annotations state another size, or a box lies outside the picture."""
        file: Any = self.names[i]
        if self.image_files:
            file = self.image_files[i]
        stated = annotations.get("size", size)
        if tuple(stated) != size:
            raise DataError(
                f"{file}: the picture is {size[1]}x{size[0]}, {self.origin} says {stated[1]}x{stated[0]} "
                "(width x height): the points would lie elsewhere; take the picture that was annotated"
            )
        for box in annotations["boxes"]:
            check_inside(box, size, f"{self.origin}: {file}")


def own_arrays(row: Example) -> Example:
    """A copy of what is known of a picture, whose arrays may be changed."""
    return {word: value.copy() if isinstance(value, np.ndarray) else value for word, value in row.items()}


def tight_boxes(points: Any, visible: Any) -> np.ndarray:
    """The boxes around labelled points, at whole pixels: the least coordinates rounded down, the greatest up.

    Args:
        points: `(n, k, 2)`.
        visible: `(n, k)`; every row has a point above 0.

    Returns:
        float64 `(n, 4)` xyxy.

    Source: the convention behind centre and scale of the official 300W and WFLW files, which COFW's official reader
        computes.
    """
    points = np.asarray(points, np.float64)
    labelled = np.asarray(visible)[..., None] > 0
    low = np.floor(np.where(labelled, points, np.inf).min(-2))
    high = np.ceil(np.where(labelled, points, -np.inf).max(-2))
    return np.concatenate([low, high], -1)


def centers_and_scales(boxes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Centre `(n, 2)` and longer side over 200 pixels `(n,)` of boxes `(n, 4)` xyxy, the official convention."""
    boxes = np.asarray(boxes, np.float64)
    return (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]).max(-1) / 200


def square_box(center: Sequence[float], scale: float) -> tuple[float, float, float, float]:
    """The square xyxy of side `200 * scale` pixels around `center` `(x, y)`."""
    x, y = center
    half = 100 * scale
    return x - half, y - half, x + half, y + half


def check_box(box: Box, where: str) -> None:
    """Raises `DataError` where a box xyxy has no area; `where` names file and line."""
    left, top, right, bottom = (float(edge) for edge in box)
    if not (right > left and bottom > top):
        raise DataError(
            f"{where}: the box {left:g}, {top:g}, {right:g}, {bottom:g} (left, top, right, bottom) has no area: "
            "correct it or leave this one out"
        )


def check_inside(box: Box, size: tuple[int, int], where: str) -> None:
    """Raises `DataError` where a box xyxy lies outside a picture of `size` `(height, width)`; `where` names it."""
    left, top, right, bottom = (float(edge) for edge in box)
    height, width = size
    if right < 0 or bottom < 0 or left > width or top > height:
        raise DataError(
            f"{where}: the box {left:g}, {top:g}, {right:g}, {bottom:g} (left, top, right, bottom) lies outside the "
            f"picture of {width}x{height}: correct it or leave this one out"
        )


def rows_of(instances: Iterable[Instance]) -> Rows:
    """`{picture: row}` of a list of `Instance`, in the order of their first appearance; rows as in the module.

    Pictures are written as paths everywhere are (`point_files.as_path`).
    """
    grouped: dict[str, list[Instance]] = {}
    for instance in instances:
        grouped.setdefault(as_path(instance.picture), []).append(instance)
    return {picture: _row(inside) for picture, inside in grouped.items()}


def _row(instances: list[Instance]) -> Example:
    row = {"boxes": np.array([instance.box for instance in instances], np.float64)}
    columns = (
        ("points", "points", np.float64), ("visible", "visible", np.int8), ("centers", "center", np.float64),
        ("scales", "scale", np.float64), ("sizes", "size", np.float64),
    )  # fmt: skip
    for word, attribute, dtype in columns:
        values = [getattr(instance, attribute) for instance in instances]
        if all(value is not None for value in values):
            row[word] = np.array(values, dtype)
    return row


def point_set(
    info: DatasetInfo, split: str, rows: Rows, *, folder: str | Path, origin: Path, archive: str,
    partial: bool = False,
) -> PointSet:  # fmt: skip
    """The `PointSet` of annotated pictures; what lacks is said with its remedy.

    Args:
        info, split: as in `Dataset`.
        rows: `{picture: row}`; pictures are paths relative to `folder`.
        folder: where the pictures should lie.
        origin: the annotation file.
        archive: which archive to unpack, for the message.
        partial: takes the pictures that are there.

    Raises:
        DataError: nothing annotated, or a picture is absent (with `partial`: all are).
    """
    folder = Path(folder)
    if not rows:
        raise DataError(f"{origin}: annotates nothing of use: expected at least one picture with points")
    absent = set(absent_files(folder, rows))
    if absent and (not partial or len(absent) == len(rows)):
        first = next(picture for picture in rows if picture in absent)
        rest = ", or take what is there with the option partial: true"
        if partial:
            rest = ""
        raise DataError(
            f"{folder / first}: no such file, one of {len(absent)} absent of the {len(rows)} pictures that "
            f"{os.path.basename(origin)} names: unpack {archive} there{rest}"
        )
    there = {picture: row for picture, row in rows.items() if picture not in absent}
    files = [folder / picture for picture in there]
    return PointSet(info, split, names_of(there), files, there.values(), origin)


def absent_files(folder: Path, files: Iterable[str]) -> Iterator[str]:
    """Those of the relative paths `files` that `folder` lacks; every folder is listed once, which asks far less."""
    listed: dict[str, set[str]] = {}
    for file in files:
        inner, name = os.path.split(file)
        if inner not in listed:
            path = folder / inner
            listed[inner] = set(os.listdir(path)) if path.is_dir() else set()
        if name not in listed[inner]:
            yield file


def names_of(files: Iterable[str]) -> list[str]:
    """Names of pictures: their relative paths without suffix, or with it where that would name two alike."""
    paths = [Path(file) for file in files]
    stems = [path.with_suffix("").as_posix() for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    return [path.as_posix() for path in paths]

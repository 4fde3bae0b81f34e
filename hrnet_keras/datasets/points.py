"""Pictures with annotated points: what the data sets of faces and persons have in common once their files are read.

An example is one picture; its arrays have a row per face or person. `points` float64 `(n, k, 2)` are `(x, y)` in
pixels of the picture; `visible` int8 `(n, k)` is 0 (not labelled), 1 (labelled) or 2 (labelled and seen), and whatever
is above 0 counts as labelled; `boxes` float64 `(n, 4)` are xyxy in pixels. Where the set states them: `centers` float64
`(n, 2)` and `scales` float64 `(n,)`, the square that the official reader crops, its side over 200 pixels and not yet
widened by 1.25; `sizes` float64 `(n,)`, the length that the set's metric divides by; `size`, the picture's
`(height, width)`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError, Dataset
from hrnet_keras.datasets.point_files import as_path
from hrnet_keras.datasets.reading import read_image


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

    def __init__(self, info, split, names, image_files, rows, origin):
        super().__init__(info, split, names, image_files)
        self.origin = origin
        self.rows = tuple(rows)

    def annotations(self, i):
        """What is known of picture `i` without its pixels: the words of the module, and `name`. Reads no file.

        The arrays are the caller's own.
        """
        row = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in self.rows[i].items()}
        return row | {"name": self.names[i]}

    def image(self, i):
        """Picture `i`, uint8 RGB `(height, width, 3)`; raises `DataError` where its file is broken."""
        return read_image(self.image_files[i])

    def example(self, i):
        """`annotations(i)` and `image`.

        Raises:
            DataError: the picture is missing or broken, is of another size than the annotations state, or a box lies
                outside of it.
        """
        example, image = self.annotations(i), self.image(i)
        file = self.image_files[i] if self.image_files else self.names[i]
        height, width = image.shape[:2]
        stated = tuple(example.get("size", (height, width)))
        if stated != (height, width):
            raise DataError(
                f"{file}: the picture is {width}x{height}, {self.origin} says {stated[1]}x{stated[0]} "
                "(width x height): the points would lie elsewhere; take the picture that was annotated"
            )
        for box in example["boxes"]:
            check_inside(box, (height, width), f"{self.origin}: {file}")
        return {**example, "image": image}


def tight_boxes(points, visible):
    """The boxes around labelled points, at whole pixels: the least coordinates rounded down, the greatest up.

    Args:
        points: `(n, k, 2)`.
        visible: `(n, k)`; every row has a point above 0.

    Returns:
        float64 `(n, 4)` xyxy.

    Source: the convention behind centre and scale of the official 300W and WFLW files, which COFW's official reader
        computes.
    """
    points, labelled = np.asarray(points, np.float64), np.asarray(visible)[..., None] > 0
    low = np.floor(np.where(labelled, points, np.inf).min(-2))
    high = np.ceil(np.where(labelled, points, -np.inf).max(-2))
    return np.concatenate([low, high], -1)


def centers_and_scales(boxes):
    """Centre `(n, 2)` and longer side over 200 pixels `(n,)` of boxes `(n, 4)` xyxy, the official convention."""
    boxes = np.asarray(boxes, np.float64)
    return (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]).max(-1) / 200


def square_box(center, scale):
    """The square xyxy of side `200 * scale` pixels around `center` `(x, y)`."""
    (x, y), half = center, 100 * scale
    return x - half, y - half, x + half, y + half


def check_box(box, where):
    """Raises `DataError` where a box xyxy has no area; `where` names file and line."""
    left, top, right, bottom = (float(edge) for edge in box)
    if not (right > left and bottom > top):
        raise DataError(
            f"{where}: the box {left:g}, {top:g}, {right:g}, {bottom:g} (left, top, right, bottom) has no area: "
            "correct it or leave this one out"
        )


def check_inside(box, size, where):
    """Raises `DataError` where a box xyxy lies outside a picture of `size` `(height, width)`; `where` names it."""
    (left, top, right, bottom), (height, width) = (float(edge) for edge in box), size
    if right < 0 or bottom < 0 or left > width or top > height:
        raise DataError(
            f"{where}: the box {left:g}, {top:g}, {right:g}, {bottom:g} (left, top, right, bottom) lies outside the "
            f"picture of {width}x{height}: correct it or leave this one out"
        )


def rows_of(instances):
    """`{picture: row}` of a list of `Instance`, in the order of their first appearance; rows as in the module.

    Pictures are written as paths everywhere are (`point_files.as_path`).
    """
    grouped = {}
    for instance in instances:
        grouped.setdefault(as_path(instance.picture), []).append(instance)
    return {picture: _row(inside) for picture, inside in grouped.items()}


def _row(instances):
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


def point_set(info, split, rows, *, folder, origin, archive, partial=False):
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
        rest = "" if partial else ", or take what is there with the option partial: true"
        raise DataError(
            f"{folder / first}: no such file, one of {len(absent)} absent of the {len(rows)} pictures that "
            f"{os.path.basename(origin)} names: unpack {archive} there{rest}"
        )
    there = {picture: row for picture, row in rows.items() if picture not in absent}
    files = [folder / picture for picture in there]
    return PointSet(info, split, names_of(there), files, there.values(), origin)


def absent_files(folder, files):
    """Those of the relative paths `files` that `folder` lacks; every folder is listed once, which asks far less."""
    listed = {}
    for file in files:
        inner, name = os.path.split(file)
        if inner not in listed:
            place = os.path.join(folder, inner)
            listed[inner] = set(os.listdir(place)) if os.path.isdir(place) else set()
        if name not in listed[inner]:
            yield file


def names_of(files):
    """Names of pictures: their relative paths without suffix, or with it where that would name two alike."""
    stems = [Path(file).with_suffix("").as_posix() for file in files]
    return stems if len(set(stems)) == len(stems) else [Path(file).as_posix() for file in files]

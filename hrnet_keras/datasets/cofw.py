"""COFW, 29 points: faces behind hands, hair and glasses, every point marked as seen or hidden (Burgos-Artizzu 2013)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo
from hrnet_keras.datasets.faces import JSON_PAGE, face, face_around, face_info
from hrnet_keras.datasets.point_files import keypoints_of, read_coco, size_of, xywh_of
from hrnet_keras.datasets.points import Instance, PointSet, centers_and_scales, check_box, point_set, rows_of
from hrnet_keras.datasets.reading import FilePath

TEST_SPLIT = "test"  # that published scores are of
OUTER_EYE_CORNERS = (8, 9)
COUNT = 29
# Names of the variables in the .mat files, and the number of a split's first face where both are counted through.
VARIABLES = {"train": ("IsTr", "phisTr", "bboxesTr", 1), "test": ("IsT", "phisT", "bboxesT", 1346)}
ARCHIVE = "COFW_color.zip (COFW_train_color.mat and COFW_test_color.mat)"


def load(split: str, root: FilePath | None = None, *, lineage: str = "official", partial: bool = False) -> PointSet:
    """Opens COFW at `<root>/COFW_{train,test}_color.mat`, pictures and all, or mmpose's conversion of them,
    `<root>/annotations/cofw_{train,test}.json` and `<root>/images`.

    The lineages number pixels and find faces differently, whichever file is read:

    | lineage | points | centre and scale | first choice |
    |---|---|---|---|
    | `"official"` | MATLAB's, the first pixel is 1 | tight box around the points | .mat |
    | `"mmlab"` | the first pixel is 0, never below | annotated box, cut at the picture's edge, its longer side | json |

    Args:
        split: `"train"` (1345 faces) or `"test"` (507).
        root: the folder.
        lineage: as above.
        partial: takes the pictures that are there, where not all are (json).

    Returns:
        A `PointSet` (see `hrnet_keras.datasets.points`); `visible` is 2 for points that are seen and 1 for hidden ones;
        `boxes` are the squares of centre and scale. Names are the numbers of mmpose's files (`000001`, ...).

    Raises:
        ValueError: unknown split or lineage; `DataError` where files are missing or broken, or h5py is.

    Source: the official facial-landmark repository's reader of COFW, which keeps MATLAB's coordinates; mmpose's
        conversion script, which subtracts 1 and numbers the pictures.
    """
    if split not in VARIABLES:
        raise ValueError(f"split={split!r}: cofw has {', '.join(map(repr, VARIABLES))}")
    if lineage not in ("official", "mmlab"):
        raise ValueError(f"lineage={lineage!r}: expected 'official' or 'mmlab'")
    if root is None:
        raise DataError("cofw is read from files: expected root, the folder that holds COFW_train_color.mat")
    info = face_info("cofw", OUTER_EYE_CORNERS, "data.caltech.edu/records/20099")
    info = replace(info, stretch_first=False, crop_box="cofw" if lineage == "mmlab" else "tight")
    file = _annotation_file(Path(root), split, lineage)
    if file.suffix == ".json":
        rows = rows_of(_json_faces(file, lineage))
        folder = Path(root) / "images"
        return point_set(info, split, rows, folder=folder, origin=file, archive="the pictures", partial=partial)
    return MatFile(info, split, file, lineage)


def _annotation_file(root: Path, split: str, lineage: str) -> Path:
    mat = root / f"COFW_{split}_color.mat"
    converted = root / "annotations" / f"cofw_{split}.json"
    files = [mat, converted]
    if lineage == "mmlab":
        files.reverse()
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise DataError(
            f"{root}: holds neither {mat.name} nor annotations/{converted.name}: unpack {ARCHIVE} there, or "
            f"convert them as {JSON_PAGE} says"
        )
    return file


class MatFile(PointSet):
    """Pictures and annotations inside one of COFW's .mat files, which are HDF5 with every array's axes reversed."""

    per_example = (*PointSet.per_example, "positions")

    def __init__(self, info: DatasetInfo, split: str, file: Path, lineage: str) -> None:
        self.file = file
        self.pictures, points, boxes, first = VARIABLES[split]
        with _opened(file) as store:
            faces = list(_mat_faces(store, file, self.pictures, points, boxes, first, lineage))
        if not faces:
            raise DataError(f"{file}: holds no faces: unpack {ARCHIVE} again")
        rows = rows_of(faces)
        self.positions = tuple(range(len(rows)))
        super().__init__(info, split, tuple(rows), (), rows.values(), file)

    def image(self, i: int) -> np.ndarray:
        """Picture `i`, uint8 RGB `(height, width, 3)`; grey ones are widened. Raises `DataError` where it is broken."""
        try:
            with _opened(self.file) as store:
                image = store[store[self.pictures][()].ravel()[self.positions[i]]][()].T  # stored (3, width, height)
        except (OSError, KeyError, RuntimeError) as error:
            raise DataError(f"{self.file}: picture {self.names[i]} cannot be read ({error})") from error
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise DataError(
                f"{self.file}: picture {self.names[i]} is {image.dtype} {image.shape}: expected uint8, grey or RGB"
            )
        return np.ascontiguousarray(image)


def _opened(file: Path) -> Any:
    try:
        import h5py
    except ImportError:
        raise DataError(f"{file}: reading it needs h5py: pip install h5py") from None
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise DataError(f"{file}: cut short or no MATLAB 7.3 file ({error}): unpack {ARCHIVE} again") from error


def _mat_faces(
    store: Any, file: Path, pictures: str, points: str, boxes: str, first: int, lineage: str
) -> Iterator[Instance]:
    absent = [name for name in (pictures, points, boxes) if name not in store]
    if absent:
        raise DataError(f"{file}: has no variable {absent[0]}: expected {pictures}, {points} and {boxes}, as published")
    references, marks, corners = (store[name][()] for name in (pictures, points, boxes))
    count = references.size
    if marks.shape != (3 * COUNT, count) or corners.shape != (4, count):
        raise DataError(
            f"{file}: {count} pictures, {points} {marks.shape}, {boxes} {corners.shape} (axes reversed): expected "
            f"({3 * COUNT}, {count}) and (4, {count})"
        )
    for i, (mark, xywh, reference) in enumerate(zip(marks.T, corners.T, references.ravel(), strict=True)):
        name = f"{first + i:06}"
        where = f"{file}: face {name}"
        if not np.isfinite(mark).all() or not set(mark[2 * COUNT :]) <= {0, 1}:
            raise DataError(f"{where}: its points are no finite numbers, or its occlusion flags not 0 or 1")
        # The file marks what is hidden with 1; here 2 is seen and 1 hidden, as in COCO.
        visible = (2 - mark[2 * COUNT :]).astype(np.int8)
        xy = mark[: 2 * COUNT].reshape(2, COUNT).T.astype(np.float64)
        if lineage == "official":
            yield face_around(where, name, xy, visible)
        else:
            size = store[reference].shape[:-3:-1]
            # mmpose counts from 0, where MATLAB counts from 1, and bounds by 0.
            yield _boxed_face(where, name, np.maximum(xy - 1, 0), visible, np.maximum(xywh, 0), size)


def _json_faces(file: Path, lineage: str) -> Iterator[Instance]:
    for picture, entry in read_coco(file, f"convert {ARCHIVE} as {JSON_PAGE} says").pairs():
        where = f"{file}: annotation {entry.get('id')}"
        name = picture["file_name"]
        points, visible = keypoints_of(entry, COUNT, where)
        if lineage == "official":
            yield face_around(where, name, points + 1, visible)
        else:
            yield _boxed_face(where, name, points, visible, xywh_of(entry, where), size_of(picture, where))


def _boxed_face(
    where: str, picture: str, points: np.ndarray, visible: np.ndarray, xywh: Any, size: tuple[int, int]
) -> Instance:
    """A face of its annotated box, cut at the edge of the picture of `size` `(height, width)`."""
    left, top, wide, high = xywh
    edges = np.array([left, top, left + wide, top + high], np.float64)
    # mmpose cuts boxes at the last pixel, one short of the edge.
    box = np.clip(edges, 0, np.tile(np.array(size[::-1]) - 1, 2))
    check_box(box, where)
    (center,), (scale,) = centers_and_scales(box[None])
    return face(where, picture, points, visible, center, scale)

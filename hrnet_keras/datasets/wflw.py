"""WFLW, 98 points: faces of WIDER FACE with six kinds of difficulty marked (Wu et al., CVPR 2018)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.faces import annotation_file, face_around, face_info, open_faces
from hrnet_keras.datasets.point_files import parsed
from hrnet_keras.datasets.points import Instance, PointSet, check_box, point_set, rows_of
from hrnet_keras.datasets.reading import FilePath
from hrnet_keras.datasets.text import read_text

# The six subsets of the test faces, in the order of the flags in the raw lists.
SUBSETS = ("largepose", "expression", "illumination", "makeup", "occlusion", "blur")
SPLITS = {"train": "train", "test": "test"} | {name: f"test_{name}" for name in SUBSETS}
TEST_SPLIT = "test"  # that published scores are of
OUTER_EYE_CORNERS = (60, 72)
COUNT = 98
RAW = "list_98pt_rect_attr_train_test"


def load(split: str, root: FilePath | None = None, *, partial: bool = False) -> PointSet:
    """Opens WFLW from the first of these that is there; pictures lie in `<root>/images` or `<root>/WFLW_images`.

    `<root>/face_landmarks_wflw_*.csv` (the official repository's files), `<root>/annotations/face_landmarks_wflw_*`
    `.json` (mmpose's), or the lists of WFLW_annotations.tar.gz, whose flags give the subsets, as they unpack:
    `<root>/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{train,test}.txt`.

    Args:
        split: `"train"` (7500 faces), `"test"` (2500), or a part of the test faces: `"largepose"` (326), `"expression"`
            (314), `"illumination"` (698), `"makeup"` (206), `"occlusion"` (736), `"blur"` (773).
        root: the folder.
        partial: takes the pictures that are there, where not all are.

    Returns:
        A `PointSet` (see `hrnet_keras.datasets.points`): all points labelled alike; centre and scale are those of the
        tight box around them, whichever file they come from.

    Raises:
        ValueError: unknown split; `DataError` where files are missing or broken.

    Source: file names and columns of the official facial-landmark repository; format of the lists as in WFLW's read-me.
    """
    info = face_info("wflw", OUTER_EYE_CORNERS, "wywu.github.io/projects/LAB/WFLW.html")
    split, top, file = annotation_file("wflw", split, root, SPLITS)
    raw = None
    if file is None:
        raw = _raw_list(top, "train" if split == "train" else "test")
    if raw is None:
        return open_faces(info, split, root, SPLITS, partial=partial)
    flag = SUBSETS.index(split) if split in SUBSETS else None
    rows = rows_of(_listed_faces(raw, flag))
    folder = next((top / name for name in ("WFLW_images", "images") if (top / name).is_dir()), top)
    return point_set(info, split, rows, folder=folder, origin=raw, archive="WFLW_images.tar.gz", partial=partial)


def _raw_list(root: Path, part: str) -> Path | None:
    name = f"list_98pt_rect_attr_{part}.txt"
    files = (root / "WFLW_annotations" / RAW / name, root / RAW / name, root / name)
    return next((file for file in files if file.is_file()), None)


def _listed_faces(file: Path, flag: int | None) -> Iterator[Instance]:
    """Faces of a raw list: 196 coordinates, box xyxy, six flags, path; where `flag` is a number, those that have it."""
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        cells = line.split(maxsplit=2 * COUNT + 10)
        if len(cells) != 2 * COUNT + 11:
            raise DataError(
                f"{where}: {len(cells)} columns, expected 207 (x, y of 98 points, box, 6 flags, path): cut short?"
            )
        values = parsed(cells[: 2 * COUNT + 4], where)
        flags = cells[2 * COUNT + 4 : 2 * COUNT + 10]
        if not set(flags) <= {"0", "1"}:
            raise DataError(f"{where}: flags {' '.join(flags)}: expected six of 0 or 1")
        check_box(values[2 * COUNT :], where)
        if flag is None or flags[flag] == "1":
            points = values[: 2 * COUNT].reshape(COUNT, 2)
            yield face_around(where, cells[-1].strip(), points, np.ones(COUNT, np.int8))

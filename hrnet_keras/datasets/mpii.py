"""MPII Human Pose, 16 points: people in everyday activities (Andriluka et al., CVPR 2014)."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hrnet_keras.datasets import DataError, DatasetInfo
from hrnet_keras.datasets.point_files import number_of, numbers, read_json, value_of
from hrnet_keras.datasets.points import Instance, PointSet, point_set, rows_of, square_box
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.reading import FilePath

COUNT = 16
UPPER_BODY = tuple(range(7, 16))  # the official pose repository's reader
# Names of a split's file: the official repository's in annot/, mmpose's in annotations/.
FILES = {"train": ("train", "mpii_train"), "valid": ("valid", "mpii_val"),
         "trainval": ("trainval", "mpii_trainval"), "test": ("test", "mpii_test")}  # fmt: skip
TEST_SPLIT = "valid"  # that published scores are of
HEADS = ("gt_valid.mat", "mpii_gt_val.mat")
CROP_DROP = 15.0  # pixels per unit of scale: the official reader's, so that the feet are in the crop
HEAD_SHARE = 0.6  # of the diagonal of the head's box: what MPII's evaluation calls the length of the head


def load(split: str, root: FilePath | None = None, *, partial: bool = False) -> PointSet:
    """Opens MPII at `<root>/images` and `<root>/annot/{train,valid,trainval,test}.json` (the official repository's) or
    `<root>/annotations/mpii_{train,val,trainval,test}.json` (mmpose's, the same content).

    The files count pixels from 1; `points`, `centers` and `boxes` here count from 0. Centre and scale are otherwise
    those of the file: the official reader's further steps (centre down by 15 times the scale, scale times 1.25; neither
    where the file has no centre, -1, which is -2 here) are the pipeline's. (mmpose trains on points left 1-based, and
    adds 1 to its net's answers before it compares them with 1-based truth: the same errors as here.)

    Args:
        split: `"train"`, `"valid"` (also `"val"`), `"trainval"` or `"test"`, which has centres and scales only.
        root: the folder.
        partial: takes the pictures that are there, where not all are.

    Returns:
        A `PointSet` (see `hrnet_keras.datasets.points`), without `points` and `visible` for test. `visible` is 0 or 1;
        `boxes` are the squares of centre and scale. Where `gt_valid.mat` (mmpose: `mpii_gt_val.mat`) lies beside the
        json, the split `"valid"` takes points and what is missing from there, as the official evaluation does, and has
        `sizes`: 0.6 of the diagonal of the head's box.

    Raises:
        ValueError: unknown split; `DataError` where files are missing or broken, or SciPy is.

    Source: the official pose repository's reader and evaluation of MPII.
    """
    if split == "val":
        split = "valid"
    if split not in FILES:
        raise ValueError(f"split={split!r}: mpii has {', '.join(map(repr, FILES))}")
    if root is None:
        raise DataError("mpii is read from files: expected root, the folder that holds annot/ and images/")
    official, other = FILES[split]
    files = (Path(root) / "annot" / f"{official}.json", Path(root) / "annotations" / f"{other}.json")
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise DataError(
            f"{root}: holds neither annot/{official}.json nor annotations/{other}.json: unpack the annotations that "
            "the page of github.com/leoxiaobin/deep-high-resolution-net.pytorch links to there"
        )
    persons = _persons(file, pointed=split != "test")
    truth = next((file.parent / name for name in HEADS if (file.parent / name).is_file()), None)
    if split == "valid" and truth is not None:
        persons = _scored(persons, truth, file)
    archive = "mpii_human_pose_v1.tar.gz"
    folder = Path(root) / "images"
    return point_set(mpii_info(), split, rows_of(persons), folder=folder, origin=file, archive=archive, partial=partial)


def mpii_info() -> DatasetInfo:
    """The `DatasetInfo` of MPII."""
    return replace(
        published_info("mpii"), metric="pckh", upper_body=UPPER_BODY, crop_drop=CROP_DROP,
        source="human-pose.mpi-inf.mpg.de", terms="Simplified BSD",
    )  # fmt: skip


def _persons(file: Path, pointed: bool) -> list[Instance]:
    whole = read_json(file, "unpack it again")
    if not isinstance(whole, list):
        raise DataError(f"{file}: expected a list of persons with image, center, scale, joints and joints_vis")
    persons = []
    for i, entry in enumerate(whole):
        where = f"{file}: person [{i}]"
        picture = value_of(entry, "image", where)
        if not isinstance(picture, str) or not picture:
            raise DataError(f"{where}: image {picture!r}: expected the name of a picture")
        # MPII counts from 1.
        center = tuple(numbers(value_of(entry, "center", where), 2, where, "center") - 1)
        scale = number_of(entry, "scale", where)
        if not scale > 0:
            raise DataError(f"{where}: scale {scale:g}: a box of no size; expected the person's height over 200 pixels")
        points = visible = None
        if pointed:
            points, visible = _joints(entry, where)
        persons.append(Instance(picture, points, visible, square_box(center, scale), center, scale))
    return persons


def _joints(entry: dict, where: str) -> tuple[np.ndarray, np.ndarray]:
    joints = value_of(entry, "joints", where)
    if not isinstance(joints, list) or len(joints) != COUNT:
        raise DataError(f"{where}: expected {COUNT} joints")
    seen = numbers(value_of(entry, "joints_vis", where), COUNT, where, "joints_vis")
    if not set(seen) <= {0, 1}:
        raise DataError(f"{where}: joints_vis: expected 0 or 1 each")
    points = np.array([numbers(joint, 2, where, f"joint {j}") for j, joint in enumerate(joints)])
    return _zero_based(points, seen), seen.astype(np.int8)


def _zero_based(points: np.ndarray, visible: np.ndarray) -> np.ndarray:
    return np.where(visible[:, None] > 0, points - 1, 0.0)


def _scored(persons: list[Instance], file: Path, origin: Path) -> list[Instance]:
    """The same persons with what the official evaluation compares with: points, what is missing, length of the head."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise DataError(f"{file}: reading it needs SciPy: pip install scipy") from None
    try:
        truth = loadmat(file)
        points, missing, heads = (truth[key] for key in ("pos_gt_src", "jnt_missing", "headboxes_src"))
    except Exception as error:  # SciPy raises OSError, ValueError, TypeError, zlib.error and more on broken files
        raise DataError(f"{file}: cannot be read ({type(error).__name__}: {error}): unpack it again") from error
    shapes = (points.shape, missing.shape, heads.shape)
    count = len(persons)
    if shapes != ((COUNT, 2, count), (COUNT, count), (2, 2, count)):
        raise DataError(
            f"{file}: pos_gt_src, jnt_missing and headboxes_src have shapes {shapes}: expected the {count} persons of "
            f"{origin} last; take both from one archive"
        )
    # `headboxes_src` holds two corners of the head's box for every person.
    sizes = HEAD_SHARE * np.linalg.norm(heads[1] - heads[0], axis=0)
    visible = (np.asarray(missing) == 0).astype(np.int8)
    scored = []
    for i, person in enumerate(persons):
        joints = _zero_based(points[..., i].astype(np.float64), visible[:, i])
        scored.append(replace(person, points=joints, visible=visible[:, i], size=float(sizes[i])))
    return scored

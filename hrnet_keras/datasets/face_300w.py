"""300W, 68 points: faces of AFW, HELEN, LFPW and IBUG, and the challenge's own (Sagonas et al., ICCVW 2013)."""

from hrnet_keras.datasets.faces import face_info, open_faces
from hrnet_keras.datasets.points import PointSet
from hrnet_keras.datasets.reading import FilePath

SPLITS = {
    "train": "train", "valid": "valid", "common": "valid_common", "challenge": "valid_challenge", "test": "test",
}  # fmt: skip
TEST_SPLIT = "valid"  # that published scores are of
OUTER_EYE_CORNERS = (36, 45)


def load(split: str, root: FilePath | None = None, *, partial: bool = False) -> PointSet:
    """Opens 300W at `<root>/images` and `<root>/face_landmarks_300w_*.csv` (the official repository's files) or else
    `<root>/annotations/face_landmarks_300w_*.json` (mmpose's).

    Args:
        split: `"train"` (3148 faces), `"valid"` (689, of which `"common"` 554 and `"challenge"` 135) or `"test"` (600).
        root: the folder.
        partial: takes the pictures that are there, where not all are.

    Returns:
        A `PointSet` (see `hrnet_keras.datasets.points`): all points labelled alike; centre and scale are those of the
        tight box around them.

    Raises:
        ValueError: unknown split; `DataError` where files are missing or broken.

    Source: file names and columns of the official facial-landmark repository; normaliser of its `compute_nme`.
    """
    info = face_info("300w", OUTER_EYE_CORNERS, "ibug.doc.ic.ac.uk/resources/300-W")
    return open_faces(info, split, root, SPLITS, partial=partial)

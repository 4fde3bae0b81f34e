"""AFLW, 19 points: faces of Flickr in all poses (Köstinger et al., ICCVW 2011), as the AFLW-19 protocol takes it."""

from dataclasses import replace

from hrnet_keras.datasets.faces import face_info, open_faces
from hrnet_keras.datasets.points import PointSet
from hrnet_keras.datasets.reading import FilePath

SPLITS = {"train": "train", "test": "test", "frontal": "test_frontal"}
TEST_SPLIT = "test"  # that published scores are of


def load(split: str, root: FilePath | None = None, *, partial: bool = False) -> PointSet:
    """Opens AFLW at `<root>/images` and `<root>/face_landmarks_aflw_*.csv` (the official repository's files) or else
    `<root>/annotations/face_landmarks_aflw_*.json` (mmpose's).

    Args:
        split: `"train"` (20,000 faces), `"test"` (4386) or `"frontal"`, a part of it.
        root: the folder.
        partial: takes the pictures that are there, where not all are.

    Returns:
        A `PointSet` (see `hrnet_keras.datasets.points`): all points labelled alike; `centers`, `scales` and `boxes` are
        those of the annotated square box of the face, `sizes` its side in pixels, which the metric divides by.

    Raises:
        ValueError: unknown split; `DataError` where files are missing or broken.

    Source: file names and columns of the official facial-landmark repository.
    """
    info = face_info("aflw", "size", "tugraz.at/institute/icg/research/team-bischof/lrs/downloads/aflw")
    info = replace(info, crop_box="aflw")
    return open_faces(info, split, root, SPLITS, partial=partial, sized=True)

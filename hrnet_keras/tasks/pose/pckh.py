"""Share of correct points of a body: within part of the head's length (MPII), or of the length of its box."""

import numpy as np

from hrnet_keras.tasks.finite import check_finite

# Rows of MPII's sixteen joints that make up its published columns; left and right count alike.
GROUPS = {
    "head": (9,), "shoulder": (12, 13), "elbow": (11, 14), "wrist": (10, 15), "hip": (2, 3), "knee": (1, 4),
    "ankle": (0, 5),
}  # fmt: skip
NOT_IN_THE_MEAN = (6, 7)  # pelvis and thorax
JOINTS = 16
HEADS = 0.5  # of the length that the set states, within which a joint is found
BOXES = 0.2  # of the box's longer side, within which a point is found


class Pckh:
    """Share of joints found within half of the head's length, per group of joints and in the mean over joints.

    The mean counts every labelled joint once, pelvis and thorax left out. What the official code prints as
    "Mean@0.1" is taken at 0.11, mmpose's "PCKh@0.1" at 0.10; both are here under what they are.

    Args:
        info: of the data set, which has MPII's sixteen joints in MPII's order.

    Raises:
        ValueError: another number of joints.

    Source: `evaluate` of the official pose repository's MPII data set; `MpiiPCKAccuracy` of mmpose.
    """

    main = "PCKh"

    def __init__(self, info):
        if len(info.point_names) != JOINTS:
            raise ValueError(
                f"data set {info.name!r} has {len(info.point_names)} points: PCKh groups the {JOINTS} joints of MPII"
            )
        self.errors = []
        self.labelled = []

    def update(self, result, example):
        """Adds the persons of one picture.

        Args:
            result: dict with `points` `(persons, 16, 2)` in pixels of the picture.
            example: dict with `points` of the same shape, `visible` `(persons, 16)`, `name`, and `sizes` `(persons,)`:
                0.6 of the diagonal of the head's box, in pixels.

        Raises:
            ValueError: other shapes, points that are no finite numbers, or no `sizes`; names the picture.
        """
        if "sizes" not in example:
            raise ValueError(
                f"{example['name']}: no sizes: PCKh needs every head's length, which MPII keeps in annot/gt_valid.mat"
            )
        errors, labelled = _errors(result, example, np.asarray(example["sizes"], np.float64))
        self.errors.append(errors)
        self.labelled.append(labelled)

    def result(self):
        """Returns a dict: the groups, `PCKh` (at 0.5), `PCKh@0.11`, `PCKh@0.10`, in percent; `persons`.

        A figure of joints that are labelled nowhere is 0.
        """
        errors = np.concatenate([np.zeros((0, JOINTS)), *self.errors])
        labelled = np.concatenate([np.zeros((0, JOINTS), bool), *self.labelled])
        return {**pckh(errors, labelled), "persons": len(errors)}


def pckh(errors, labelled):
    """The figures of `Pckh.result`, from errors over head lengths and which joints count, both `(persons, 16)`."""
    # The official code masks joints 6 and 7 (pelvis and thorax) in the mean.
    counted = np.delete(labelled, NOT_IN_THE_MEAN, axis=1)
    means = {limit: pck(np.delete(errors, NOT_IN_THE_MEAN, axis=1), counted, limit) for limit in (HEADS, 0.11, 0.10)}
    figures = {}
    for name, joints in GROUPS.items():
        sides = [pck(errors[:, one], labelled[:, one], HEADS) for one in joints if labelled[:, one].any()]
        figures[name] = float(np.mean(sides)) if sides else 0.0
    return {**figures, "PCKh": means[HEADS], "PCKh@0.11": means[0.11], "PCKh@0.10": means[0.10]}


class Pck:
    """Share of labelled points found within a fifth of the longer side of their person's box.

    Args:
        info: of the data set: `point_names`.
    """

    main = "PCK"

    def __init__(self, info):
        self.names = tuple(info.point_names)
        self.errors = []
        self.labelled = []

    def update(self, result, example):
        """Adds the persons of one picture.

        Args:
            result: dict with `points` `(persons, points, 2)` in pixels of the picture.
            example: dict with `points` of the same shape, `visible` `(persons, points)`, `boxes` `(persons, 4)` xyxy,
                and `name`.

        Raises:
            ValueError: other shapes, or points that are no finite numbers; names the picture.
        """
        boxes = np.asarray(example["boxes"], np.float64).reshape(-1, 4)
        errors, labelled = _errors(result, example, np.max(boxes[:, 2:] - boxes[:, :2], axis=1))
        if errors.shape[1] != len(self.names):
            raise ValueError(f"{example['name']}: {errors.shape[1]} points, the data set has {len(self.names)}")
        self.errors.append(errors)
        self.labelled.append(labelled)

    def result(self):
        """Returns a dict: `PCK` over all labelled points and `points`, per name, in percent; `persons`.

        A figure of points that are labelled nowhere is 0.
        """
        errors = np.concatenate([np.zeros((0, len(self.names))), *self.errors])
        labelled = np.concatenate([np.zeros((0, len(self.names)), bool), *self.labelled])
        each = {name: pck(errors[:, i], labelled[:, i], BOXES) for i, name in enumerate(self.names)}
        return {"PCK": pck(errors, labelled, BOXES), "points": each, "persons": len(errors)}


def pck(errors, labelled, limit):
    """How many of the `labelled` have an error of at most `limit`, in percent; 0 where none is labelled."""
    return float(100 * np.sum((errors <= limit) & labelled) / max(1, np.sum(labelled)))


def _errors(result, example, lengths):
    """Distances over `lengths` `(persons,)`, and whether a point is labelled, both `(persons, points)`."""
    points = np.asarray(result["points"], np.float64)
    truth = np.asarray(example["points"], np.float64)
    labelled = np.asarray(example["visible"]) > 0
    if points.shape != truth.shape or labelled.shape != truth.shape[:2] or lengths.shape != truth.shape[:1]:
        raise ValueError(
            f"{example['name']}: the answer's points have shape {points.shape}, the truth's {truth.shape}, its visible "
            f"{labelled.shape}, and there are {lengths.size} lengths: expected (persons, points, 2) twice, (persons, "
            "points) and one length per person"
        )
    check_finite(example["name"], points=points)
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing is near in lengths of 0
        return np.linalg.norm(points - truth, axis=-1) / lengths[:, None], labelled

"""Normalised mean error of facial landmarks, with failure rates and the area under the error curve, in percent."""

import numpy as np

from hrnet_keras.tasks.finite import check_finite

FAILURES = (0.08, 0.10)  # normalised errors above which a face counts as failed, in the official code
AREA_UP_TO = 0.08  # normalised error up to which the area under the curve is taken, arXiv:1904.04514, table 300W test


class Metric:
    """Errors of faces, each divided by a length of that face: between two of its points, or one that the set states.

    The error of a face is the mean over its labelled points; the official figure is the mean over faces, mmpose's the
    mean over the labelled points of all faces at once, and the two agree where every face is labelled fully. A face
    whose length is 0 (or hangs on a point that is not labelled) or that has no labelled point has no error and is left
    out.

    Args:
        info: of the data set: `normaliser`, two indices of points or `"size"`.

    Raises:
        ValueError: no such `normaliser`.

    Source: `compute_nme` and `FR` of the official facial-landmark repository; `NME` of mmpose.
    """

    main = "NME"  # the figure that decides which model is kept
    lower_is_better = True

    def __init__(self, info):
        pair = info.normaliser
        if pair != "size" and (isinstance(pair, str) or len(pair) != 2 or min(pair) < 0 or pair[0] == pair[1]):
            raise ValueError(f"data set {info.name!r}: normaliser={pair!r}: expected two indices of points or 'size'")
        self.normaliser = pair
        self.errors = []
        self.labelled = []

    def update(self, result, example):
        """Adds the faces of one picture.

        Args:
            result: dict with `points` `(faces, points, 2)` in pixels of the picture.
            example: dict with `points` of the same shape, `visible` `(faces, points)`, `name`, and `sizes` `(faces,)`
                in pixels where the normaliser is `"size"`.

        Raises:
            ValueError: other shapes, points that are no finite numbers, a normaliser beyond the points, or no `sizes`;
                names the picture.
        """
        points = np.asarray(result["points"], np.float64)
        truth = np.asarray(example["points"], np.float64)
        labelled = np.asarray(example["visible"]) > 0
        if points.shape != truth.shape or labelled.shape != truth.shape[:2]:
            raise ValueError(
                f"{example['name']}: the answer's points have shape {points.shape}, the truth's {truth.shape} and its "
                f"visible {labelled.shape}: expected (faces, points, 2) twice and (faces, points)"
            )
        check_finite(example["name"], points=points)
        lengths = _lengths(truth, labelled, self.normaliser, example)
        usable = (lengths > 0) & labelled.any(1)
        self.errors.extend(normalised_errors(points[usable], truth[usable], lengths[usable]))
        self.labelled.extend(labelled[usable])

    def result(self):
        """Returns a dict.

        `NME`, `FR@0.08`, `FR@0.10` (shares of faces above that error), `AUC@0.08` and `NME_points` (mmpose's) in
        percent, NaN without a face; `faces`, how many were counted.
        """
        if not self.errors:
            names = ("NME", *(f"FR@{limit:.2f}" for limit in FAILURES), f"AUC@{AREA_UP_TO:.2f}", "NME_points")
            return {**dict.fromkeys(names, float("nan")), "faces": 0}
        errors = np.stack(self.errors)
        labelled = np.stack(self.labelled)
        of_faces = face_errors(errors, labelled)
        return {
            "NME": 100 * float(of_faces.mean()),
            **{f"FR@{limit:.2f}": 100 * failure_rate(of_faces, limit) for limit in FAILURES},
            f"AUC@{AREA_UP_TO:.2f}": 100 * area_under_curve(of_faces, AREA_UP_TO),
            "NME_points": 100 * float(errors[labelled].mean()),
            "faces": len(of_faces),
        }


def normalised_errors(points, truth, lengths):
    """Distances between `points` and `truth` `(faces, points, 2)` over `lengths` `(faces,)` -> `(faces, points)`."""
    distances = np.linalg.norm(np.asarray(points, np.float64) - np.asarray(truth, np.float64), axis=-1)
    return distances / np.asarray(lengths, np.float64)[:, None]


def face_errors(errors, labelled):
    """Mean of every face's `errors` `(faces, points)` over its `labelled` points, of which it has one -> `(faces,)`."""
    return np.sum(errors * labelled, axis=1) / np.sum(labelled, axis=1)


def failure_rate(errors, limit):
    """Share of faces whose error (of `errors` `(faces,)`) is above `limit`, 0..1."""
    return float(np.mean(np.asarray(errors) > limit))


def area_under_curve(errors, limit):
    """Area under the curve "share of faces with an error of at most e", for e from 0 to `limit`, over `limit`: 0..1.

    The curve is a staircase, so its area is the mean of what every face leaves up to `limit`.
    """
    return float(np.mean(np.clip(limit - np.asarray(errors), 0, None)) / limit)


def table(result):
    """A result as readable text: a row per figure, in percent."""
    names = [name for name in result if name != "faces"]
    return "\n".join([*(f"{name:<10}  {result[name]:6.2f}" for name in names), f"({result['faces']} faces)"])


def _lengths(truth, labelled, normaliser, example):
    """What the errors of every face are divided by `(faces,)`; 0 where it cannot be told."""
    if normaliser == "size":
        if "sizes" not in example:
            raise ValueError(f"{example['name']}: no sizes: expected the length of every face that its errors are over")
        return np.asarray(example["sizes"], np.float64)
    first, second = normaliser
    if max(normaliser) >= truth.shape[1]:
        raise ValueError(
            f"{example['name']}: {truth.shape[1]} points: expected more than the normaliser's {normaliser}"
        )
    are_labelled = labelled[:, first] & labelled[:, second]
    return np.where(are_labelled, np.linalg.norm(truth[:, first] - truth[:, second], axis=-1), 0.0)

"""Random numbers that training cuts a picture by: one function per lineage and task.

Each takes the crop that evaluation would use and gives the one to train on. Nothing is cut here: the caller mirrors
picture, points and centre where `flip` says so, and then turns by `rotation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrnet_keras.tasks.keypoints.affine import UNIT, fix_aspect

HALF_BODY_POINTS = 8  # with more labelled points than these a body may be shown by halves
HALF_BODY_PADDING = 1.5


@dataclass(frozen=True)
class CropParams:
    """How a face or person is cut out of its picture.

    Attributes:
        center: float64 `(2,)` as (x, y) in pixels of the picture, not mirrored.
        scale: of the crop in units of 200 px, padding included: a number, or float64 `(2,)` (width, height).
        rotation: degrees, of the picture after mirroring.
        flip: whether the picture is mirrored.
    """

    center: np.ndarray
    scale: np.ndarray | float
    rotation: float
    flip: bool


def official_landmark(
    rng: np.random.Generator, center: Any, scale: float, *, scaling: float = 0.25, rotation: float = 30.0,
    flip_prob: float = 0.5,
) -> CropParams:  # fmt: skip
    """The crop of a face as the official landmark code draws it: factors and turns of a range, all equally likely.

    Args:
        rng: `numpy.random.Generator`.
        center: (x, y) in pixels of the picture.
        scale: of the crop in units of 200 px, padding included.
        scaling: most by which the factor of the scale differs from 1.
        rotation: most degrees of a turn; 6 times in 10 there is any.
        flip_prob: how often the picture is mirrored.

    Returns:
        The parameters; their centre is the one given. The defaults are those of all four sets.

    Source: `__getitem__` of the official landmark data sets.
    """
    scale = scale * rng.uniform(1 - scaling, 1 + scaling)
    angle = 0.0
    # The turn is drawn after the choice: the order of the draws is the official code's.
    if rng.random() < 0.6:
        angle = rng.uniform(-rotation, rotation)
    return CropParams(np.array(center, np.float64), scale, angle, rng.random() < flip_prob)


def official_pose(
    rng: np.random.Generator, center: Any, scale: Any, points: np.ndarray, visible: np.ndarray, *,
    upper_body: Sequence[int], aspect_ratio: float, scaling: float = 0.35, rotation: float = 45.0,
    half_body: float = 0.3, flip_prob: float = 0.5,
) -> CropParams:  # fmt: skip
    """The crop of a person as the official pose code draws it.

    Args:
        rng: `numpy.random.Generator`.
        center: (x, y) in pixels of the picture.
        scale: (width, height) of the crop in units of 200 px, padding included.
        points: float `(k, 2)` as (x, y) in pixels of the picture.
        visible: `(k,)`, above 0 where the point is labelled.
        upper_body: indices of the points of the upper half; empty: no half bodies.
        aspect_ratio: width / height of the input.
        scaling: standard deviation of the factor around 1, and the most that it may differ from 1.
        rotation: standard deviation of the turns in degrees; the most is twice as much. 6 times in 10 there is any.
        half_body: how often a person of more than 8 labelled points is shown by halves.
        flip_prob: how often the picture is mirrored.

    Returns:
        The parameters. The defaults are those of COCO; MPII: `scaling=0.25, rotation=30, half_body=0`.

    Source: `__getitem__` of `JointsDataset` in the official pose code.
    """
    center = np.array(center, np.float64)
    scale = np.broadcast_to(np.asarray(scale, np.float64), 2)
    if _has_halves(visible, upper_body) and rng.random() < half_body:
        half = official_half_body(points, visible, upper_body, aspect_ratio, rng.standard_normal())
        center, scale = half or (center, scale)
    scale = scale * np.clip(rng.standard_normal() * scaling + 1, 1 - scaling, 1 + scaling)
    angle = 0.0
    if rng.random() < 0.6:
        # From a normal distribution cut at twice its deviation, as officially.
        angle = float(np.clip(rng.standard_normal() * rotation, -2 * rotation, 2 * rotation))
    return CropParams(center, scale, angle, rng.random() < flip_prob)


def official_half_body(
    points: np.ndarray, visible: np.ndarray, upper_body: Sequence[int], aspect_ratio: float, normal: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """The upper or lower half of a body.

    Args:
        points, visible, upper_body, aspect_ratio: as in `official_pose`.
        normal: one draw from the standard normal: below 0.5 the upper half is preferred, which is 0.69 of all.

    Returns:
        Centre and scale, float64 `(2,)` each, the latter with its padding of 1.5; None where fewer than two points
        would be shown, or all lie at one place.

    Source: `half_body_transform` of `JointsDataset` in the official pose code.
    """
    upper, lower = _halves(points, visible, upper_body)
    # The official code draws from a normal distribution here, where mmpose draws a uniform number.
    if normal < 0.5 and len(upper) > 2:
        chosen = upper
    else:
        chosen = lower if len(lower) > 2 else upper
    if len(chosen) < 2 or not np.ptp(chosen, axis=0).any():
        return None
    center, sides = _tight(chosen)
    return center, fix_aspect(sides, aspect_ratio) / UNIT * HALF_BODY_PADDING


def mmlab(
    rng: np.random.Generator, center: Any, scale: Any, points: np.ndarray, visible: np.ndarray, *,
    upper_body: Sequence[int] = (), scaling: float = 0.5, rotation: float = 80.0, shifting: float = 0.3,
    half_body: float = 0.3, flip_prob: float = 0.5,
) -> CropParams:  # fmt: skip
    """The crop of a person or a face as mmpose draws it.

    Args:
        rng: `numpy.random.Generator`.
        center: (x, y) in pixels of the picture.
        scale: (width, height) of the box in units of 200 px, padding included, not yet of the input's aspect ratio.
        points: float `(k, 2)` as (x, y) in pixels of the picture.
        visible: `(k,)`, above 0 where the point is labelled.
        upper_body: indices of the points of the upper half; empty: no half bodies.
        scaling: most by which the factor of the scale differs from 1.
        rotation: most degrees of a turn; 6 times in 10 there is any.
        shifting: how often the centre moves, by up to 0.16 of the box.
        half_body: how often a person of more than 8 labelled points is shown by halves.
        flip_prob: how often the picture is mirrored.

    Returns:
        The parameters, whose scale is still to be widened by `affine.fix_aspect`. The defaults are those of COCO; MPII:
        `shifting=0, half_body=0`; faces: `scaling=0.25, rotation=60, shifting=0`.

    Source: `RandomFlip`, `RandomHalfBody` and `RandomBBoxTransform` of mmpose with the settings of its recipes; what is
    drawn is normal, of standard deviation 1, and drawn again where it is beyond 1.
    """
    center = np.array(center, np.float64)
    scale = np.broadcast_to(np.asarray(scale, np.float64), 2)
    flip = rng.random() < flip_prob
    if _has_halves(visible, upper_body) and rng.random() < half_body:
        half = mmlab_half_body(points, visible, upper_body, rng.random())
        center, scale = half or (center, scale)
    # mmpose draws all four from a normal distribution between -1 and 1, whether it uses them or not.
    right, down, factor, turn = (_truncated_normal(rng) for _ in range(4))
    if rng.random() < shifting:
        center = center + 0.16 * np.array([right, down]) * scale * UNIT
    scale = scale * (1 + factor * scaling)
    angle = 0.0
    if rng.random() < 0.6:
        angle = turn * rotation
    return CropParams(center, scale, angle, flip)


def mmlab_half_body(
    points: np.ndarray, visible: np.ndarray, upper_body: Sequence[int], uniform: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """The upper or lower half of a body.

    Args:
        points, visible, upper_body: as in `mmlab`.
        uniform: one draw from 0..1: below 0.7 the upper half is preferred.

    Returns:
        Centre and scale, float64 `(2,)` each, the latter with its padding of 1.5; None where the upper half has fewer
        than two and the lower fewer than three labelled points, or all lie at one place.

    Source: `RandomHalfBody` of mmpose.
    """
    upper, lower = _halves(points, visible, upper_body)
    has_upper = len(upper) >= 2
    has_lower = len(lower) >= 3
    chosen = upper if has_upper and (uniform < 0.7 or not has_lower) else lower
    if not (has_upper or has_lower) or not np.ptp(chosen, axis=0).any():
        return None
    center, sides = _tight(chosen)
    return center, sides / UNIT * HALF_BODY_PADDING


def _has_halves(visible: np.ndarray, upper_body: Sequence[int]) -> bool:
    """Whether a body shows enough points to be shown by halves."""
    return len(upper_body) > 0 and int(np.sum(np.asarray(visible) > 0)) > HALF_BODY_POINTS


def _halves(points: np.ndarray, visible: np.ndarray, upper_body: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The labelled points of the upper and of the lower half."""
    points = np.asarray(points, np.float64)
    is_upper = np.isin(np.arange(len(points)), upper_body)
    labelled = np.asarray(visible) > 0
    return points[labelled & is_upper], points[labelled & ~is_upper]


def _tight(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of points and the width and height of the box around them, in pixels."""
    return points.mean(axis=0), np.ptp(points, axis=0)


def _truncated_normal(rng: np.random.Generator) -> float:
    while abs(value := rng.standard_normal()) > 1:
        pass
    return value

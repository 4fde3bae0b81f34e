"""Random numbers that training cuts a picture by: one function per lineage and task.

Each takes the crop that evaluation would use and answers the one that this look at the picture uses. Nothing is cut
here: the caller mirrors picture, points and centre where `flip` says so, and then turns by `rotation`.
"""

from dataclasses import dataclass

import numpy as np

from hrnet_keras.tasks.keypoints.affine import UNIT, fix_aspect

HALF_BODY_POINTS = 8  # with more labelled points than these a body may be shown by halves
HALF_BODY_PADDING = 1.5


@dataclass(frozen=True)
class Look:
    """How one look at an instance cuts the picture.

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


def official_landmark(rng, center, scale, *, scaling=0.25, turning=30.0, flipping=0.5):
    """A look at a face as the official landmark code draws it: factors and turns of a range, all equally likely.

    Args:
        rng: `numpy.random.Generator`.
        center: (x, y) in pixels of the picture.
        scale: of the crop in units of 200 px, padding included.
        scaling: most by which the factor of the scale differs from 1.
        turning: most degrees of rotation; 6 times in 10 there is any.
        flipping: how often the picture is mirrored.

    Returns:
        A `Look`; its centre is the one given. The defaults are those of all four sets.

    Source: `__getitem__` of the official landmark data sets.
    """
    scale = scale * rng.uniform(1 - scaling, 1 + scaling)
    rotation = rng.uniform(-turning, turning) if rng.random() < 0.6 else 0.0
    return Look(np.array(center, np.float64), scale, rotation, rng.random() < flipping)


def official_pose(
    rng, center, scale, points, visible, *, upper_body, aspect_ratio,
    scaling=0.35, turning=45.0, half_body=0.3, flipping=0.5,
):  # fmt: skip
    """A look at a person as the official pose code draws it.

    Args:
        rng: `numpy.random.Generator`.
        center: (x, y) in pixels of the picture.
        scale: (width, height) of the crop in units of 200 px, padding included.
        points: float `(k, 2)` as (x, y) in pixels of the picture.
        visible: `(k,)`, above 0 where the point is labelled.
        upper_body: indices of the points of the upper half; empty: no half bodies.
        aspect_ratio: width / height of the input.
        scaling: standard deviation of the factor around 1, and the most that it may differ from 1.
        turning: standard deviation of the rotation in degrees; the most is twice as much. 6 times in 10 there is any.
        half_body: how often a person of more than 8 labelled points is shown by halves.
        flipping: how often the picture is mirrored.

    Returns:
        A `Look`. The defaults are those of COCO; MPII: `scaling=0.25, turning=30, half_body=0`.

    Source: `__getitem__` of `JointsDataset` in the official pose code.
    """
    center, scale = np.array(center, np.float64), np.broadcast_to(np.asarray(scale, np.float64), 2)
    if len(upper_body) and np.sum(np.asarray(visible) > 0) > HALF_BODY_POINTS and rng.random() < half_body:
        half = official_half_body(points, visible, upper_body, aspect_ratio, rng.standard_normal())
        center, scale = half or (center, scale)
    scale = scale * np.clip(rng.standard_normal() * scaling + 1, 1 - scaling, 1 + scaling)
    is_turned = rng.random() < 0.6
    rotation = float(np.clip(rng.standard_normal() * turning, -2 * turning, 2 * turning)) if is_turned else 0.0
    return Look(center, scale, rotation, rng.random() < flipping)


def official_half_body(points, visible, upper_body, aspect_ratio, normal):
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
    if normal < 0.5 and len(upper) > 2:
        chosen = upper
    else:
        chosen = lower if len(lower) > 2 else upper
    if len(chosen) < 2 or not np.ptp(chosen, axis=0).any():
        return None
    center, sides = _tight(chosen)
    return center, fix_aspect(sides, aspect_ratio) / UNIT * HALF_BODY_PADDING


def mmlab(
    rng, center, scale, points, visible, *, upper_body=(),
    scaling=0.5, turning=80.0, shifting=0.3, half_body=0.3, flipping=0.5,
):  # fmt: skip
    """A look at a person or a face as mmpose draws it.

    Args:
        rng: `numpy.random.Generator`.
        center: (x, y) in pixels of the picture.
        scale: (width, height) of the box in units of 200 px, padding included, not yet of the input's aspect ratio.
        points: float `(k, 2)` as (x, y) in pixels of the picture.
        visible: `(k,)`, above 0 where the point is labelled.
        upper_body: indices of the points of the upper half; empty: no half bodies.
        scaling: most by which the factor of the scale differs from 1.
        turning: most degrees of rotation; 6 times in 10 there is any.
        shifting: how often the centre moves, by up to 0.16 of the box.
        half_body: how often a person of more than 8 labelled points is shown by halves.
        flipping: how often the picture is mirrored.

    Returns:
        A `Look`, whose scale is still to be widened by `affine.fix_aspect`. The defaults are those of COCO; MPII:
        `shifting=0, half_body=0`; faces: `scaling=0.25, turning=60, shifting=0`.

    Source: `RandomFlip`, `RandomHalfBody` and `RandomBBoxTransform` of mmpose with the settings of its recipes; what is
    drawn is normal, of standard deviation 1, and drawn again where it is beyond 1.
    """
    center, scale = np.array(center, np.float64), np.broadcast_to(np.asarray(scale, np.float64), 2)
    flip = rng.random() < flipping
    if len(upper_body) and np.sum(np.asarray(visible) > 0) > HALF_BODY_POINTS and rng.random() < half_body:
        half = mmlab_half_body(points, visible, upper_body, rng.random())
        center, scale = half or (center, scale)
    right, down, factor, turn = (_truncated_normal(rng) for _ in range(4))
    if rng.random() < shifting:
        center = center + 0.16 * np.array([right, down]) * scale * UNIT
    scale = scale * (1 + factor * scaling)
    rotation = turn * turning if rng.random() < 0.6 else 0.0
    return Look(center, scale, rotation, flip)


def mmlab_half_body(points, visible, upper_body, uniform):
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
    has_upper, has_lower = len(upper) >= 2, len(lower) >= 3
    chosen = upper if has_upper and (uniform < 0.7 or not has_lower) else lower
    if not (has_upper or has_lower) or not np.ptp(chosen, axis=0).any():
        return None
    center, sides = _tight(chosen)
    return center, sides / UNIT * HALF_BODY_PADDING


def _halves(points, visible, upper_body):
    """The labelled points of the upper and of the lower half."""
    points = np.asarray(points, np.float64)
    is_upper = np.isin(np.arange(len(points)), upper_body)
    labelled = np.asarray(visible) > 0
    return points[labelled & is_upper], points[labelled & ~is_upper]


def _tight(points):
    """The mean of points and the width and height of the box around them, in pixels."""
    return points.mean(axis=0), np.ptp(points, axis=0)


def _truncated_normal(rng):
    while abs(value := rng.standard_normal()) > 1:
        pass
    return value

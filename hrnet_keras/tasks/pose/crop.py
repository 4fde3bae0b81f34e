"""Which part of a picture is shown of every person."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks.keypoints import affine

NO_CENTER = -2  # x of a person whose centre MPII's file does not state: -1 there, counted from 1


def centers_and_scales(
    example: Mapping[str, Any], info: DatasetInfo | None, aspect_ratio: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """The crops of a picture's persons.

    Args:
        example: with `boxes` `(n, 4)`, or, in a set with a `crop_drop`, `centers` and `scales`.
        info: of the set, for its `crop_drop`; None: there are boxes alone.
        aspect_ratio: width / height of the input, to which scales are widened; None: they are the persons' own.

    Returns:
        Centres `(n, 2)` and scales `(n, 2)` (width, height) in units of 200 px, padded.

    Source: `_box2cs` and the MPII reader of the official pose repository.
    """
    if info is None or info.crop_drop is None or example.get("centers") is None:
        return affine.center_scale(example["boxes"], aspect_ratio)
    centers = np.array(example["centers"], np.float64)
    scales = np.asarray(example["scales"], np.float64)
    # One that is not stated is neither moved nor padded.
    is_stated = centers[:, 0] != NO_CENTER
    centers[:, 1] += np.where(is_stated, info.crop_drop * scales, 0.0)
    scales = np.repeat((scales * np.where(is_stated, affine.PADDING, 1.0))[:, None], 2, axis=1)
    if aspect_ratio is None:
        return centers, scales
    return centers, affine.fix_aspect(scales, aspect_ratio)

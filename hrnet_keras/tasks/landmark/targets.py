"""Points of a face -> the official heat maps."""

import numpy as np

from hrnet_keras.tasks.keypoints.encoding import gaussian_patches
from hrnet_keras.tasks.landmark.crop import to_crop


def targets(points, center, scale, *, rotation=0.0, side=64, sigma=1.5):
    """Heat maps of one face by the official rule.

    Points are truncated to whole pixels of the map, neither rounded nor counted from pixel centres. A point that lies
    outside the map, or whose y in the picture is not positive, gets a map of zeros, which the network learns like the
    others: there are no weights.

    Args:
        points: float `(k, 2)` as (x, y) in pixels of the picture, mirrored already where the crop is.
        center, scale, rotation: of the crop, as in `hrnet_keras.tasks.landmark.crop.crop_matrix`.
        side: of the maps.
        sigma: in pixels of the maps: 1 for 300W, 1.5 for AFLW, COFW and WFLW.

    Returns:
        float32 `(side, side, k)`, peak 1.

    Source: `generate_target` and `transform_pixel` of the official landmark code.
    """
    points = np.asarray(points, np.float64)
    # The official reader adds one before the map, which counts from 1, and takes it off after it.
    centers = to_crop(points + 1, center, scale, side, rotation) - 1
    maps, _ = gaussian_patches(centers, sigma, (side, side))
    # A point whose y is not above 0 counts as not labelled there, and gets an empty map.
    return maps * (points[:, 1] > 0)

"""Heat maps -> the points of a face, and the official code's way with them to the picture."""

import numpy as np
from keras import ops

from hrnet_keras.tasks.keypoints import decoding
from hrnet_keras.tasks.keypoints.encoding import CODECS
from hrnet_keras.tasks.landmark.crop import crop_matrix


def decode(heatmaps, *, codec="official", input_size=None):
    """Turns heat maps into points.

    Args:
        heatmaps: float `(batch, height, width, k)`, not activated; for udp_combined `(batch, height, width, 3 * k)`.
        codec: `"official"`: the middle of the highest pixel, and from pixels that aren't at the border a quarter pixel
            toward the higher neighbours; a map without a positive value gives the pixel left above the first, and so
            does one with a value that is no finite number, with a score of 0. The others
            (`"msra"`, `"dark"`, `"udp"`, `"udp_combined"`): see
            `hrnet_keras.tasks.keypoints.decoding.decode`.
        input_size: (height, width) of the model's input; default: four times the maps'.

    Returns:
        Dict with `points` float32 `(batch, k, 2)` as (x, y) in pixels of the model's input, and `scores` float32
        `(batch, k)`, the height of the peak. To the picture: `to_picture` for the official codec, the inverse of the
        crop's matrix for the others (`hrnet_keras.tasks.keypoints.affine`).

    Raises:
        ValueError: unknown codec.

    Source: `decode_preds` of the official landmark code.
    """
    if codec not in CODECS:
        raise ValueError(f"codec={codec!r}: expected one of {', '.join(map(repr, CODECS))}")
    if codec != "official":
        return decoding.decode(heatmaps, codec=codec, input_size=input_size)
    heatmaps, points, scores = decoding.official_peaks(heatmaps, least=0)
    points = ops.where((scores > 0)[..., None], points, -1.0) + 0.5
    return {"points": decoding.to_input(points, heatmaps, codec, input_size), "scores": scores}


def to_picture(points, center, scale, side):
    """Points of the official codec in pixels of the picture: whole numbers, as the published scores are measured.

    Args:
        points: float `(..., k, 2)` as (x, y) in a square of `side` pixels, the model's input or its heat map.
        center: (x, y) of the crop in the picture.
        scale: of the crop in units of 200 px, padding included.
        side: pixels.

    Returns:
        float64 of the shape of `points`.

    Source: `transform_preds` of the official landmark code: truncated toward zero, then one more.
    """
    back = np.linalg.inv(crop_matrix(center, scale, side))
    return np.trunc(np.asarray(points, np.float64) @ back[:2, :2].T + back[:2, 2]) + 1

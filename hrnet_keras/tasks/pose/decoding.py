"""Heat maps -> the joints of a person."""

from keras import ops

from hrnet_keras.tasks.keypoints import decoding
from hrnet_keras.tasks.keypoints.encoding import CODECS


def decode(heatmaps, *, codec="official", input_size=None):
    """Turns heat maps into joints.

    Args:
        heatmaps: float `(batch, height, width, k)`, not activated; for udp_combined `(batch, height, width, 3 * k)`.
        codec: `"official"`: the peak, and from pixels that are neither among the first two nor the last along both
            axes a quarter pixel toward the higher neighbours; a map without a positive value gives (0, 0), and so does
            one with a value that is no finite number, with a score of 0. The others
            (`"msra"`, `"dark"`, `"udp"`, `"udp_combined"`): see `hrnet_keras.tasks.keypoints.decoding.decode`.
        input_size: (height, width) of the model's input; default: four times the maps'.

    Returns:
        Dict with `points` float32 `(batch, k, 2)` as (x, y) in pixels of the model's input, and `scores` float32
        `(batch, k)`, the height of the peak. The inverse of the crop's matrix takes the points to the picture
        (`hrnet_keras.tasks.keypoints.affine`).

    Raises:
        ValueError: unknown codec.

    Source: `get_max_preds` and `get_final_preds` of the official pose code.
    """
    if codec not in CODECS:
        raise ValueError(f"codec={codec!r}: expected one of {', '.join(map(repr, CODECS))}")
    if codec != "official":
        return decoding.decode(heatmaps, codec=codec, input_size=input_size)
    heatmaps, points, scores = decoding.official_peaks(heatmaps, least=1)
    points = ops.where((scores > 0)[..., None], points, 0.0)
    return {"points": decoding.to_input(points, heatmaps, codec, input_size), "scores": scores}

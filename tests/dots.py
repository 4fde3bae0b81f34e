"""Pictures of coloured dots, and models that see them: whatever leads from a model to points must find the dots again.

The nose is red, both eyes are cyan: the left eye is the one in the right half of the crop, as with people who face the
viewer, also in a mirror. A model's map of a point is its colour, blurred, at the places of the input that pixels of the
map stand for; so the true answer is known without training.
"""

import keras
import numpy as np

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.tasks.keypoints.encoding import stride

NAMES, PAIRS = ("nose", "left_eye", "right_eye"), ((1, 2),)
INFO = DatasetInfo(
    "dots", point_names=NAMES, flip_pairs=PAIRS, edges=((0, 1), (0, 2)), metric="pck", normaliser=(1, 2),
)  # fmt: skip
BLUR = 6.0  # pixels of the input


def picture(size, instances, spread=3.0):
    """Dots on black, uint8 RGB of `size` (height, width).

    Args:
        instances: `(n, 3, 2)`, points of every face or person as (x, y).
        spread: standard deviation of a dot, in pixels.
    """
    rows, columns = np.arange(size[0])[:, None], np.arange(size[1])
    light = np.zeros((*size, 3))
    for points in np.asarray(instances, float):
        for colour, (x, y) in zip(((1, 0, 0), (0, 1, 1), (0, 1, 1)), points, strict=True):
            light += np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * spread**2))[..., None] * colour
    return (255 * light.clip(0, 1)).round().astype(np.uint8)


def places(codec, task, extent):
    """Where in an input of `extent` pixels the pixels of its map are, along one axis."""
    if codec == "official" and task == "landmark":
        return 4 * np.arange(extent // 4) + 2.5  # points are truncated, and the crop begins a pixel too far left
    return np.arange(extent // 4) * stride(codec, (extent, extent), (extent // 4, extent // 4))[0]


def seen(extent, where):
    """Weights float32 `(extent, len(where))` of a Gaussian around every place."""
    weights = np.exp(-((np.arange(extent)[:, None] - where) ** 2) / (2 * BLUR**2))
    return (weights / (BLUR * np.sqrt(2 * np.pi))).astype(np.float32)


def model(task, size=(256, 192), codec="official", **info):
    """A model of three points that answers by the codec's rule.

    Args:
        task: `"landmark"` or `"pose"`.
        size: (height, width) of its input.
        codec: how its maps encode points.
        **info: more of them, such as `convention="mmlab"`.
    """
    known = {"task": task, "num_keypoints": 3, "codec": codec, "point_names": list(NAMES), "flip_pairs": [[1, 2]],
             "edges": [[0, 1], [0, 2]], "convention": "official" if codec == "official" else "mmlab"}  # fmt: skip
    (height, width), (rows, columns) = size, (size[0] // 4, size[1] // 4)
    down = np.repeat(seen(height, places(codec, task, height))[..., None], 3, axis=2)
    across = np.repeat(seen(width, places(codec, task, width))[..., None], 3, axis=2)
    across[: width // 2, :, 1] = across[(width + 1) // 2 :, :, 2] = 0
    image = x = keras.Input((*size, 3), name="image")
    for equation, shape, weights in (
        ("bhwc,hmc->bmwc", (rows, width, 3), down), ("bhwc,wmc->bhmc", (rows, columns, 3), across),
    ):  # fmt: skip
        layer = keras.layers.EinsumDense(equation, shape)
        x = layer(x)
        layer.set_weights([weights])
    x = keras.layers.Rescaling(1 / 255)(x)
    if codec == "udp_combined":  # a disc per point, and no way from its middle
        layer = keras.layers.DepthwiseConv2D(1, depth_multiplier=3, use_bias=False)
        x, known["num_keypoints"] = layer(x), 9
        layer.set_weights([np.tile([1.0, 0.0, 0.0], (1, 1, 3, 1))])
    return keras.Model(image, ModelInfoLayer({**known, **info}, name="heatmaps")(x), name="dots")


def instances(rng, boxes):
    """Points `(n, 3, 2)` somewhere in boxes `(n, 4)`: the nose in the middle, the eyes on their sides."""
    boxes = np.asarray(boxes, float)
    corner, sides = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]
    low, high = np.array([[0.3, 0.3], [0.7, 0.3], [0.1, 0.3]]), np.array([[0.7, 0.8], [0.9, 0.8], [0.3, 0.8]])
    return corner + sides * rng.uniform(low, high, (len(boxes), 3, 2))

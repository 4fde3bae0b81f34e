"""Faces on plain photographs: a detector's boxes, and the step from any box to the centre and scale of a crop.

The official crops take centre and scale from the true landmarks: middle and longer side of the tight box around them.
With another box, larger or higher up as detectors draw it, published weights give points that are off. `BOXES` says how
each kind of box lies to the tight one.
"""

import functools
from importlib.resources import files

import numpy as np

from hrnet_keras.datasets.points import centers_and_scales, tight_boxes

LONGEST_SIDE = 1024

# Kind of box: how far below its middle the tight box has its own, and the tight box's longer side, both over the longer
# side of the kind. Measured on the pictures that mmpose's tests come with (8 faces of 300W, WFLW and COFW, 2 of AFLW).
BOXES = {
    # The box around all 68, 98 or 29 points: crops of 300W, WFLW and COFW in the official code.
    "tight": (0.0, 1.0),
    # What `find_faces` gives: fitted to the 8 faces as they are, mirrored, at half size, turned by 10 and 20 degrees.
    # Left on the faces as they are: the centre is off by 0.06 of the tight side on average, 0.10 at worst, the scale by
    # 6 % (rms), 9 % at worst; on all of them 0.07, 0.20, 7 % and 19 %. Without this step 0.16, 0.22, 20 % and 27 %.
    "mtcnn": (0.12, 0.85),
    # AFLW's annotated face box, which crops of AFLW are taken from: 0.76 and 0.81 on its two faces.
    "aflw": (0.054, 0.786),
    # COFW's box of a face detector, which mmpose's crops of COFW are taken from: 0.90 and 0.87 on its two faces.
    "cofw": (0.0, 0.885),
    # `bbox` in mmpose's files of 300W, WFLW and AFLW: tight, and a tenth wider on every side (one in eight is cut).
    "mmpose": (0.0, 1 / 1.2),
}


def boxes_to_centers_scales(boxes, kind: str = "mtcnn", crop_box: str = "tight") -> tuple[np.ndarray, np.ndarray]:
    """Centre and scale of the crops of faces, from boxes of any kind.

    Args:
        boxes: `(n, 4)` xyxy in pixels.
        kind: what the boxes are, of `BOXES`: `"tight"`, `"mtcnn"`, `"aflw"`, `"cofw"` or `"mmpose"`.
        crop_box: which box the network's training crops were taken from: `"tight"` (300W, WFLW, and COFW in the
            official code), `"aflw"` (AFLW) or `"cofw"` (COFW in mmpose).

    Returns:
        Centres float64 `(n, 2)` as (x, y), and scales float64 `(n,)` in units of 200 pixels, without the factor 1.25.

    Raises:
        ValueError: boxes of another shape, or an unknown kind or crop_box.

    Source: of the crop_box, the official annotation files of 300W and WFLW; of the numbers, see `BOXES`.
    """
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes of shape {boxes.shape}: expected (n, 4), xyxy")
    for word, name in (("kind", kind), ("crop_box", crop_box)):
        if name not in BOXES:
            raise ValueError(f"{word}={name!r}: expected one of {', '.join(map(repr, BOXES))}")
    (shift, factor), (wanted_shift, wanted_factor) = BOXES[kind], BOXES[crop_box]
    centers, scales = centers_and_scales(boxes)
    wanted = scales * factor / wanted_factor
    centers[:, 1] += 200 * (shift * scales - wanted_shift * wanted)
    return centers, wanted


def points_to_centers_scales(points, crop_box: str = "tight") -> tuple[np.ndarray, np.ndarray]:
    """Centre and scale of the crops of faces whose points are known, if roughly: for a second look at them.

    A box that is off puts the points off; crops around the points of a first pass are nearer to the crop_box.

    Args:
        points: `(n, k, 2)` as (x, y) in pixels, all `k` points of every face.
        crop_box: as in `boxes_to_centers_scales`.

    Returns:
        Centres `(n, 2)` and scales `(n,)`, as there. For `"tight"`, these of the true points are the official ones.

    Raises:
        ValueError: unknown crop_box.
    """
    points = np.asarray(points, np.float64)
    return boxes_to_centers_scales(tight_boxes(points, np.ones(points.shape[:-1])), "tight", crop_box)


def find_faces(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the faces of a picture with MTCNN, whose weights come with its package: nothing is downloaded.

    A picture with more than 1024 pixels a side is shrunk to that; faces of less than 20 pixels then are not looked for.
    Faces are found up to a tilt of about 30 degrees, also half turned away.

    Args:
        image: RGB `(height, width, 3)`, uint8 or 0..255 float.

    Returns:
        Boxes float64 `(n, 4)` xyxy in pixels of the picture, which they may reach beyond, and scores float64 `(n,)`
        from 0.8 to 1, best first; `n` may be 0. `boxes_to_centers_scales` says what to crop.

    Raises:
        ValueError: an image of another shape, or Keras runs on another backend than TensorFlow.
        ImportError: the extra `faces` is not installed.

    Source: arXiv:1604.02878, in the package `mtcnn` 1.0 (MIT), with the weights of the authors' repository (MIT;
        trained on WIDER FACE and CelebA, which are for research).
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ValueError(f"image of shape {image.shape}: expected RGB, (height, width, 3)")
    image, factors = _shrunk(image.clip(0, 255).astype(np.uint8))
    rows = _detector().detect_faces(image, fit_to_image=False, box_format="xyxy", output_type="numpy")
    rows = np.asarray(rows, np.float64)
    rows = rows[np.argsort(-rows[:, 5], kind="stable")]
    return rows[:, 1:5] * np.tile(factors, 2), rows[:, 5]


def _shrunk(image):
    """The picture with `LONGEST_SIDE` pixels a side at most, and the factors of (x, y) that lead back."""
    from PIL import Image

    height, width = image.shape[:2]
    ratio = LONGEST_SIDE / max(height, width)
    if ratio >= 1:
        return image, (1.0, 1.0)
    columns = max(1, round(width * ratio))
    rows = max(1, round(height * ratio))
    shrunk = Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR)
    return np.asarray(shrunk), (width / columns, height / rows)


@functools.cache
def _detector():
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"finding faces needs Keras on TensorFlow, not on {keras.backend.backend()!r}: "
            "set KERAS_BACKEND=tensorflow, or give the faces' boxes"
        )
    try:
        import mtcnn
        from mtcnn import stages
    except ImportError as error:
        raise ImportError(f"finding faces needs {error.name}: pip install 'hrnet-keras[faces]'") from error
    # Whole paths: a bare name is looked for in the folder that the program was started from first, and unpickled.
    folder = files(mtcnn) / "assets" / "weights"
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # its NumPy code fails on bfloat16
    try:
        parts = zip((stages.StagePNet, stages.StageRNet, stages.StageONet), "pro", strict=True)
        return mtcnn.MTCNN(stages=[part(weights=str(folder / f"{letter}net.lz4")) for part, letter in parts])
    finally:
        keras.config.set_dtype_policy(policy)

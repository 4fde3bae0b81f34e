"""One picture of any size -> the points of the faces in it, in its own coordinates."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hrnet_keras.datasets.boxes import checked_boxes
from hrnet_keras.datasets.points import square_box
from hrnet_keras.tasks.keypoints import affine
from hrnet_keras.tasks.keypoints.inference import HeatmapProcessor, points_in_picture, write as write
from hrnet_keras.tasks.keypoints.spec import KeypointDefaults, KeypointSpec
from hrnet_keras.tasks.landmark.crop import crop
from hrnet_keras.tasks.landmark.decoding import decode, to_picture
from hrnet_keras.tasks.landmark.faces import boxes_to_centers_scales, find_faces, points_to_centers_scales
from hrnet_keras.tasks.processing import NO_ROWS, Arrays, PredictOptions, Request, Runtime
from hrnet_keras.tasks.results import Points

DEFAULTS = KeypointDefaults(
    size=(256, 256),  # of every published net
    flip={"official": False, "mmlab": True},
    symmetric=("official", "udp"),  # official points are truncated, not rounded
)
SMALLEST = 2 / affine.UNIT  # scale of a crop where all points are one: some pixels to look at all the same


def processor(runtime: Runtime, options: PredictOptions) -> "FaceProcessor":
    """What cuts faces out of pictures for a landmark model and reads its heat maps.

    Args:
        runtime: of the model.
        options: `protocol`: a dict with `flip`, where the mirrored crop is to be looked at or not, other than
            published. `refine_iterations`: how often a face is cut again, around the points that were found; default:
            once where the faces come as boxes or are looked for, never where centre and scale are given. `box_format`:
            what the given boxes are, see `faces.boxes_to_centers_scales`; default: tight around the landmarks.

    Raises:
        ValueError: a protocol or a number of iterations that can't be.
    """
    count = options.refine_iterations
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        raise ValueError(f"refine_iterations={count!r}: expected a whole number, 0 or more")
    spec = KeypointSpec.of(
        runtime.info, runtime.input_size, DEFAULTS, data=options.data, protocol=options.protocol
    )  # fmt: skip
    stretch_first = runtime.info.stretch_first
    if options.data is not None:
        stretch_first = options.data.stretch_first
    crop_box = runtime.info.crop_box or "tight"
    return FaceProcessor(spec, crop_box, stretch_first, count, options.box_format or "tight")


@dataclass(frozen=True)
class CropParams:
    """How the faces of a picture are cut.

    Attributes:
        image: the picture, which they may be cut out of again.
        centers: `(n, 2)` as (x, y).
        scales: `(n,)` in units of 200 px, without padding.
        iterations: how often they are to be cut again.
        backs: maps from crop to picture pixels, float64 `(n, 2, 3)`; `None` for crops by the official convention.
    """

    image: np.ndarray
    centers: np.ndarray
    scales: np.ndarray
    iterations: int
    backs: np.ndarray | None = None


class FaceProcessor(HeatmapProcessor):
    """A `tasks.processing.Processor`; its results are `Points`.

    Args:
        spec: of the model.
        crop_box: which box of a face its crops are made of (`faces.BOXES`).
        stretch_first: see `crop.crop`.
        refine_iterations, box_format: see `processor`.
    """

    def __init__(
        self, spec: KeypointSpec, crop_box: str = "tight", stretch_first: bool = True,
        refine_iterations: int | None = None, box_format: str = "tight",
    ):  # fmt: skip
        super().__init__(spec, decode)
        self.crop_box = crop_box
        self.stretch_first = stretch_first
        self.refine_iterations = refine_iterations
        self.box_format = box_format

    def preprocess(
        self, image: np.ndarray, boxes: Any = None, centers: Any = None, scales: Any = None
    ) -> Request:  # fmt: skip
        """The faces of a picture, cut out.

        Args:
            image: uint8 RGB `(height, width, 3)`.
            boxes: `(n, 4)` xyxy; without them and without centres the faces are looked for.
            centers, scales: `(n, 2)` and `(n,)` of the official crops, which count before boxes.

        Raises:
            ValueError: a box that can't be; ImportError: faces are to be looked for without the extra.
        """
        iterations = self.refine_iterations
        if iterations is None:
            iterations = 1 if centers is None else 0
        if centers is None:
            centers, scales = self._centers_scales(image, boxes)
        return self._cut(image, np.asarray(centers, np.float64), np.asarray(scales, np.float64), iterations)

    def postprocess(self, decoded: Arrays, back: CropParams) -> Points | Request:
        if not len(back.centers):
            return Points(np.zeros((0, self.spec.count, 2)), np.zeros((0, self.spec.count)), np.zeros((0, 4)))
        points = self._in_picture(np.asarray(decoded["points"], np.float64), back)
        if not back.iterations:
            return Points(points, decoded["scores"], square_boxes(back.centers, back.scales))
        centers, scales = points_to_centers_scales(points, self.crop_box)
        return self._cut(back.image, centers, np.maximum(scales, SMALLEST), back.iterations - 1)

    def _centers_scales(self, image, boxes):
        """Those of the given boxes, or of the faces that are found."""
        if boxes is None:
            return boxes_to_centers_scales(find_faces(image)[0], crop_box=self.crop_box)
        return boxes_to_centers_scales(checked_boxes(boxes, image.shape[:2]), self.box_format, self.crop_box)

    def _cut(self, image, centers, scales, iterations) -> Request:
        if not len(centers):
            return Request(NO_ROWS, CropParams(image, centers, scales, 0))
        padded = scales * affine.PADDING
        if self.spec.convention == "official":
            side = self.spec.size[0]
            official = [
                crop(image, center, scale, side=side, stretch_first=self.stretch_first)
                for center, scale in zip(centers, padded, strict=True)
            ]
            return Request(np.stack(official), CropParams(image, centers, scales, iterations))
        sides = affine.fix_aspect(np.repeat(padded[:, None], 2, axis=1), self.spec.aspect_ratio)
        crops, backs = self.affine_crops(image, centers, sides)
        return Request(crops, CropParams(image, centers, scales, iterations, backs))

    def _in_picture(self, points, back: CropParams):
        if back.backs is not None:
            return points_in_picture(points, back.backs)
        padded = back.scales * affine.PADDING
        return np.stack([
            to_picture(points_of_face, center=center, scale=scale, side=self.spec.size[0])
            for points_of_face, center, scale in zip(points, back.centers, padded, strict=True)
        ])  # fmt: skip


def square_boxes(centers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The squares `(n, 4)` xyxy of centres and scales, without padding."""
    squares = [square_box(center, scale) for center, scale in zip(centers, scales, strict=True)]
    return np.array(squares, np.float64).reshape(-1, 4)

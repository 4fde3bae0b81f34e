"""One picture of any size and the boxes of its persons -> their joints, in the picture's own coordinates."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.boxes import checked_boxes
from hrnet_keras.tasks.keypoints import affine
from hrnet_keras.tasks.keypoints.inference import HeatmapProcessor, points_in_picture, write as write
from hrnet_keras.tasks.keypoints.spec import KeypointDefaults, KeypointSpec
from hrnet_keras.tasks.pose.decoding import decode
from hrnet_keras.tasks.pose.pipeline import centers_and_scales
from hrnet_keras.tasks.processing import NO_ROWS, Arrays, PredictOptions, Request, Runtime
from hrnet_keras.tasks.results import Points

DEFAULTS = KeypointDefaults(
    size=(256, 192), flip={"official": True, "mmlab": True}, symmetric=("udp", "udp_combined")
)  # fmt: skip


def processor(runtime: Runtime, options: PredictOptions) -> "PoseProcessor":
    """What cuts persons out of pictures for a pose model and reads its heat maps.

    Args:
        runtime: of the model.
        options: `protocol`: a dict with `flip`, where the mirrored crop is not to be looked at; `data`: its boxes have
            been looked at when it was opened and are taken as they are, without a height or width if need be.

    Raises:
        ValueError: a protocol that can't be.
    """
    spec = KeypointSpec.of(
        runtime.info, runtime.input_size, DEFAULTS, data=options.data, protocol=options.protocol
    )  # fmt: skip
    return PoseProcessor(spec, options.data)


@dataclass(frozen=True)
class CropParams:
    """How the persons of a picture were cut.

    Attributes:
        boxes: float64 `(n, 4)` xyxy, as given.
        areas: square pixels of the crops, `(n,)`.
        backs: maps from crop to picture pixels, float64 `(n, 2, 3)`.
        box_scores: `(n,)`, where given.
    """

    boxes: np.ndarray
    areas: np.ndarray
    backs: np.ndarray
    box_scores: np.ndarray | None


class PoseProcessor(HeatmapProcessor):
    """A `tasks.processing.Processor`; its results are `Points` with `areas`."""

    def __init__(self, spec: KeypointSpec, data: DatasetInfo | None = None):
        super().__init__(spec, decode)
        self.data = data

    def preprocess(
        self, image: np.ndarray, boxes: Any = None, centers: Any = None, scales: Any = None, box_scores: Any = None
    ) -> Request:
        """The persons of a picture, cut out.

        Args:
            image: uint8 RGB `(height, width, 3)`.
            boxes: `(n, 4)` xyxy.
            centers, scales: `(n, 2)` and `(n,)`, which count where the data set that is scored states them (MPII).
            box_scores: `(n,)`, where the boxes were detected.

        Raises:
            ValueError: a box that can't be, or no boxes: this version does not look for persons.
        """
        if boxes is None:
            raise ValueError(
                "pose needs the boxes of the persons: expected boxes=[(left, top, right, bottom), ...] in pixels"
            )
        if self.data is None:
            boxes = checked_boxes(boxes, image.shape[:2])
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        if box_scores is not None:
            box_scores = np.asarray(box_scores, np.float64)
        if not len(boxes):
            return Request(NO_ROWS, CropParams(boxes, np.zeros(0), np.zeros((0, 2, 3)), box_scores))
        example = {"boxes": boxes, "centers": centers, "scales": scales}
        centers, scales = centers_and_scales(example, self.data, self.spec.aspect_ratio)
        crops, backs = self.affine_crops(image, centers, scales)
        return Request(crops, CropParams(boxes, np.prod(scales * affine.UNIT, axis=1), backs, box_scores))

    def postprocess(self, decoded: Arrays, back: CropParams) -> Points:
        points = np.zeros((0, self.spec.count, 2))
        scores = np.zeros((0, self.spec.count))
        if len(back.boxes):
            points = points_in_picture(decoded["points"], back.backs)
            scores = decoded["scores"]
        return Points(points, scores, back.boxes, back.areas, back.box_scores)

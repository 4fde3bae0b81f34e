"""One picture of any size and the boxes of its persons -> their joints, in the picture's own coordinates."""

import numpy as np

from hrnet_keras.tasks.keypoints import affine
from hrnet_keras.tasks.keypoints.reading import (
    checked_boxes,
    empty_answer,
    heat_maps,
    points_of,
    reading_of,
    write as write,
)
from hrnet_keras.tasks.pose.decoding import decode
from hrnet_keras.tasks.pose.pipeline import FLIP, SIZE, SYMMETRIC, centers_and_scales

NO_BOXES = "pose needs the boxes of the persons: expected boxes=[(left, top, right, bottom), ...] in pixels"


def answerer(model, *, scores=False, protocol=None, info=None):
    """Prepares a model for finding the joints of persons, picture by picture.

    Args:
        model: a pose model.
        scores: kept for likeness with other tasks: scores are always answered.
        protocol: a dict with `flip`, where the mirrored crop is not to be looked at.
        info: of the data set that is scored. Its boxes have been looked at when it was opened and are taken as they
            are, without a height or width if need be.

    Returns:
        A function `(picture, boxes=None, centers=None, scales=None, box_scores=None)` of uint8 RGB
        `(height, width, 3)`, boxes `(n, 4)` xyxy and, where they were detected, their scores `(n,)`; centres `(n, 2)`
        and scales `(n,)` count where the data set that is scored states them (MPII). It answers a dict: `points`
        float64 `(n, k, 2)` as (x, y) in pixels of the picture, `scores` `(n, k)`, the height of the peaks, `boxes`
        `(n, 4)`, `box_scores` where given, and `areas` `(n,)`, square pixels of the crops.

    Raises:
        ValueError: a protocol or box that can't be, or no boxes: this version does not look for persons.
    """
    del scores
    reading = reading_of(model, size=SIZE, flip=FLIP, symmetric=SYMMETRIC, info=info, protocol=protocol)
    make = affine.udp_matrix if reading.unbiased else affine.crop_matrix

    def answer(image, boxes=None, centers=None, scales=None, box_scores=None):
        boxes, more = _given(image, boxes, box_scores, info)
        if not len(boxes):
            return empty_answer(reading.count) | {"areas": np.zeros(0)} | more
        example = {"boxes": boxes, "centers": centers, "scales": scales}
        centers, scales = centers_and_scales(example, info, reading.aspect_ratio)
        matrices = [make(center, scale, reading.size) for center, scale in zip(centers, scales, strict=True)]
        maps = heat_maps(model, [affine.warp(image, matrix, reading.size) for matrix in matrices], reading)
        found = decode(maps, codec=reading.codec, input_size=reading.size)
        points = [
            affine.transform(person, affine.inverse(matrix))
            for person, matrix in zip(np.asarray(found["points"]), matrices, strict=True)
        ]
        areas = np.prod(scales * affine.UNIT, axis=1)
        return {
            "points": np.stack(points), "scores": np.asarray(found["scores"]), "boxes": boxes, "areas": areas, **more
        }  # fmt: skip

    return answer


def served(call, info, data=None):
    """The answerer of an exported model: persons are cut by their boxes in its graph.

    Args:
        call: function `(picture, boxes)` of boxes float32 `(n, 4)` to a dict of `points` and `scores`.
        info: of the model.
        data: info of the data set that is scored.

    Returns:
        A function as `answerer` gives it; its answers have no `areas`.
    """

    def answer(image, boxes=None, centers=None, scales=None, box_scores=None):
        boxes, more = _given(image, boxes, box_scores, data)
        if not len(boxes):
            return empty_answer(points_of(info.num_keypoints, info.codec)) | more
        centers, scales = centers_and_scales({"boxes": boxes, "centers": centers, "scales": scales}, data, None)
        half = scales / affine.PADDING * affine.UNIT / 2  # the graph pads
        shown = np.concatenate([centers - half, centers + half], axis=1)
        return {**call(image, shown.astype(np.float32)), "boxes": boxes, **more}

    return answer


def _given(image, boxes, box_scores, data):
    """Boxes float64 `(n, 4)`, looked at where no data set has done so, and what goes into the answer with them."""
    if boxes is None:
        raise ValueError(NO_BOXES)
    boxes = checked_boxes(boxes, image) if data is None else np.asarray(boxes, np.float64)
    return boxes, {} if box_scores is None else {"box_scores": np.asarray(box_scores, np.float64)}

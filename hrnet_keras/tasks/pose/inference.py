"""One picture of any size and the boxes of its persons -> their joints, in the picture's own coordinates."""

import numpy as np

from hrnet_keras.tasks.keypoints import affine
from hrnet_keras.tasks.keypoints.reading import (
    checked_boxes,
    empty_answer,
    heat_maps,
    known_facts,
    reading_of,
    write as write,
)
from hrnet_keras.tasks.pose.decoding import decode
from hrnet_keras.tasks.pose.pipeline import FLIP, SIZE, centers_and_scales

NO_BOXES = "pose needs the boxes of the persons: expected boxes=[(left, top, right, bottom), ...] in pixels"
NEEDS = ("boxes", "centers", "scales", "box_scores")  # what of an example the answerer is told beside the picture


def answerer(model, *, scores=False, protocol=None, facts=None):
    """Prepares a model for finding the joints of persons, picture by picture.

    Args:
        model: a pose model.
        scores: kept for likeness with other tasks: scores are always answered.
        protocol: a dict with `flip`, where the mirrored crop is not to be looked at.
        facts: of the data set that is scored.

    Returns:
        A function `(picture, boxes=None, centers=None, scales=None, box_scores=None)` of uint8 RGB
        `(height, width, 3)`, boxes `(n, 4)` xyxy and, where they were detected, their scores `(n,)`; centres `(n, 2)`
        and scales `(n,)` count where the set states them (MPII). It answers a dict: `points` float64 `(n, k, 2)` as
        (x, y) in pixels of the picture, `scores` `(n, k)`, the height of the peaks, `boxes` `(n, 4)`, `box_scores`
        where given, and `areas` `(n,)`, square pixels of the crops.

    Raises:
        ValueError: a protocol or box that can't be, or no boxes: this version does not look for persons.
    """
    del scores
    reading = reading_of(model, size=SIZE, flip=FLIP, facts=facts, protocol=protocol)
    ratio = reading.size[1] / reading.size[0]
    count = known_facts(model).get("num_keypoints", model.output_shape[-1])
    count = count // 3 if reading.codec == "udp_combined" else count
    make = affine.udp_matrix if reading.codec.startswith("udp") else affine.crop_matrix

    def answer(image, boxes=None, centers=None, scales=None, box_scores=None):
        if boxes is None:
            raise ValueError(NO_BOXES)
        boxes = checked_boxes(boxes, image)
        more = {} if box_scores is None else {"box_scores": np.asarray(box_scores, np.float64)}
        if not len(boxes):
            return empty_answer(count) | {"areas": np.zeros(0)} | more
        example = {"boxes": boxes} | ({} if centers is None else {"centers": centers, "scales": scales})
        at = list(zip(*centers_and_scales(example, facts, ratio), strict=True))
        matrices = [make(center, scale, reading.size) for center, scale in at]
        maps = heat_maps(model, [affine.warp(image, matrix, reading.size) for matrix in matrices], reading)
        found = decode(maps, codec=reading.codec, input_size=reading.size)
        points = np.asarray(found["points"], np.float64)
        points = [affine.transform(one, affine.inverse(m)) for one, m in zip(points, matrices, strict=True)]
        areas = np.array([np.prod(scale * affine.UNIT) for _, scale in at])
        return {
            "points": np.stack(points), "scores": np.asarray(found["scores"]), "boxes": boxes, "areas": areas, **more
        }  # fmt: skip

    return answer


def served(call, facts):
    """The answerer of an exported model: persons are cut by their boxes in its graph.

    Args:
        call: function `(picture, boxes)` of boxes float32 `(n, 4)` to a dict of `points` and `scores`.
        facts: of the model.
    """

    def answer(image, boxes=None, box_scores=None, **_):
        if boxes is None:
            raise ValueError(NO_BOXES)
        boxes = checked_boxes(boxes, image)
        more = {} if box_scores is None else {"box_scores": np.asarray(box_scores, np.float64)}
        if not len(boxes):
            return empty_answer(facts["num_keypoints"]) | more
        return {**call(image, boxes.astype(np.float32)), "boxes": boxes, **more}

    return answer

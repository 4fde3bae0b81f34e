"""One picture of any size -> the points of the faces in it, in its own coordinates."""

import functools

import numpy as np

from hrnet_keras.datasets.points import square_box
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.tasks.keypoints import affine
from hrnet_keras.tasks.keypoints.reading import (
    checked_boxes,
    empty_answer,
    heat_maps,
    points_of,
    reading_of,
    write as write,
)
from hrnet_keras.tasks.landmark.crop import crop
from hrnet_keras.tasks.landmark.decoding import decode, to_picture
from hrnet_keras.tasks.landmark.faces import boxes_to_centers_scales, find_faces, points_to_centers_scales
from hrnet_keras.tasks.landmark.pipeline import FLIP, SIZE, SYMMETRIC


def answerer(model, *, scores=False, protocol=None, info=None, passes=None, box_kind=None):
    """Prepares a model for finding the points of faces, picture by picture.

    Args:
        model: a landmark model.
        scores: kept for likeness with other tasks: scores are always answered.
        protocol: a dict with `flip`, where the mirrored crop is to be looked at or not, other than published.
        info: of the data set that is scored.
        passes: how often a face is looked at, 1 or more: each time after the first it is cut anew, around the points
            that were found. Default: twice where the faces come as boxes or are looked for, once where centre and scale
            are given.
        box_kind: what the given boxes are, see `faces.boxes_to_centers_scales`; default: tight around the landmarks.

    Returns:
        A function `(picture, boxes=None, centers=None, scales=None)` of uint8 RGB `(height, width, 3)` and either the
        centres `(n, 2)` and scales `(n,)` of the official crop_box, or boxes `(n, 4)` xyxy, or nothing: then the
        faces are looked for. It answers a dict: `points` float64 `(n, k, 2)` as (x, y) in pixels of the picture,
        `scores` `(n, k)`, the height of the peaks, and `boxes` `(n, 4)`, the squares that were looked at last, without
        their padding.

    Raises:
        ValueError: a protocol, a number of passes or a box that can't be; ImportError: faces are to be looked for
            without the extra.
    """
    del scores
    if passes is not None and not (isinstance(passes, int) and passes >= 1):
        raise ValueError(f"passes={passes!r}: expected a whole number, 1 or more")
    reading = reading_of(model, size=SIZE, flip=FLIP, symmetric=SYMMETRIC, info=info, protocol=protocol)
    known = info_of(model)
    stretch_first = getattr(info, "stretch_first", known.stretch_first)
    crop_box = known.crop_box or "tight"

    def look(image, centers, scales):
        crops, backs = _crops(image, centers, scales, reading, stretch_first)
        maps = heat_maps(model, crops, reading)
        found = decode(maps, codec=reading.codec, input_size=reading.size)
        points = np.asarray(found["points"], np.float64)
        return np.stack([back(one) for back, one in zip(backs, points, strict=True)]), np.asarray(found["scores"])

    def answer(image, boxes=None, centers=None, scales=None):
        rounds = passes or (2 if centers is None else 1)
        if centers is None:
            centers, scales = where(image, boxes, box_kind, crop_box)
        if not len(centers):
            return empty_answer(reading.count)
        return _looked(look, image, centers, scales, rounds, crop_box)

    return answer


def served(call, info, data=None):
    """The answerer of an exported model: the crops are cut in its graph, and looked at as often as by default.

    Args:
        call: function `(picture, boxes)` of boxes float32 `(n, 4)`, the squares that the model's crops are made of, to
            a dict of `points` and `scores`, after one look.
        info: of the model.
        data: of no meaning here.

    Returns:
        A function as `answerer` gives it.
    """
    del data
    crop_box = info.crop_box or "tight"

    def look(image, centers, scales):
        found = call(image, squares(centers, scales).astype(np.float32))
        return found["points"], found["scores"]

    def answer(image, boxes=None, centers=None, scales=None):
        rounds = 2 if centers is None else 1
        if centers is None:
            centers, scales = where(image, boxes, None, crop_box)
        if not len(centers):
            return empty_answer(points_of(info.num_keypoints, info.codec))
        return _looked(look, image, centers, scales, rounds, crop_box)

    return answer


def _looked(look, image, centers, scales, rounds, crop_box):
    """The answer after so many looks, each after the first at crops around the points of the one before."""
    for _ in range(rounds):
        points, heights = look(image, centers, scales)
        shown = squares(centers, scales)
        centers, scales = points_to_centers_scales(points, crop_box)
        scales = np.maximum(scales, 2 / affine.UNIT)  # all points on one: some pixels to look at all the same
    return {"points": points, "scores": heights, "boxes": shown}


def where(image, boxes, box_kind, crop_box):
    """Centres and scales of the faces of a picture: of the given boxes, or of those that are found."""
    if boxes is None:
        return boxes_to_centers_scales(find_faces(image)[0], crop_box=crop_box)
    return boxes_to_centers_scales(checked_boxes(boxes, image), box_kind or "tight", crop_box)


def squares(centers, scales):
    """The squares `(n, 4)` xyxy of centres and scales, without padding."""
    found = [square_box(center, scale) for center, scale in zip(centers, scales, strict=True)]
    return np.array(found, np.float64).reshape(-1, 4)


def _crops(image, centers, scales, reading, stretch_first):
    """The crops of faces and the functions that take points in them to the picture."""
    crops, backs = [], []
    for center, scale in zip(centers, np.asarray(scales) * affine.PADDING, strict=True):
        if reading.convention == "official":
            side = reading.size[0]
            crops.append(crop(image, center, scale, side=side, stretch_first=stretch_first))
            backs.append(functools.partial(to_picture, center=center, scale=scale, side=side))
            continue
        sides = affine.fix_aspect(np.repeat(scale, 2), reading.aspect_ratio)
        make = affine.udp_matrix if reading.unbiased else affine.crop_matrix
        matrix = make(center, sides, reading.size)
        crops.append(affine.warp(image, matrix, reading.size))
        backs.append(functools.partial(affine.transform, matrix=affine.inverse(matrix)))
    return crops, backs

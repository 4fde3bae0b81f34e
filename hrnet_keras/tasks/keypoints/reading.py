"""How a model of points is asked: what its weights expect of crops and heat maps, and the maps of many crops."""

import json
import os
from dataclasses import dataclass

import numpy as np

from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.published import published
from hrnet_keras.datasets.sides import mirror_pairs
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.tasks.keypoints.flips import average
from hrnet_keras.writing import whole

CHUNK = 32  # crops per call of the model
ENDING = ".json"  # of the files that `write` makes


@dataclass(frozen=True)
class Reading:
    """What a model's weights expect.

    Attributes:
        convention: whose crops: `"official"` or `"mmlab"`.
        codec: how its heat maps encode points.
        size: (height, width) of its input.
        count: of its points.
        flip: whether the mirrored crop is looked at too.
        flip_pairs: points that change places in the mirror.
        shift: whether maps of the mirrored crop have to be moved by a pixel.
    """

    convention: str
    codec: str
    size: tuple[int, int]
    count: int
    flip: bool
    flip_pairs: tuple[tuple[int, int], ...] = ()
    shift: bool = False

    @property
    def unbiased(self):
        """Whether crops and maps match pixel centres (the UDP codecs) and not corners."""
        return self.codec.startswith("udp")

    @property
    def aspect_ratio(self):
        """Width / height of the input."""
        return self.size[1] / self.size[0]

    def merged(self, maps, mirrored):
        """The mean of heat maps of crops and of the mirrored crops, a tensor of the same shape."""
        return average(maps, mirrored, self.flip_pairs, shift=self.shift, codec=self.codec)


def reading_of(model, *, size, flip, symmetric, info=None, protocol=None):
    """The `Reading` of a model, from the info on its last layer.

    Args:
        model: a `keras.Model` of task landmark or pose.
        size: (height, width) of its input where neither its shape nor its info say.
        flip: of convention -> whether published scores are measured with the mirrored crop, too.
        symmetric: codecs of the task by which a point and its mirror image get pixels of the map that mirror each
            other, to half a pixel; by the others mirrored maps lie one to the left.
        info: of the data set that is scored, its points in the model's order, for the pairs where the model brings
            none.
        protocol: what is to be different: a dict with `flip`.

    Returns:
        A `Reading`. Without info of a training, its convention and its codec are those of the model's lineage.

    Raises:
        ValueError: the protocol has another word, or mirroring is asked for and nobody knows the pairs.
    """
    known = info_of(model)
    convention = known.convention or ("mmlab" if known.lineage == "mmlab" else "official")
    fixed = model.input_shape[1:3] if None not in model.input_shape[1:3] else None
    pairs = _flip_pairs(known, info)
    if protocol is not None and not (isinstance(protocol, dict) and set(protocol) <= {"flip"}):
        raise ValueError(f"protocol={protocol!r}: expected a dict with flip alone where points are looked for")
    asked = (protocol or {}).get("flip")
    if asked and not pairs:
        raise ValueError("flip=True: nobody knows which points of this model change places in a mirror")
    codec = known.codec or ("official" if convention == "official" else "msra")
    return Reading(
        convention=convention,
        codec=codec,
        size=tuple(fixed or known.input_size or size),
        count=points_of(model.output_shape[-1], codec),
        flip=flip[convention] and bool(pairs) if asked is None else asked,
        flip_pairs=tuple(tuple(pair) for pair in pairs),
        shift=codec not in symmetric,
    )


def _flip_pairs(known, info):
    """The model's own pairs, else those of the data set that is scored, of its names, of the set it was trained on."""
    trained_on = published(known.data)
    has_its_points = trained_on is not None and points_of(known.num_keypoints or 0, known.codec) == len(
        trained_on.point_names
    )
    return (
        known.flip_pairs or getattr(info, "flip_pairs", ()) or mirror_pairs(known.point_names)
        or (trained_on.flip_pairs if has_its_points else ())
    )  # fmt: skip


def points_of(maps, codec):
    """How many points a number of heat maps is for: UDP's combined codec has three of each."""
    return maps // 3 if codec == "udp_combined" else maps


def heat_maps(model, crops, reading):
    """Heat maps of crops `(n, height, width, 3)`, float32 `(n, height / 4, width / 4, maps)`; mirrored ones merged."""
    found = []
    for start in range(0, len(crops), CHUNK):
        part = np.asarray(crops[start : start + CHUNK], np.float32)
        maps = model.predict_on_batch(part)
        if reading.flip:
            maps = reading.merged(maps, model.predict_on_batch(part[:, :, ::-1]))
        found.append(np.asarray(maps, np.float32))
    return np.concatenate(found)


def checked_boxes(boxes, image):
    """Boxes of a picture as float64 `(n, 4)`.

    Raises:
        DataError: another shape, a number that is none, a box without area or outside of the picture; names the box.
    """
    expected = "expected (n, 4), each left, top, right, bottom in pixels"
    try:
        found = np.asarray(boxes, np.float64)
    except (TypeError, ValueError):  # rows of several lengths, words
        raise DataError(f"boxes={boxes!r}: {expected}") from None
    found = found.reshape(-1, 4) if found.size == 0 or found.shape == (4,) else found
    if found.ndim != 2 or found.shape[1] != 4:
        raise DataError(f"boxes of shape {found.shape}: {expected}")
    height, width = image.shape[:2]
    for i, (left, top, right, bottom) in enumerate(found):
        said = f"boxes[{i}] = ({left:g}, {top:g}, {right:g}, {bottom:g})"
        if not np.isfinite((left, top, right, bottom)).all():
            raise DataError(f"{said}: expected numbers")
        if right <= left or bottom <= top:
            raise DataError(f"{said}: has no area: expected left, top, right, bottom, the latter two larger")
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            raise DataError(f"{said}: lies outside the picture of {width}x{height} (width x height)")
    return found


def empty_answer(count):
    """The answer for a picture with nobody in it; `count` points each."""
    return {"points": np.zeros((0, count, 2)), "scores": np.zeros((0, count)), "boxes": np.zeros((0, 4))}


def write(answer, path, to_file=None):
    """Writes an answer as `<path>.json`: `points`, `scores`, `boxes`, lists with an entry per face or person.

    Args:
        answer: dict of arrays.
        path: of the file without its suffix; folders are made.
        to_file: of no meaning here: no data set with points has a coding of its own.

    Raises:
        ValueError: the file can't be written.
    """
    del to_file
    found = {key: np.asarray(value).round(4).tolist() for key, value in answer.items()}
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with whole(f"{path}{ENDING}") as scratch, open(scratch, "w", encoding="utf-8") as file:
            json.dump(found, file)
    except OSError as error:
        raise ValueError(f"{path}.json: can't be written ({error.strerror or error})") from error

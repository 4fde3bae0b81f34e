"""One picture of any size -> the objects in it, in the picture's own coordinates."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.detection import TASK
from hrnet_keras.tasks.detection.files import write as write
from hrnet_keras.tasks.detection.frameworks import framework
from hrnet_keras.tasks.detection.parts.paste import paste_each
from hrnet_keras.tasks.detection.protocol import Found, Protocol, joined, protocol_of
from hrnet_keras.tasks.detection.resizing import Size, resize, resize_rule
from hrnet_keras.tasks.processing import Arrays, PredictOptions, Request, Runtime
from hrnet_keras.tasks.results import Objects

LONG, SHORT = 1333, 800  # pixels of the sides that published detectors see
MIN_SCORE = 0.3  # of what is reported to people; scores are of everything
UNIT = 32  # both sides of the net's input are multiples of it
LEAST = 64  # pixels of both of its sides, where the pyramid needs no more
PADDING = -1.0  # where the picture has ended


def processor(runtime: Runtime, options: PredictOptions) -> "DetectionProcessor":
    """What shows pictures to a detector and reads its boxes.

    Args:
        runtime: of the model.
        options: `size`: of the pictures as the net sees them, the aspect ratio kept: (short, long) side at most, or the
            long side alone; default: that of the model's training, else (800, 1333). `min_score`: objects of a lower
            score are left out; default: `MIN_SCORE`, where a data set is scored none. `protocol`: a
            `tasks.detection.protocol.Protocol` or a dict of its fields: several sizes, mirrored pictures.

    Raises:
        ValueError: a size or protocol that can't be, or sizes for a model of one input size.
    """
    info = runtime.info
    protocol = protocol_of(options.protocol)
    asked = options.size if options.size is not None else (protocol.sizes or None)
    if any(runtime.input_size) and asked is not None:
        raise ValueError(f"size={asked!r}: the model sees all pictures at {runtime.input_size}")
    if options.size is not None and protocol.sizes:
        raise ValueError(f"size={options.size!r} beside protocol sizes {protocol.sizes}: expected one of the two")
    bounds = tuple(bounds_of(size) for size in protocol.sizes or (options.size or info.input_size,))
    is_v1 = framework(info.head or "").rules_of(info.lineage).v1
    min_score = options.min_score
    if min_score is None:
        min_score = MIN_SCORE if options.data is None else 0.0
    if not 0 <= min_score <= 1:
        raise ValueError(f"min_score={min_score!r}: expected 0 to 1")
    return DetectionProcessor(runtime.input_size, bounds, min_score, is_v1, protocol, least_side(info))


@dataclass(frozen=True)
class Shown:
    """How a picture was shown.

    Attributes:
        image: the picture, where it is to be looked at again; else `None`.
        own: its (height, width).
        shown: as the net saw it, without padding.
        looks: what was found before.
        bounds: of the looks to come.
    """

    image: np.ndarray | None
    own: Size
    shown: Size
    looks: tuple[Found, ...] = ()
    bounds: tuple[Size, ...] = ()


@dataclass(frozen=True)
class DetectionProcessor:
    """A `tasks.processing.Processor`: the whole picture, resized and padded; its results are `Objects`.

    Attributes:
        input_size: of the net, `None` where it takes any.
        bounds: (short, long) side at most, of every look.
        min_score: of the objects that are reported.
        is_v1: whether boxes end on their last pixel.
        protocol: how often it looks.
        least: pixels of both sides of the net's input at least.
        flip: mirrored pictures are looked at as further rows, as their padding has to stay at the right.
    """

    input_size: tuple[int | None, int | None]
    bounds: tuple[Size, ...]
    min_score: float = 0.0
    is_v1: bool = False
    protocol: Protocol = field(default_factory=Protocol)
    least: int = LEAST
    flip: bool = False

    def preprocess(self, image: np.ndarray) -> Request:
        """The picture as the net is shown it.

        Args:
            image: uint8 RGB `(height, width, 3)`.
        """
        return self._look(image, (), self.bounds)

    def _look(self, image: np.ndarray, looks: tuple[Found, ...], bounds: tuple[Size, ...]) -> Request:
        own = (image.shape[0], image.shape[1])
        size = shown_size(own, bounds[0], self.input_size)
        picture = resize(image, size)
        whole = padded_size(size, self.input_size, self.least)
        rows = [padded(picture, whole)]
        if self.protocol.flip:
            rows.append(padded(picture[:, ::-1], whole))
        again = image if len(bounds) > 1 else None
        return Request(np.stack(rows), Shown(again, own, size, looks, bounds[1:]))

    def decode(self, raw: Arrays, mirrored: Arrays | None) -> Arrays:
        return raw

    def postprocess(self, decoded: Arrays, back: Shown) -> Objects | Request:
        looks = [*back.looks]
        for i in range(len(decoded["valid"])):
            found = _found(decoded, i)
            if i:
                found = found.mirrored(back.shown[1], plus_one=self.is_v1)
            looks.append(found.scaled((back.own[0] / back.shown[0], back.own[1] / back.shown[1])))
        if back.image is not None:
            return self._look(back.image, tuple(looks), back.bounds)
        found = looks[0]
        if not self.protocol.is_one_look:
            found = joined(looks, self.protocol, plus_one=self.is_v1)
        return self._objects(found, back.own)

    def _objects(self, found: Found, own: Size) -> Objects:
        kept = int((found.scores >= self.min_score).sum())  # best first
        boxes = found.boxes[:kept]
        masks = None
        if found.masks is not None:
            masks = np.zeros((kept, *own), bool)
            pasted = paste_each(found.masks[:kept], boxes, own, plus_one=self.is_v1)
            for mask, values in zip(masks, pasted, strict=True):
                mask[:] = values
        if self.is_v1:
            boxes = boxes + [0, 0, 1, 1]
        return Objects(boxes, found.scores[:kept], found.labels[:kept].astype(np.int32), masks)


def _found(decoded: Arrays, i: int) -> Found:
    """What was found in a row, in pixels of the net's input."""
    count = int(decoded["valid"][i])
    masks = decoded["masks"][i][:count] if "masks" in decoded else None
    boxes = decoded["boxes"][i][:count].astype(np.float64)
    return Found(boxes, decoded["scores"][i][:count], decoded["labels"][i][:count], masks)


def shown_size(own: Size, bounds: Size, input_size: tuple[int | None, int | None] = (None, None)) -> Size:
    """Height and width at which the net sees a picture, without padding.

    Args:
        own: of the picture.
        bounds: (short, long) side at most.
        input_size: of a net of one size: the picture is made to fit into it instead.
    """
    if not any(input_size):
        return resize_rule(own, long=bounds[1], short=bounds[0])
    factor = min(limit / side for limit, side in zip(input_size, own, strict=True) if limit)
    height, width = (max(int(side * factor + 0.5), 1) for side in own)
    return min(height, input_size[0] or height), min(width, input_size[1] or width)


def least_side(info: ModelInfo) -> int:
    """Pixels of both sides of a detector's input at least: its coarsest level has to be pooled from something."""
    return max(TASK.conventions_of(info.lineage, info.head).least_side, LEAST)


def padded_size(
    size: Size, input_size: tuple[int | None, int | None] = (None, None), least: int = LEAST
) -> Size:  # fmt: skip
    """Height and width of the net's input for a picture of `size`: the next multiples of 32, or the net's own."""
    height, width = (max(-(-side // UNIT) * UNIT, least) for side in size)
    return input_size[0] or height, input_size[1] or width


def padded(image: np.ndarray, size: Size, value: Any = PADDING) -> np.ndarray:
    """A picture as float32 with `value` at its right and bottom, up to `size`."""
    whole = np.empty((*size, 3), np.float32)
    height, width = image.shape[:2]
    whole[:height, :width] = image
    whole[height:] = value
    whole[:height, width:] = value
    return whole


def bounds_of(size: Any) -> Size:
    """(short, long) of what a user, or a model's info, says; raises `ValueError` for what is no size."""
    if size is None:
        return SHORT, LONG
    numbers: list[Any] = [size] if np.isscalar(size) else list(size)
    are_whole = all(isinstance(number, (int, np.integer)) and not isinstance(number, bool) for number in numbers)
    if not are_whole or len(numbers) not in (1, 2) or min(numbers) < 1:
        raise ValueError(f"size={size!r}: expected (short, long) side, or the long side alone, in pixels")
    return int(min(numbers)), int(max(numbers))

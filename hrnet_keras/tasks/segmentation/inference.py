"""One picture of any size -> class ids at its own size."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.published import published
from hrnet_keras.datasets.sides import mirror_pairs
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.finite import no_class
from hrnet_keras.tasks.processing import NO_ROWS, Arrays, PredictOptions, Request, Runtime, only_output
from hrnet_keras.tasks.results import LabelMap
from hrnet_keras.tasks.segmentation.protocol import Protocol, changed, published_protocol
from hrnet_keras.tasks.segmentation.score_map import score_map
from hrnet_keras.tasks.segmentation.strips import decode_at
from hrnet_keras.writing import whole

# Pixels up to which a picture is shown to the net as it is, where nobody says how: 2048x2048. The net's own maps take
# about 400 bytes a pixel even in the smallest one.
LARGEST = 2**22


def processor(runtime: Runtime, options: PredictOptions) -> "WholeProcessor | ProtocolProcessor":
    """What shows pictures to a segmentation model and reads its logits.

    Args:
        runtime: of a model with output stride 1.
        options: `protocol`: a `protocol.Protocol`: scales, mirroring, windows; default: that of the published score of
            the model's weights, else of the data set, else the whole picture once. A dict changes some of that one's
            values. `data`: for its name and, where the model knows none, its `label_flip_pairs`. `size`: at which the
            net sees every picture, the aspect ratio kept where it is a long side; its logits are resized to the
            picture's own size. Default: the picture's own. Where neither a size nor a protocol nor a data set is given,
            a picture of more than `LARGEST` pixels is shrunk to that many, so that it takes no more memory than one of
            that size. A model of one fixed input size is shown the picture resized, and its label map is resized back
            by nearest neighbour.

    Raises:
        ValueError: the model's logits are not at input size; a size that can't be, or one beside a protocol or for a
            model of fixed size.
    """
    info = runtime.info
    if info.output_stride != 1:
        raise ValueError(f"the model answers at stride {info.output_stride}: build it with output_stride=1")
    size = checked_size(options.size)
    protocol = _protocol_of(info, options)
    if size is not None:
        _check_nothing_else_decides(size, runtime.input_size, protocol)
    if protocol != Protocol():
        return ProtocolProcessor(runtime, protocol, flip_pairs_of(info, options.data), options.scores)
    # Scores are of pictures as they are, and whoever names a protocol knows what it costs.
    is_bounded = options.protocol is None and options.data is None
    return WholeProcessor(
        input_size=runtime.input_size, size=size, largest=LARGEST if is_bounded else None,
        align_corners=info.align_corners, scores=options.scores,
    )  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """How a picture was shown, (height, width) each.

    Attributes:
        own: of the picture.
        shown: as the net saw it.
    """

    own: tuple[int, int]
    shown: tuple[int, int]


@dataclass(frozen=True)
class WholeProcessor:
    """A `tasks.processing.Processor` that shows the net whole pictures; its results are `LabelMap`.

    Attributes:
        input_size: of the model, `None` where it takes any height or width.
        size: as `checked_size` gives it.
        largest: pixels up to which a picture is shown as it is, `None`: any.
        align_corners: how logits are resized.
        scores: whether the probability of the class is answered, too.
    """

    input_size: tuple[int | None, int | None] = (None, None)
    size: tuple[int, int] | int | None = None
    largest: int | None = None
    align_corners: bool = False
    scores: bool = False
    flip = False

    def preprocess(self, image: np.ndarray) -> Request:
        own = image.shape[:2]
        if any(self.input_size):
            shown = (self.input_size[0] or own[0], self.input_size[1] or own[1])
        else:
            shown = shown_size(own, self.size, self.largest)
        if shown != own:
            image = resize(image, shown, Image.Resampling.BILINEAR)
        return Request(image[None], Sizes(own, shown))

    def decode(self, raw: Arrays, mirrored: Arrays | None) -> Arrays:
        """The logits as they are: label maps are made picture by picture, as logits of many take much memory."""
        del mirrored
        return {"logits": only_output(raw)}

    def postprocess(self, decoded: Arrays, back: Sizes) -> LabelMap:
        logits = decoded["logits"][0]
        # Logits of a stride are brought to the picture's own size at once. Those that the net brought to its input's
        # size, as exports do, are answered there, and label maps of a net of one size are, too.
        is_at_input = logits.shape[:2] == back.shown or any(self.input_size)
        size = back.shown if is_at_input else back.own
        maps = decode_at(logits, size, align_corners=self.align_corners, scores=self.scores)
        if size != back.own:
            maps = {name: resize(values, back.own, Image.Resampling.NEAREST) for name, values in maps.items()}
        shown = None
        if back.shown != back.own and not any(self.input_size):
            shown = back.shown
        return LabelMap(maps["label_map"], maps.get("scores"), shown)


@dataclass(frozen=True)
class ProtocolProcessor:
    """A `tasks.processing.Processor` that follows a `Protocol`; its results are `LabelMap`.

    Windows and scales of a picture are of several sizes, so it asks the runtime itself, a picture at a time.

    Attributes:
        runtime: of the model.
        protocol: scales, mirroring, windows.
        flip_pairs: class ids that change places in a mirrored picture.
        scores: whether the share of the class is answered, too.
    """

    runtime: Runtime
    protocol: Protocol
    flip_pairs: tuple[tuple[int, int], ...]
    scores: bool = False
    flip = False  # the score map sees to it

    def preprocess(self, image: np.ndarray) -> Request:
        return Request(NO_ROWS, image)

    def decode(self, raw: Arrays, mirrored: Arrays | None) -> Arrays:
        del mirrored
        return raw

    def postprocess(self, decoded: Arrays, back: np.ndarray) -> LabelMap:
        totals = score_map(
            back.astype(np.float32), lambda batch: only_output(self.runtime(batch)), self.protocol,
            align_corners=self.runtime.info.align_corners, flip_pairs=self.flip_pairs,
        )  # fmt: skip
        total = totals.sum(-1)
        is_finite = np.isfinite(total)
        nothing = no_class(totals.shape[-1])
        label_map = np.where(is_finite, totals.argmax(-1), nothing)
        label_map = label_map.astype(np.uint8 if nothing > 0 else np.int32)
        if not self.scores:
            return LabelMap(label_map)
        return LabelMap(label_map, np.where(is_finite, totals.max(-1) / total, np.float32(0)))


def _protocol_of(info: ModelInfo, options: PredictOptions) -> Protocol:
    """The `Protocol` to look by: the one given, or the customary one with the changes of a dict."""
    if isinstance(options.protocol, Protocol):
        return options.protocol
    base = Protocol()
    if options.data is not None:
        base = published_protocol(options.data.name, info.published)
    return changed(base, options.protocol or {})


def _check_nothing_else_decides(size, input_size, protocol: Protocol) -> None:
    """Raises `ValueError` where the model or a protocol says at which size pictures are shown."""
    reason = None
    if any(input_size):
        reason = f"the model sees all pictures at {input_size}"
    elif protocol != Protocol():
        reason = "a protocol says how pictures are shown"
    if reason is not None:
        raise ValueError(f"size={size!r}: {reason}: expected no size")


def checked_size(size: Any) -> tuple[int, int] | int | None:
    """`None`, a tuple of height and width, or a long side; raises `ValueError` for anything else."""
    if size is None:
        return None
    numbers: list[Any] = [size] if np.isscalar(size) else list(size)
    are_whole = all(isinstance(number, (int, np.integer)) and not isinstance(number, bool) for number in numbers)
    if not are_whole or len(numbers) not in (1, 2) or min(numbers) < 1:
        raise ValueError(f"size={size!r}: expected (height, width), or one number for the long side, in pixels")
    if len(numbers) == 1:
        return int(numbers[0])
    return int(numbers[0]), int(numbers[1])


def shown_size(own: tuple[int, int], size: tuple[int, int] | int | None, largest: int | None) -> tuple[int, int]:
    """Height and width at which the net sees a picture of `own` (height, width).

    Args:
        own: of the picture.
        size: as `checked_size` gives it.
        largest: pixels that it may have where no size is given, or `None`.
    """
    height, width = own
    if isinstance(size, tuple):
        return size
    if size is not None:
        factor = size / max(own)
        return max(1, int(height * factor + 0.5)), max(1, int(width * factor + 0.5))
    if largest is None or height * width <= largest:
        return height, width
    factor = (largest / (height * width)) ** 0.5
    return max(1, int(height * factor)), max(1, int(width * factor))


def flip_pairs_of(info: ModelInfo, data: DatasetInfo | None = None) -> tuple[tuple[int, int], ...]:
    """Class ids that change places in a mirrored picture: the model's own, where it has any.

    Files of earlier versions lack them: then those of its class names count, else those of the published set that it
    was trained on, else those of the data set that is scored.

    Args:
        info: of the model.
        data: info of the data set that is scored, its classes in the model's order.
    """
    if info.label_flip_pairs:
        return info.label_flip_pairs
    if info.class_names:
        return mirror_pairs(info.class_names)
    trained_on = published(info.data)
    if trained_on is not None and len(trained_on.class_names) == info.num_classes:
        return trained_on.label_flip_pairs
    if data is not None:
        return data.label_flip_pairs
    return ()


def write(result: dict[str, Any], path: str, to_file: Callable | None = None) -> None:
    """Writes the class ids of a result as a grey PNG `<path>.png`, turned by `to_file` into a data set's own coding.

    Raises:
        ValueError: the file can't be written.
    """
    label_map = result["label_map"]
    if to_file is not None:
        label_map = to_file(label_map)
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with whole(f"{path}.png") as file:
            Image.fromarray(label_map).save(file)
    except OSError as error:
        raise ValueError(f"{path}.png: can't be written ({error.strerror or error})") from error


def resize(array: np.ndarray, size: tuple[int, int], how: int) -> np.ndarray:
    """A picture or map of another size `(height, width)`, by one of Pillow's filters."""
    height, width = size
    return np.asarray(Image.fromarray(array).resize((width, height), how))

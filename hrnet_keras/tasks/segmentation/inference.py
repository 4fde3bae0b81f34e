"""One picture of any size -> class ids at its own size."""

import dataclasses
import os
import weakref

import keras
import numpy as np
from PIL import Image

from hrnet_keras.datasets.published import published
from hrnet_keras.datasets.sides import mirror_pairs
from hrnet_keras.layers import ModelInfoLayer, Resize
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.tasks.finite import no_class
from hrnet_keras.tasks.segmentation.decoding import decode
from hrnet_keras.tasks.segmentation.protocol import Protocol, published_protocol
from hrnet_keras.tasks.segmentation.score_map import score_map
from hrnet_keras.tasks.segmentation.strips import decode_at
from hrnet_keras.writing import whole as written_whole

# Pixels up to which logits are made at the picture's size in one go: a frame of Cityscapes. Above it, strip by strip,
# with the same answer.
AT_ONCE = 2048 * 1024
# Pixels up to which a picture is shown to the net as it is, where nobody says how: 2048x2048. The net's own maps take
# about 400 bytes a pixel even in the smallest one.
LARGEST = 2**22

_DECODING = weakref.WeakKeyDictionary()  # model -> {scores: model with decoding}: traced once, not at every question


def answerer(model, *, scores=False, protocol=None, info=None, size=None):
    """Prepares a model for answering pictures one by one.

    Args:
        model: a segmentation model with output stride 1.
        scores: also answers the probability of the class.
        protocol: a `protocol.Protocol`: scales, mirroring, windows; default: that of the published score of the model's
            weights, else of the data set, else the whole picture once. A dict changes some of that one's values.
        info: of the data set that is scored, for its name and, where the model knows none, its `label_flip_pairs`.
        size: at which the net sees every picture: `(height, width)`, or one number for the long side, the aspect ratio
            kept; its logits are resized to the picture's own size. Default: the picture's own. Where neither a size
            nor a protocol nor a data set is given, a picture of more than `LARGEST` pixels is shrunk to that many, so
            that it takes no more memory than one of that size.

    Returns:
        A function from a picture, uint8 RGB `(height, width, 3)`, to a dict with `label_map` `(height, width)` and,
        if asked, `scores`, and `shown_size`, `(height, width)`, where the net saw the picture at another size. A model
        of one fixed input size is shown the picture resized, and its answer is resized back by nearest neighbour.

    Raises:
        ValueError: the model's logits are not at input size; a size that can't be, or one beside a protocol or for a
            model of fixed size.
    """
    if model.output_shape[1:3] != model.input_shape[1:3] or info_of(model).output_stride != 1:
        raise ValueError(
            f"model {model.name!r} takes {model.input_shape[1:3]} and answers {model.output_shape[1:3]}: build it with "
            "output_stride=1"
        )
    size, chosen = checked_size(size), _protocol_of(model, protocol, info)
    if size is not None:
        _check_nothing_else_decides(size, model, chosen)
    if chosen != Protocol():
        return _by_protocol(model, chosen, info, scores)
    ask = _whole(model, scores)
    if any(model.input_shape[1:3]):
        return _at_input_size(ask, model.input_shape[1:3])
    # Scores are of pictures as they are, and whoever names a protocol knows what it costs.
    largest = LARGEST if protocol is None and info is None else None

    def answer(image):
        shown = shown_size(image.shape[:2], size, largest)
        if shown != image.shape[:2] or image.size > 3 * AT_ONCE:
            return _in_strips(model, image, shown, scores)
        return ask(image)

    return answer


def _protocol_of(model, protocol, info):
    """The `Protocol` to look by: the one given, or the customary one with the changes of a dict."""
    if isinstance(protocol, Protocol):
        return protocol
    base = Protocol() if info is None else published_protocol(info.name, info_of(model).published)
    return dataclasses.replace(base, **(protocol or {}))


def _check_nothing_else_decides(size, model, protocol):
    """Raises `ValueError` where the model or a protocol says at which size pictures are shown."""
    said = None
    if any(model.input_shape[1:3]):
        said = f"the model sees all pictures at {model.input_shape[1:3]}"
    elif protocol != Protocol():
        said = "a protocol says how pictures are shown"
    if said:
        raise ValueError(f"size={size!r}: {said}: expected no size")


def _whole(model, scores):
    """The function from a picture at the size that the net sees to its answer; traced once for every model."""
    known = _DECODING.setdefault(model, {})
    if scores not in known:
        known[scores] = keras.Model(model.inputs, decode(model.outputs[0], scores=scores))

    def ask(shown):
        found = known[scores].predict_on_batch(shown[None].astype("float32"))
        return {name: np.asarray(value[0]) for name, value in found.items()}

    return ask


def served(ask, info, scores=False):
    """The answerer of an exported model.

    Args:
        ask: a `saved_model.Signatures`.
        info: of the model.
        scores: also answers the probability of the class.

    Returns:
        A function as `answerer` gives it.

    Raises:
        ValueError: the model's logits are not at input size. The answerer: scores are asked of a picture of more than
            `LARGEST` pixels, which the graph would shrink.
    """
    if info.output_stride != 1:
        raise ValueError(f"model {info.name!r} answers at stride 4: build it with output_stride=1")

    def about(shown):
        if not scores:
            return ask("images", images=shown)
        height, width = shown.shape[:2]
        if height * width > LARGEST and not any(ask.picture_size("raw")):
            raise ValueError(
                f"size={(height, width)}: an exported model gives scores of at most {LARGEST} pixels: expected a "
                "smaller size, or the .keras file as the model"
            )
        found = ask.about_file("scores", shown)
        return {word: found[word] for word in ("label_map", "scores")}

    # Any size, but of a net of one size that was exported before pictures were resized in the graph.
    return _at_input_size(about, ask.picture_size("images"))


def _at_input_size(ask, input_size):
    """`ask`, about a picture resized to (height, width) where these are no `None`; answers are resized back."""

    def answer(image):
        own = image.shape[:2]
        size = tuple(fixed or side for fixed, side in zip(input_size, own, strict=True))
        if size == own:
            return ask(image)
        found = ask(resize(image, size, Image.BILINEAR))
        return {word: resize(maps, own, Image.NEAREST) for word, maps in found.items()}

    return answer


def served_at(answer, size=None, *, bounded=True):
    """The function of an exported model, which answers label maps alone, with pictures shown at another size.

    Args:
        answer: function from a picture to an answer at its size.
        size: as in `answerer`; the answer is brought back by nearest neighbour.
        bounded: whether pictures of more than `LARGEST` pixels are shrunk.

    Returns:
        A function as `answerer` gives it.
    """
    size = checked_size(size)

    def resized(image):
        shown = shown_size(image.shape[:2], size, LARGEST if bounded else None)
        if shown == image.shape[:2]:
            return answer(image)
        found = answer(resize(image, shown, Image.BILINEAR))
        found = {name: resize(value, image.shape[:2], Image.NEAREST) for name, value in found.items()}
        return {**found, "shown_size": shown}

    return resized


def checked_size(size):
    """`None`, a tuple of height and width, or a long side; raises `ValueError` for anything else."""
    if size is None:
        return None
    numbers = [size] if np.isscalar(size) else list(size)
    are_whole = all(isinstance(number, (int, np.integer)) and not isinstance(number, bool) for number in numbers)
    if not are_whole or len(numbers) not in (1, 2) or min(numbers) < 1:
        raise ValueError(f"size={size!r}: expected (height, width), or one number for the long side, in pixels")
    return int(numbers[0]) if len(numbers) == 1 else (int(numbers[0]), int(numbers[1]))


def shown_size(own, size, largest):
    """Height and width at which the net sees a picture of `own` (height, width).

    Args:
        own: of the picture.
        size: as `checked_size` gives it.
        largest: pixels that it may have where no size is given, or `None`.
    """
    if isinstance(size, tuple):
        return size
    if size is not None:
        factor = size / max(own)
        return tuple(max(1, int(side * factor + 0.5)) for side in own)
    if largest is None or own[0] * own[1] <= largest:
        return tuple(own)
    factor = (largest / (own[0] * own[1])) ** 0.5
    return tuple(max(1, int(side * factor)) for side in own)


def _in_strips(model, image, shown, scores):
    """The answer from logits at the head's own stride: at the picture's size they would take most of the memory."""
    logits = _at_own_stride(model).predict_on_batch(_resized_picture(image, shown)[None])[0]
    aligned = info_of(model).align_corners
    found = decode_at(logits, image.shape[:2], align_corners=aligned, scores=scores)
    return found if shown == image.shape[:2] else {**found, "shown_size": shown}


def _resized_picture(image, shown):
    shown_image = image if shown == image.shape[:2] else resize(image, shown, Image.BILINEAR)
    return shown_image.astype("float32")


def _at_own_stride(model):
    """The part of a model that ends before its logits are resized to the input's size."""
    known = _DECODING.setdefault(model, {})
    if "stride" not in known:
        last = next((layer for layer in reversed(model.layers) if not isinstance(layer, ModelInfoLayer)), None)
        resizes = isinstance(last, Resize) and last.name == "logits_at_input_size"
        known["stride"] = keras.Model(model.inputs, last.input[0]) if resizes else model
    return known["stride"]


def _by_protocol(model, protocol, info, scores):
    aligned = info_of(model).align_corners
    pairs = flip_pairs_of(info_of(model), info)
    forward = _at_own_stride(model).predict_on_batch  # the score map resizes as the model would

    def answer(image):
        found = score_map(image.astype(np.float32), forward, protocol, align_corners=aligned, flip_pairs=pairs)
        total, nothing = found.sum(-1), no_class(found.shape[-1])
        is_finite = np.isfinite(total)
        label_map = np.where(is_finite, found.argmax(-1), nothing)
        label_map = label_map.astype(np.uint8 if nothing > 0 else np.int32)
        more = {"scores": np.where(is_finite, found.max(-1) / total, np.float32(0))} if scores else {}
        return {"label_map": label_map, **more}

    return answer


def flip_pairs_of(known, info=None):
    """Class ids that change places in a mirrored picture: the model's own, where it has any.

    Files of earlier versions lack them: then those of its class names count, else those of the published set that it
    was trained on, else those of the data set that is scored.

    Args:
        known: info of the model.
        info: of the data set that is scored, its classes in the model's order.
    """
    if known.label_flip_pairs:
        return known.label_flip_pairs
    if known.class_names:
        return mirror_pairs(known.class_names)
    trained_on = published(known.data)
    if trained_on is not None and len(trained_on.class_names) == known.num_classes:
        return trained_on.label_flip_pairs
    return getattr(info, "label_flip_pairs", ())


def write(answer, path, to_file=None):
    """Writes an answer's class ids as a grey PNG `<path>.png`, turned by `to_file` into a data set's own coding.

    Raises:
        ValueError: the file can't be written.
    """
    label_map = answer["label_map"] if to_file is None else to_file(answer["label_map"])
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with written_whole(f"{path}.png") as file:
            Image.fromarray(label_map).save(file)
    except OSError as error:
        raise ValueError(f"{path}.png: can't be written ({error.strerror or error})") from error


def resize(array, size, how):
    """A picture or map of another size `(height, width)`, by one of Pillow's filters."""
    height, width = size
    return np.asarray(Image.fromarray(array).resize((width, height), how))

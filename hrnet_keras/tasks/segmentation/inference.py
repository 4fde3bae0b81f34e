"""One picture of any size -> class ids at its own size."""

import dataclasses
import os
import weakref

import keras
import numpy as np
from PIL import Image

from hrnet_keras.layers import Answer
from hrnet_keras.tasks.segmentation.decoding import decode
from hrnet_keras.tasks.segmentation.protocol import Protocol, published_protocol
from hrnet_keras.tasks.segmentation.score_map import score_map

_DECODING = weakref.WeakKeyDictionary()  # model -> {scores: model with decoding}: traced once, not at every question


def answerer(model, *, scores=False, protocol=None, facts=None):
    """Prepares a model for answering pictures one by one.

    Args:
        model: a segmentation model with output stride 1.
        scores: also answers the probability of the class.
        protocol: a `protocol.Protocol`: scales, mirroring, windows; default: that of the published score of the model's
            weights, else of the data set, else the whole picture once. A dict changes some of that one's values.
        facts: of the data set that is scored, for its name and its `label_flip_pairs`.

    Returns:
        A function from a picture, uint8 RGB `(height, width, 3)`, to a dict with `label_map` `(height, width)` and,
        if asked, `scores`. A model of one fixed input size is shown the picture resized, and its answer is resized
        back by nearest neighbour.

    Raises:
        ValueError: the model's logits are not at input size.
    """
    if model.output_shape[1:3] != model.input_shape[1:3] or _known(model).get("output_stride", 1) != 1:
        raise ValueError(
            f"model {model.name!r} takes {model.input_shape[1:3]} and answers {model.output_shape[1:3]}: build it with "
            "output_stride=1"
        )
    if protocol is None or isinstance(protocol, dict):
        base = published_protocol(facts.name, _known(model).get("published")) if facts is not None else Protocol()
        protocol = dataclasses.replace(base, **(protocol or {}))
    if protocol != Protocol():
        return _by_protocol(model, protocol, facts, scores)
    known = _DECODING.setdefault(model, {})
    if scores not in known:
        known[scores] = keras.Model(model.inputs, decode(model.outputs[0], scores=scores))
    whole = known[scores]

    def ask(shown):
        found = whole.predict_on_batch(shown[None].astype("float32"))
        return {name: np.asarray(value[0]) for name, value in found.items()}

    return _at_input_size(ask, model.input_shape[1:3])


def served(ask, facts, scores=False):
    """The answerer of an exported model.

    Args:
        ask: a `saved_model.Signatures`.
        facts: of the model.
        scores: also answers the probability of the class.

    Returns:
        A function as `answerer` gives it.

    Raises:
        ValueError: the model's logits are not at input size.
    """
    if facts.get("output_stride", 1) != 1:
        raise ValueError(f"model {facts['name']!r} answers at stride 4: build it with output_stride=1")

    def about(shown):
        if not scores:
            return ask("images", images=shown)
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


def _known(model):
    return next((layer.facts for layer in model.layers if isinstance(layer, Answer)), {})


def _by_protocol(model, protocol, facts, scores):
    aligned = _known(model).get("align_corners", False)
    pairs = getattr(facts, "label_flip_pairs", ())

    def answer(image):
        found = score_map(
            image.astype(np.float32), model.predict_on_batch, protocol, align_corners=aligned, flip_pairs=pairs
        )
        label_map = found.argmax(-1).astype(np.uint8 if found.shape[-1] <= 256 else np.int32)
        more = {"scores": found.max(-1) / found.sum(-1)} if scores else {}
        return {"label_map": label_map, **more}

    return answer


def write(answer, path, to_file=None):
    """Writes an answer's class ids as a grey PNG `<path>.png`, turned by `to_file` into a data set's own coding.

    Raises:
        ValueError: the file can't be written.
    """
    label_map = answer["label_map"] if to_file is None else to_file(answer["label_map"])
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        Image.fromarray(label_map).save(f"{path}.png")
    except OSError as error:
        raise ValueError(f"{path}.png: can't be written ({error.strerror or error})") from error


def resize(array, size, how):
    """A picture or map of another size `(height, width)`, by one of Pillow's filters."""
    height, width = size
    return np.asarray(Image.fromarray(array).resize((width, height), how))

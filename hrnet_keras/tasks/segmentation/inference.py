"""One picture of any size -> class ids at its own size."""

import dataclasses
import os
import weakref

import keras
import numpy as np
from PIL import Image

from hrnet_keras.datasets.published import published
from hrnet_keras.datasets.sides import mirror_pairs
from hrnet_keras.layers import Answer
from hrnet_keras.tasks.finite import no_class
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
        facts: of the data set that is scored, for its name and, where the model knows none, its `label_flip_pairs`.

    Returns:
        A function from a picture, uint8 RGB `(height, width, 3)`, to a dict with `label_map` `(height, width)` and,
        if asked, `scores`. A model of one fixed input size is shown the picture resized, and its answer is resized
        back by nearest neighbour.

    Raises:
        ValueError: the model's logits are not at input size.
    """
    if model.output_shape[1:3] != model.input_shape[1:3]:
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
    fixed = model.input_shape[1:3] if None not in model.input_shape[1:3] else None

    def answer(image):
        shown = image if fixed is None else resize(image, fixed, Image.BILINEAR)
        found = whole.predict_on_batch(shown[None].astype("float32"))
        found = {name: np.asarray(value[0]) for name, value in found.items()}
        if fixed is not None and fixed != image.shape[:2]:
            found = {name: resize(value, image.shape[:2], Image.NEAREST) for name, value in found.items()}
        return found

    return answer


def _known(model):
    return next((layer.facts for layer in model.layers if isinstance(layer, Answer)), {})


def _by_protocol(model, protocol, facts, scores):
    aligned = _known(model).get("align_corners", False)
    pairs = flip_pairs_of(_known(model), facts)

    def answer(image):
        found = score_map(
            image.astype(np.float32), model.predict_on_batch, protocol, align_corners=aligned, flip_pairs=pairs
        )
        total, nothing = found.sum(-1), no_class(found.shape[-1])
        is_finite = np.isfinite(total)
        label_map = np.where(is_finite, found.argmax(-1), nothing)
        label_map = label_map.astype(np.uint8 if nothing > 0 else np.int32)
        more = {"scores": np.where(is_finite, found.max(-1) / total, np.float32(0))} if scores else {}
        return {"label_map": label_map, **more}

    return answer


def flip_pairs_of(known, facts=None):
    """Class ids that change places in a mirrored picture: the model's own, where it has any.

    Files of earlier versions lack them: then those of its class names count, else those of the published set that it
    was trained on, else those of the data set that is scored.

    Args:
        known: facts of the model.
        facts: of the data set that is scored, its classes in the model's order.
    """
    if known.get("label_flip_pairs"):
        return known["label_flip_pairs"]
    if known.get("class_names"):
        return mirror_pairs(known["class_names"])
    trained_on = published(known.get("data"))
    if trained_on is not None and len(trained_on.class_names) == known.get("num_classes"):
        return trained_on.label_flip_pairs
    return getattr(facts, "label_flip_pairs", ())


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

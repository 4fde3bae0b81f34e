"""One picture of any size -> its most probable classes."""

import weakref

import keras
import numpy as np

from hrnet_keras.layers.model_info import info_of
from hrnet_keras.tasks.classification.decoding import decode
from hrnet_keras.tasks.classification.pipeline import prepare, view_of

_DECODING = weakref.WeakKeyDictionary()


def answerer(model, *, scores=False, protocol=None, info=None):
    """Prepares a model for answering pictures one by one.

    Args:
        model: a classification model.
        scores: kept for likeness with other tasks: probabilities are always answered.
        protocol: there is one way to look only: expected `None`.
        info: of the data set that is scored.

    Returns:
        A function from a picture, uint8 RGB `(height, width, 3)`, to a dict with `labels` (class ids, best first) and
        `scores`. The model sees the middle of the picture, prepared as its published score was measured.

    Raises:
        ValueError: a protocol was given.
    """
    del scores, info
    if protocol is not None:
        raise ValueError("task 'cls' looks at the middle of a picture once: expected no protocol")
    if model not in _DECODING:
        _DECODING[model] = keras.Model(model.inputs, decode(model.outputs[0], scores=True))
    whole = _DECODING[model]
    known = info_of(model)
    view = view_of(model.input_shape[1:3], known)

    def answer(image):
        found = whole.predict_on_batch(prepare(image, **view)[None].astype(np.float32))
        return {name: np.asarray(value[0]) for name, value in found.items()}

    return answer


def served(ask, info, scores=False):
    """The answerer of an exported model.

    Args:
        ask: a `saved_model.Signatures`.
        info: of the model.
        scores: of no meaning here: probabilities are always answered.

    Returns:
        A function as `answerer` gives it.
    """
    del scores
    if ask.answers("images") == {"labels", "scores"}:
        return lambda image: ask("images", images=image)
    # Exported before graphs prepared pictures: its `images` are inputs of the net already.
    view = view_of(ask.picture_size("raw"), info)

    def answer(image):
        (logits,) = ask("raw", image=prepare(image, **view).astype(np.float32)).values()
        found = decode(logits[None], scores=True)
        return {name: np.asarray(value[0]) for name, value in found.items()}

    return answer

"""One picture of any size -> class ids at its own size."""

import weakref

import keras
import numpy as np
from PIL import Image

from hrnet_keras.tasks.segmentation.decoding import decode

_DECODING = weakref.WeakKeyDictionary()  # model -> {scores: model with decoding}: traced once, not at every question


def answerer(model, *, scores=False):
    """Prepares a model for answering pictures one by one.

    Args:
        model: a segmentation model with output stride 1.
        scores: also answers the probability of the class.

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


def resize(array, size, how):
    """A picture or map of another size `(height, width)`, by one of Pillow's filters."""
    height, width = size
    return np.asarray(Image.fromarray(array).resize((width, height), how))

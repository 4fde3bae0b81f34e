"""Pictures -> answers in the pictures' own coordinates, and their drawings."""

import glob
import os
from types import SimpleNamespace

import numpy as np
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.builders import facts_of
from hrnet_keras.checkpoints import zoo
from hrnet_keras.checkpoints.starting import CHECKPOINTS
from hrnet_keras.converting import from_checkpoint, from_zoo
from hrnet_keras.saved_model import open_saved_model
from hrnet_keras.tasks import part


class Prediction:
    """What a model found in one picture.

    Attributes:
        image: the picture, uint8 RGB `(height, width, 3)`.
        path: where it came from, or `None`.
        facts: of the model: `task`, `class_names`, `palette`.
        label_map, labels, points, scores, boxes, ...: the task's answer, see its `inference`.
    """

    def __init__(self, image, path, facts, answer):
        self.image, self.path, self.facts, self._answer = image, path, facts, answer

    def __getattr__(self, name):
        answer = self.__dict__.get("_answer", {})
        if name not in answer:
            raise AttributeError(f"this prediction has {', '.join(answer) or 'no answer'}, not {name!r}")
        return answer[name]

    def draw(self, **options):
        """Draws the answer over the picture: uint8 RGB; options as in the task's `drawing.draw`."""
        facts = SimpleNamespace(**self.facts)
        return part(self.facts["task"], "drawing").draw(self.image, self._answer, facts, **options)

    def save(self, path, **options):
        """Writes the drawing to `path` (format by its extension) and returns the path."""
        try:
            Image.fromarray(self.draw(**options)).save(path)
        except (OSError, ValueError) as error:
            raise OSError(f"can't write {path}: {error}") from error
        return path


def predict(model, images, *, scores=False, boxes=None, **how):
    """Answers a model's question about pictures.

    Args:
        model: `keras.Model`, path of a `.keras` file or of a checkpoint of PyTorch, SavedModel directory (with or
            without its version), or a published name (`hk.list_weights()`).
        images: path, glob pattern, uint8 RGB array `(height, width, 3)`, or a list of these.
        scores: also answers the probability of the class (Keras models and SavedModels alike).
        boxes: for landmark and pose: the faces or persons to look at, `(n, 4)` xyxy in pixels; with several pictures a
            list of one such array per picture. Landmark looks for the faces itself where none are given.
        **how: for the task's `inference.answerer`: `protocol`, and for landmark `passes` and `box_kind`.

    Returns:
        A list of `Prediction`, one per picture.

    Raises:
        ValueError: no such file, unreadable picture, a model that is none, an array of another shape, a box without
            area or outside of its picture, no boxes for a pose model.
        ImportError: faces are to be looked for without the extra `faces`.

    Example:
        >>> import numpy as np, hrnet_keras as hk
        >>> model = hk.HRNetV2W18SmallV1(task="seg", num_classes=11)
        >>> hk.predict(model, np.zeros((60, 80, 3), "uint8"))[0].label_map.shape
        (60, 80)
    """
    answer, facts = open_model(model, scores=scores, **how)
    facts = with_names(facts)
    pictures = list(_pictures(images))
    if boxes is not None and "boxes" not in getattr(part(facts["task"], "inference"), "NEEDS", ()):
        raise ValueError(f"boxes: a model of task {facts['task']!r} looks at whole pictures: expected none")
    told = [{} for _ in pictures] if boxes is None else [{"boxes": own} for own in _per_picture(boxes, len(pictures))]
    return [
        Prediction(image, path, facts, answer(image, **more))
        for (path, image), more in zip(pictures, told, strict=True)
    ]


def _per_picture(boxes, count):
    """Boxes as one list per picture; for a single picture its boxes alone will do."""
    if count == 1 and _depth(boxes) < 3:
        return [boxes]
    found = list(boxes) if _depth(boxes) > 0 else []
    if len(found) != count or any(_depth(own) < 1 for own in found):
        raise ValueError(f"boxes: {len(found)} lists of boxes for {count} pictures: expected one list per picture")
    return found


def _depth(boxes):
    """How deeply lists are nested: 1 for a box, 2 for the boxes of a picture, 3 for those of several pictures."""
    if isinstance(boxes, np.ndarray):
        return boxes.ndim
    if not isinstance(boxes, (list, tuple)):
        return 0
    return 1 + max(map(_depth, boxes), default=0)


def with_names(facts):
    """Facts with a name and a colour for every class, made up where the model brings none."""
    count = facts.get("num_classes", 0)
    names = facts.get("class_names") or [f"class {i}" for i in range(count)]
    palette = facts.get("palette") or [datasets.distinct_colour(i) for i in range(count)]
    return {**facts, "class_names": names, "palette": palette}


def open_model(model, *, scores=False, **how):
    """Opens whatever the verbs take as a model.

    Args:
        model, scores: as in `predict`.
        **how: for the task's `inference.answerer`, such as `protocol`. A SavedModel answers its own way, and of these
            takes only `facts`, those of a data set that is scored.

    Returns:
        A function from a picture (uint8 RGB) to an answer, and the model's facts.
    """
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        if os.path.isdir(path):
            given = [word for word in ("protocol", "passes", "box_kind") if how.get(word) is not None]
            if given:
                raise ValueError(f"model {path}: a SavedModel answers its own way: give a .keras file for {given[0]}")
            return open_saved_model(path, scores=scores, facts=how.get("facts"))
        model = load_model(path)
    facts = facts_of(model)
    return part(facts["task"], "inference").answerer(model, scores=scores, **how), facts


def load_model(path):
    """Opens a `.keras` file, a checkpoint of PyTorch or a published name as a `keras.Model`.

    Raises:
        ValueError: it is none of these, or is damaged; `DownloadError`: published weights that can't be had.
    """
    if path.endswith(CHECKPOINTS):
        return from_checkpoint(path)[0]
    if any(entry.name == path for entry in zoo.entries()):
        return from_zoo(path)
    return load_keras(path)


def load_keras(path):
    """Loads a `.keras` file; raises `ValueError` where there is none or it is damaged."""
    import keras

    if not os.path.isfile(path) or not path.endswith(".keras"):
        raise ValueError(
            f"model {path}: expected a .keras file, a SavedModel directory, a keras.Model, a checkpoint of PyTorch or "
            "a published name (hrnet-keras models)"
        )
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds for a damaged file
        raise ValueError(f"model {path}: not a readable .keras file ({str(error).splitlines()[0]})") from error


def _pictures(images):
    """`(path or None, uint8 RGB array)` of everything given."""
    if isinstance(images, np.ndarray) and images.ndim == 4:
        images = list(images)
    if not isinstance(images, (list, tuple)):
        images = [images]
    for image in images:
        if isinstance(image, (str, os.PathLike)):
            for path in _matching(os.fspath(image)):
                yield path, datasets.read_image(path)
        else:
            yield None, _checked(np.asarray(image))


def _matching(path):
    if os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        raise ValueError(f"picture {path}: is a folder; give a pattern such as {os.path.join(path, '*.jpg')}")
    found = sorted(glob.glob(path))
    if not found:
        raise ValueError(f"picture {path}: no such file")
    return found


def _checked(image):
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"picture: expected a uint8 array (height, width, 3), given {image.dtype} {image.shape}")
    return image

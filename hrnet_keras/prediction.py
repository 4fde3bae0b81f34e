"""Pictures -> answers in the pictures' own coordinates, and their drawings."""

import glob
import json
import os
from types import SimpleNamespace

import numpy as np
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.builders import facts_of
from hrnet_keras.exporting import FACTS_FILE
from hrnet_keras.loading import load
from hrnet_keras.tasks import part
from hrnet_keras.tasks.agreement import in_model_order


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
            return _open_saved_model(path, scores, how.get("facts"))
        model = load(path)
    facts = facts_of(model)
    if how.get("facts") is not None:
        how["facts"] = in_model_order(facts, how["facts"])
    return part(facts["task"], "inference").answerer(model, scores=scores, **how), facts


def _open_saved_model(path, scores, data):
    import tensorflow as tf

    folder = _version_folder(path)
    facts_file = os.path.join(folder, FACTS_FILE)
    if not os.path.isfile(facts_file):
        raise ValueError(f"model {path}: a SavedModel, but not of this package ({FACTS_FILE} is missing)")
    with open(facts_file, encoding="utf-8") as file:
        facts = json.load(file)
    loaded = tf.saved_model.load(folder)
    if "picture" in loaded.signatures:
        signature = loaded.signatures["picture"]

        def call(image, boxes, owner=loaded):
            contents = tf.io.encode_png(image, compression=0)  # it is decoded at once
            found = signature(image_bytes=contents, boxes=tf.constant(boxes))
            return {name: np.asarray(value, np.float64) for name, value in found.items()}

        return part(facts["task"], "inference").served(call, facts, data), facts
    if scores:
        signature = loaded.signatures["scores"]
        return lambda image: _first(signature(image_bytes=tf.io.encode_png(image)[None])), facts
    signature = loaded.signatures["images"]
    # `loaded` owns the variables: the function must keep it alive.
    return lambda image, owner=loaded: _first(signature(images=tf.constant(image[None]))), facts


def _version_folder(path):
    """The folder that holds `saved_model.pb`: `path` itself or its highest version."""
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        return path
    versions = [int(name) for name in os.listdir(path) if name.isdigit()]
    if not versions:
        raise ValueError(f"model {path}: expected a SavedModel, or a folder of versions 1, 2, ...")
    return _version_folder(os.path.join(path, str(max(versions))))


def _first(answer):
    return {name: np.asarray(value[0]) for name, value in answer.items()}


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

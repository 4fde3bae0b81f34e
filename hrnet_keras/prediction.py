"""Pictures -> answers in the pictures' own coordinates, and their drawings."""

import collections
import glob
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.loading import load
from hrnet_keras.saved_model import open_saved_model
from hrnet_keras.tasks import TASKS, task_named
from hrnet_keras.tasks.agreement import in_model_order
from hrnet_keras.tasks.keypoints.reading import checked_boxes
from hrnet_keras.transforms.upright import BACK, STORED, orientation_of, turned, turned_answer, turned_boxes
from hrnet_keras.writing import whole

KEPT = 256_000_000  # bytes of pictures that a list of predictions holds; of later ones it knows the path


class Prediction:
    """What a model found in one picture.

    Attributes:
        path: where it came from, or `None`.
        info: of the model: `task`, `class_names`, `palette`.
        orientation: 1, or how the picture's EXIF data says that its pixels are to be turned to be upright, 2..8.
        label_map, labels, points, scores, boxes, ...: the task's answer, see its `inference`, in pixels of the picture
            as stored.
    """

    def __init__(self, image, path, info, answer, orientation=STORED):
        self._image, self.path, self.info, self._answer, self.orientation = image, path, info, answer, orientation

    @property
    def image(self):
        """The picture as stored, uint8 RGB `(height, width, 3)`; of a long list it is read from its path again."""
        return datasets.read_image(self.path) if self._image is None else self._image

    def __getattr__(self, name):
        answer = self.__dict__.get("_answer", {})
        if name not in answer:
            raise AttributeError(f"this prediction has {', '.join(answer) or 'no answer'}, not {name!r}")
        return answer[name]

    def draw(self, **options):
        """Draws the answer over the picture, upright: uint8 RGB; options as in the task's `drawing.draw`."""
        info, image = self.info, self.image
        answer = turned_answer(self._answer, self.orientation, image.shape[:2])
        return (
            task_named(self.info.task).module("drawing").draw(turned(image, self.orientation), answer, info, **options)
        )

    def save(self, path, **options):
        """Writes the drawing to `path` (format by its extension; a file there is replaced) and returns the path."""
        drawn = Image.fromarray(self.draw(**options))
        try:
            with whole(path) as file:
                drawn.save(file)
        except (OSError, ValueError) as error:
            raise OSError(f"can't write {path}: {error}") from error
        return path


def predict(model, images, *, scores=False, boxes=None, size=None, stream=False, unreadable="raise", **how):
    """Answers a model's question about pictures.

    A photograph that is stored turned is looked at and drawn upright, as its EXIF data says; boxes that are given, and
    every answer, are in pixels as stored, like the label maps and annotations of data sets.

    Args:
        model: `keras.Model`, path of a `.keras` file or of a checkpoint of PyTorch, SavedModel directory (with or
            without its version), or a published name (`hk.list_weights()`).
        images: path, glob pattern, uint8 RGB array `(height, width, 3)`, or a list or iterator of these.
        scores: also answers the probability of the class (Keras models and SavedModels alike).
        boxes: for landmark and pose: the faces or persons to look at, `(n, 4)` xyxy in pixels; with several pictures a
            list of one such array per picture. Landmark looks for the faces itself where none are given.
        size: for segmentation: at which the net sees every picture, `(height, width)` or one number for the long side;
            the answer is at the picture's own size. Default: the picture's own, or 2048x2048 pixels where it has more.
        stream: answers one by one: pictures are read shortly before it is their turn and forgotten after it, so any
            number of them takes the memory of three.
        unreadable: `"raise"`, or `"skip"`: files that are no readable pictures are left out, with a warning each.
        **how: for the task's `inference.answerer`: `protocol`, and for landmark `passes` and `box_kind`.

    Returns:
        A list of `Prediction`, one per picture; with `stream=True` an iterator over them.

    Raises:
        ValueError: no such file, unreadable picture, a model that is none, an array of another shape, a box without
            area or outside of its picture, no boxes for a pose model, a size that can't be.
        ImportError: faces are to be looked for without the extra `faces`.

    Example:
        >>> import numpy as np, hrnet_keras as hk
        >>> model = hk.HRNetV2W18SmallV1(task="seg", num_classes=11)
        >>> hk.predict(model, np.zeros((60, 80, 3), "uint8"))[0].label_map.shape
        (60, 80)
        >>> for found in hk.predict(model, iter([np.zeros((60, 80, 3), "uint8")]), stream=True):
        ...     print(found.label_map.shape)
        (60, 80)
    """
    if unreadable not in ("raise", "skip"):
        raise ValueError(f"unreadable={unreadable!r}: expected 'raise' or 'skip'")
    answer, info = open_model(model, scores=scores, size=size, **how)
    if boxes is not None and "boxes" not in TASKS[info.task].input_keys:
        raise ValueError(f"boxes: a model of task {info['task']!r} looks at whole pictures: expected none")
    pictures = pictures_of(images)
    if boxes is not None:
        pictures = list(pictures)
        boxes = _per_picture(boxes, len(pictures))
    found = answers(answer, info, pictures, boxes, unreadable=_left_out if unreadable == "skip" else None)
    return found if stream else _few_pictures(found)


def answers(answer, info, pictures, boxes=None, *, unreadable=None):
    """The predictions about pictures, one by one, the next ones read while the net works.

    Args:
        answer, info: as `open_model` gives them.
        pictures: paths and arrays; of an iterator, none is asked for before its turn.
        boxes: `None`, or the boxes of every picture.
        unreadable: a function that is given the path and the error of a picture that can't be read or whose boxes don't
            fit; it is left out. `None`: the error is raised.
    """
    info = with_names(info)
    told = None if boxes is None else iter(boxes)
    for picture, reading in _read_ahead(pictures):
        own = None if told is None else next(told)
        path = picture if isinstance(picture, str) else None
        try:
            image, orientation = reading.result()
            found = _answered(answer, image, orientation, own, path)
        except datasets.DataError as error:
            if unreadable is None or path is None:
                raise
            unreadable(path, error)
            continue
        yield Prediction(image, path, info, found, orientation)


def _answered(answer, image, orientation, boxes, path):
    """The answer about the upright picture, in pixels of the stored one."""
    upright = turned(image, orientation)
    told = {} if boxes is None else {"boxes": boxes}
    try:
        if orientation != STORED and boxes is not None:
            told = {"boxes": turned_boxes(checked_boxes(boxes, image), orientation, image.shape[:2])}
        found = answer(upright, **told)
    except datasets.DataError as error:
        raise datasets.DataError(f"{path}: {error}" if path else str(error)) from error
    return turned_answer(found, BACK[orientation], upright.shape[:2])


def _read_ahead(pictures):
    """Every picture and the future of its pixels and orientation."""
    ahead = 0 if isinstance(pictures, collections.abc.Iterator) else 1
    waiting = collections.deque()
    with ThreadPoolExecutor(1) as pool:
        for picture in pictures:
            waiting.append((picture, pool.submit(_read, picture)))
            if len(waiting) > ahead:
                yield waiting.popleft()
        yield from waiting


def _read(picture):
    if isinstance(picture, str):
        return datasets.read_image(picture), orientation_of(picture)
    return picture, STORED


def _few_pictures(found):
    """The predictions as a list that holds the first pictures: so it stays small, however long it gets."""
    held, kept = [], 0
    for prediction in found:
        kept += prediction.image.nbytes
        if kept > KEPT and prediction.path is not None:
            prediction._image = None
        held.append(prediction)
    return held


def _left_out(path, error):
    del path  # the error names it
    warnings.warn(f"left out: {error}", stacklevel=2)


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


def with_names(info):
    """DatasetInfo with a name and a colour for every class, made up where the model brings none."""
    count = info.num_classes or 0
    names = info.class_names or tuple(f"class {i}" for i in range(count))
    palette = info.palette or tuple(datasets.distinct_colour(i) for i in range(count))
    return replace(info, class_names=names, palette=palette)


def open_model(model, *, scores=False, size=None, **how):
    """Opens whatever the verbs take as a model.

    Args:
        model, scores, size: as in `predict`.
        **how: for the task's `inference.answerer`, such as `protocol`. A SavedModel answers its own way, and of these
            takes only `info`, those of a data set that is scored.

    Returns:
        A function from a picture (uint8 RGB) to an answer, and the model's info.
    """
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        if os.path.isdir(path):
            given = [word for word in ("protocol", "passes", "box_kind") if how.get(word) is not None]
            if given:
                raise ValueError(f"model {path}: a SavedModel answers its own way: give a .keras file for {given[0]}")
            answer, info = open_saved_model(path, scores=scores, info=how.get("info"))
            if _knows_sizes(info.task, size):
                answer = (
                    task_named(info.task).module("inference").served_at(answer, size, bounded=how.get("info") is None)
                )
            return answer, info
        model = load(path)
    info = info_of(model)
    if how.get("info") is not None:
        how["info"] = in_model_order(info, how["info"])
    more = {"size": size} if _knows_sizes(info.task, size) else {}
    return task_named(info.task).module("inference").answerer(model, scores=scores, **more, **how), info


def _knows_sizes(task, size):
    """Whether a task's pictures can be shown at another size; raises `ValueError` where that is asked in vain."""
    knows = TASKS[task].takes_sizes
    if size is not None and not knows:
        raise ValueError(f"size={size!r}: a model of task {task!r} sees all pictures at its own size: expected no size")
    return knows


def pictures_of(images):
    """Everything given, as paths and uint8 RGB arrays: a list, or of an iterator an iterator.

    Raises:
        ValueError: no such file, or an array of another shape.
    """
    if isinstance(images, collections.abc.Iterator):
        return (picture for image in images for picture in _expanded(image))
    if isinstance(images, np.ndarray) and images.ndim == 4:
        images = list(images)
    if not isinstance(images, (list, tuple)):
        images = [images]
    return [picture for image in images for picture in _expanded(image)]


def _expanded(image):
    if isinstance(image, (str, os.PathLike)):
        return _matching(os.fspath(image))
    return [_checked(np.asarray(image))]


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

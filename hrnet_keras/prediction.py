"""Pictures -> results in the pictures' own coordinates, and their drawings."""

import collections
import glob
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets.boxes import checked_boxes
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.predictor import HELD, Predictor, open_predictor
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.processing import PredictOptions, Request
from hrnet_keras.tasks.results import Result
from hrnet_keras.transforms.upright import BACK, STORED, orientation_of, turned, turned_boxes
from hrnet_keras.writing import whole

KEPT = 256_000_000  # bytes of pictures that a list of predictions holds; of later ones it knows the path


class Prediction:
    """What a model found in one picture.

    The task's fields are those of `result`, in pixels of the picture as stored. One that the task does not have, or
    that was not asked for, raises `AttributeError`.

    Attributes:
        path: where the picture came from, or `None`.
        info: of the model: `task`, `class_names`, `palette`.
        result: `Classes`, `LabelMap`, `Points` or `Objects` (`hrnet_keras.tasks.results`).
        orientation: 1, or how the picture's EXIF data says that its pixels are to be turned to be upright, 2..8.
    """

    def __init__(self, image: np.ndarray, path: str | None, info: ModelInfo, result: Result, orientation: int = STORED):
        self._image: np.ndarray | None = image
        self.path = path
        self.info = info
        self.result = result
        self.orientation = orientation

    @property
    def image(self) -> np.ndarray:
        """The picture as stored, uint8 RGB `(height, width, 3)`; of a long list it is read from its path again."""
        if self._image is None:
            return datasets.read_image(self.path)
        return self._image

    @property
    def facts(self) -> dict[str, Any]:
        """Deprecated: `info` as a dict."""
        _warn_deprecated("facts", "info")
        return self.info.to_dict()

    @property
    def labels(self) -> np.ndarray:
        """Class ids of the picture, best first; or of its objects."""
        return self._field("labels")

    @property
    def label_map(self) -> np.ndarray:
        """Class ids of the pixels, `(height, width)`."""
        return self._field("label_map")

    @property
    def points(self) -> np.ndarray:
        """Points `(n, k, 2)` as (x, y)."""
        return self._field("points")

    @property
    def scores(self) -> np.ndarray:
        """Probabilities of `labels`, of objects or of `label_map`, or heights of the heat maps' peaks at `points`."""
        return self._field("scores")

    @property
    def boxes(self) -> np.ndarray:
        """Boxes `(n, 4)` xyxy of the objects or persons, or of the faces as they were cut."""
        return self._field("boxes")

    @property
    def masks(self) -> np.ndarray:
        """Masks of the objects, bool `(n, height, width)`."""
        return self._field("masks")

    @property
    def areas(self) -> np.ndarray:
        """Square pixels of the persons' crops, `(n,)`."""
        return self._field("areas")

    @property
    def shown_size(self) -> tuple[int, int]:
        """(height, width) at which the net saw the picture, where that is not its own size."""
        return self._field("shown_size")

    def _field(self, name: str) -> Any:
        values = self.result.to_dict()
        if name not in values:
            raise AttributeError(f"this prediction has {', '.join(values)}, not {name!r}")
        return values[name]

    def draw(self, **options: Any) -> np.ndarray:
        """Draws the result over the picture, upright: uint8 RGB; options as in the task's `drawing.draw`."""
        image = self.image
        result = self.result.turned(self.orientation, image.shape[:2])
        draw = task_named(self.info.task).module("drawing").draw
        return draw(turned(image, self.orientation), result.to_dict(), self.info, **options)

    def save(self, path: str | os.PathLike[str], **options: Any) -> str | os.PathLike[str]:
        """Writes the drawing to `path` (format by its extension; a file there is replaced) and returns the path."""
        drawn = Image.fromarray(self.draw(**options))
        try:
            with whole(path) as file:
                drawn.save(file)
        except (OSError, ValueError) as error:
            raise OSError(f"can't write {path}: {error}") from error
        return path


def predict(
    model: keras.Model | str | os.PathLike[str],
    images,
    *,
    scores: bool = False,
    boxes=None,
    size: int | tuple[int, int] | None = None,
    min_score: float | None = None,
    people: keras.Model | str | os.PathLike[str] | None = None,
    protocol=None,
    refine_iterations: int | None = None,
    box_format: str | None = None,
    stream: bool = False,
    unreadable: str = "raise",
    passes: int | None = None,
    box_kind: str | None = None,
) -> "list[Prediction] | Iterator[Prediction]":  # fmt: skip
    """Answers a model's question about pictures.

    A photograph that is stored turned is looked at and drawn upright, as its EXIF data says; boxes that are given, and
    every result, are in pixels as stored, like the label maps and annotations of data sets.

    Args:
        model: `keras.Model`, path of a `.keras` file or of a checkpoint of PyTorch, SavedModel directory (with or
            without its version), or a published name (`hk.list_weights()`).
        images: path, glob pattern, uint8 RGB array `(height, width, 3)`, or a list or iterator of these.
        scores: also answers the probability of every pixel's class.
        boxes: for landmark and pose: the faces or persons to look at, `(n, 4)` xyxy in pixels; with several pictures a
            list of one such array per picture. Landmark looks for the faces itself where none are given.
        size: for segmentation: at which the net sees every picture, `(height, width)` or one number for the long side;
            the result is at the picture's own size. Default: the picture's own, or 2048x2048 pixels where it has more.
            For detection: (short, long) side at most; default: that of the training, else (800, 1333).
        min_score: for detection: objects of a lower score are left out; default 0.3.
        people: for pose, where no boxes are given: a detector that knows persons, as `model`: it looks for them.
        protocol: how pictures are shown to the net, see the task's `inference.processor`: for segmentation a `Protocol`
            or a dict of changes, for points a dict with `flip`, for detection a `tasks.detection.protocol.Protocol` or
            a dict of its fields: `sizes`, `flip`, `soft`.
        refine_iterations: for landmark: how often a face is cut again, around the points that were found; default: once
            where the faces come as boxes or are looked for.
        box_format: for landmark: what kind of boxes are given, see `tasks.landmark.faces.BOXES`; default: tight around
            the landmarks.
        stream: answers one by one: pictures are read shortly before it is their turn and forgotten after it, so any
            number of them takes the memory of three. Of a list, pictures share batches instead, which is faster.
        unreadable: `"raise"`, or `"skip"`: files that are no readable pictures are left out, with a warning each.
        passes: deprecated: one more than `refine_iterations`.
        box_kind: deprecated name of `box_format`.

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
        >>> for prediction in hk.predict(model, iter([np.zeros((60, 80, 3), "uint8")]), stream=True):
        ...     print(prediction.label_map.shape)
        (60, 80)
    """
    if unreadable not in ("raise", "skip"):
        raise ValueError(f"unreadable={unreadable!r}: expected 'raise' or 'skip'")
    if passes is not None:
        _warn_deprecated("passes", "refine_iterations, which is one less")
        refine_iterations = _one_less(passes)
    if box_kind is not None:
        _warn_deprecated("box_kind", "box_format")
        box_format = box_kind
    options = PredictOptions(
        scores=scores, protocol=protocol, size=size, min_score=min_score, refine_iterations=refine_iterations,
        box_format=box_format,
    )  # fmt: skip
    predictor = open_predictor(model, options)
    finder = None
    if boxes is not None:
        check_takes_boxes(predictor.info.task, "boxes")
        if people is not None:
            raise ValueError("people: the boxes are given: expected one of the two")
    elif people is not None:
        finder = Finder.of(people, predictor.info)
    pictures = pictures_of(images)
    if boxes is not None:
        pictures = list(pictures)
        boxes = _per_picture(boxes, len(pictures))
    predictions = predict_pictures(
        predictor, pictures, boxes, finder=finder, one_by_one=stream,
        unreadable=_left_out if unreadable == "skip" else None,
    )  # fmt: skip
    return predictions if stream else _few_pictures(predictions)


def check_takes_boxes(task: str, option: str) -> None:
    """Raises `ValueError` where boxes, given as `option`, mean nothing to a model of a task."""
    if "boxes" not in task_named(task).input_keys:
        raise ValueError(f"{option}: a model of task {task!r} looks at whole pictures: expected none")


class Finder:
    """Looks for the objects whose boxes a model of another task is told.

    Args:
        predictor: of a detector.
        label: of the class that is looked for.
    """

    def __init__(self, predictor: Predictor, label: int):
        self.predictor, self.label = predictor, label

    @classmethod
    def of(cls, detector: Any, info: ModelInfo) -> "Finder":
        """For a model.

        Args:
            detector: a model of detection, as `predict` takes models.
            info: of the model that is to be told boxes.

        Raises:
            ValueError: that model is told none, or the detector does not know what it is told.
        """
        wanted = task_named(info.task).boxes_of
        if wanted is None:
            raise ValueError(f"people: a model of task {info.task!r} needs no detector: expected none")
        predictor = open_predictor(detector)
        names = [name.lower() for name in predictor.info.class_names]
        if wanted not in names:
            known = ", ".join(map(repr, predictor.info.class_names)) or "no class by name"
            raise ValueError(f"people: expected a detector that knows {wanted!r}, given one that knows {known}")
        return cls(predictor, names.index(wanted))

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """`boxes` `(n, 4)` xyxy and `box_scores` `(n,)` in an upright picture."""
        words = self.predictor.predict_one(image).to_dict()
        is_wanted = words["labels"] == self.label
        return {"boxes": words["boxes"][is_wanted], "box_scores": words["scores"][is_wanted]}


def _warn_deprecated(word: str, instead: str) -> None:
    warnings.warn(f"{word} is deprecated: use {instead}", DeprecationWarning, stacklevel=3)


def _one_less(passes):
    if not isinstance(passes, int) or passes < 1:
        raise ValueError(f"passes={passes!r}: expected a whole number, 1 or more")
    return passes - 1


def predict_pictures(
    predictor: Predictor, pictures: Iterable[str | np.ndarray], boxes: Iterable | None = None, *,
    finder: Finder | None = None, one_by_one: bool = False,
    unreadable: Callable[[str, Exception], None] | None = None,
) -> Iterator[Prediction]:  # fmt: skip
    """The predictions about pictures in their order, the next picture read while the net works.

    Args:
        predictor: as `open_predictor` gives it.
        pictures: paths and arrays; of an iterator, none is asked for before its turn.
        boxes: `None`, or the boxes of every picture.
        finder: looks for the boxes, where none are given.
        one_by_one: answers every picture before the next is asked for; else pictures share batches.
        unreadable: a function that is given the path and the error of a picture that can't be read or whose boxes don't
            fit; it is left out. `None`: the error is raised.
    """
    info = with_names(predictor.info)
    requests = _requests(predictor, pictures, boxes, finder, one_by_one, unreadable)
    for (image, path, orientation), result in predictor(requests):
        upright_size = turned(image, orientation).shape[:2]
        yield Prediction(image, path, info, result.turned(BACK[orientation], upright_size), orientation)


def _requests(predictor, pictures, boxes, finder, one_by_one, unreadable):
    """What the net is to be shown of every picture, with its pixels, path and orientation."""
    boxes_of_pictures = None if boxes is None else iter(boxes)
    held = 0
    for picture, pixels in _read_ahead(pictures):
        prompts = {} if boxes_of_pictures is None else {"boxes": next(boxes_of_pictures)}
        path = picture if isinstance(picture, str) else None
        try:
            image, orientation = pixels.result()
            if finder is not None:
                found = finder(turned(image, orientation))
                yield (image, path, orientation), predictor.preprocess(turned(image, orientation), **found)
                continue
            request = _request(predictor, image, orientation, prompts, path)
        except datasets.DataError as error:
            if unreadable is None or path is None:
                raise
            unreadable(path, error)
            continue
        yield (image, path, orientation), request
        held += image.nbytes
        if one_by_one or held > HELD:
            yield None
            held = 0


def _request(
    predictor: Predictor, image: np.ndarray, orientation: int, prompts: dict[str, Any], path: str | None
) -> Request:
    """What the net is to be shown of the upright picture; boxes are in pixels of the stored one."""
    try:
        if orientation != STORED and "boxes" in prompts:
            boxes = checked_boxes(prompts["boxes"], image.shape[:2])
            prompts = {"boxes": turned_boxes(boxes, orientation, image.shape[:2])}
        return predictor.preprocess(turned(image, orientation), **prompts)
    except datasets.DataError as error:
        raise datasets.DataError(f"{path}: {error}" if path else str(error)) from error


def _read_ahead(pictures: Iterable) -> Iterator[tuple[Any, Future]]:
    """Every picture and the future of its pixels and orientation."""
    ahead = 0 if isinstance(pictures, collections.abc.Iterator) else 1
    waiting: collections.deque[tuple[Any, Future]] = collections.deque()
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


def _few_pictures(predictions: Iterable[Prediction]) -> list[Prediction]:
    """The predictions as a list that holds the first pictures: so it stays small, however long it gets."""
    listed = []
    kept = 0
    for prediction in predictions:
        kept += prediction.image.nbytes
        if kept > KEPT and prediction.path is not None:
            prediction._image = None
        listed.append(prediction)
    return listed


def _left_out(path, error):
    del path  # the error names it
    warnings.warn(f"left out: {error}", stacklevel=2)


def _per_picture(boxes, count):
    """Boxes as one list per picture; for a single picture its boxes alone will do."""
    if count == 1 and _depth(boxes) < 3:
        return [boxes]
    lists = list(boxes) if _depth(boxes) > 0 else []
    if len(lists) != count or any(_depth(one) < 1 for one in lists):
        raise ValueError(f"boxes: {len(lists)} lists of boxes for {count} pictures: expected one list per picture")
    return lists


def _depth(boxes):
    """How deeply lists are nested: 1 for a box, 2 for the boxes of a picture, 3 for those of several pictures."""
    if isinstance(boxes, np.ndarray):
        return boxes.ndim
    if not isinstance(boxes, (list, tuple)):
        return 0
    return 1 + max(map(_depth, boxes), default=0)


def with_names(info: ModelInfo) -> ModelInfo:
    """The info with a name and a colour for every class, made up where the model brings none."""
    count = info.num_classes or 0
    names = info.class_names or tuple(f"class {i}" for i in range(count))
    palette = info.palette or tuple(datasets.distinct_colour(i) for i in range(count))
    return replace(info, class_names=names, palette=palette)


def pictures_of(images) -> list[str | np.ndarray] | Iterator[str | np.ndarray]:
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
    paths = sorted(glob.glob(path))
    if not paths:
        raise ValueError(f"picture {path}: no such file")
    return paths


def _checked(image):
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"picture: expected a uint8 array (height, width, 3), given {image.dtype} {image.shape}")
    return image

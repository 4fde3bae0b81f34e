"""Pictures -> results, many at once: a task's processor and a runtime put together."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import keras
import numpy as np

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.loading import load
from hrnet_keras.runtime import KerasRuntime, SavedModelRuntime
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.agreement import in_model_order
from hrnet_keras.tasks.processing import Arrays, PredictOptions, Processor, Request, Runtime
from hrnet_keras.tasks.results import Result

MAX_ROWS = 32  # of a batch
MAX_PIXELS = 2**21  # of a batch of several rows: 32 of 256x256. The net's maps take about 400 bytes a pixel
HELD = 64_000_000  # bytes of pictures that may wait for others to share a batch with

Key = TypeVar("Key")


class Predictor:
    """Answers requests about pictures, with the rows of several of them in one batch.

    The result about a picture does not depend on the others but for the rounding of the net's arithmetic, which may
    differ between batches of several sizes.

    Args:
        runtime: runs the net.
        processor: the task's, for this model.

    Attributes:
        info: of the model.

    Example:
        predictor = open_predictor(model)
        for name, result in predictor((name, predictor.preprocess(image)) for name, image in pictures): ...
    """

    def __init__(self, runtime: Runtime, processor: Processor):
        self.runtime = runtime
        self.processor = processor

    @property
    def info(self) -> ModelInfo:
        return self.runtime.info

    def preprocess(self, image: np.ndarray, **prompts: Any) -> Request:
        """What the net is to be shown of a picture: see `tasks.processing.Processor`."""
        return self.processor.preprocess(image, **prompts)

    def predict_one(self, image: np.ndarray, **prompts: Any) -> Result:
        """The result about one picture; arguments as of `preprocess`."""
        ((_, result),) = self([(None, self.preprocess(image, **prompts))])
        return result

    def __call__(self, requests: Iterable[tuple[Key, Request] | None]) -> Iterator[tuple[Key, Result]]:
        """Answers requests in their order.

        Args:
            requests: pairs of a key of any kind and a request. `None` among them: what came before it is answered
                before more is asked for. Else up to `MAX_ROWS` pictures wait for a batch to be full.

        Yields:
            The key and the result of every request.
        """
        pictures: deque[_Picture] = deque()
        batches = _Batches(self)
        for item in requests:
            if item is None:
                batches.finish()
            else:
                pictures.append(_Picture(*item))
                batches.add(pictures[-1])
            yield from _answered(pictures)
        batches.finish()
        yield from _answered(pictures)

    def run(self, batch: np.ndarray) -> Arrays:
        """What the processor decodes of the net's outputs for rows `(n, height, width, 3)`: arrays of `n` entries."""
        mirrored = None
        if self.processor.flip:
            mirrored = self.runtime(batch[:, :, ::-1])
        return self.processor.decode(self.runtime(batch), mirrored)


@dataclass
class _Picture:
    """A picture on its way.

    Attributes:
        decoded: of its rows, as far as they have been run.
        result: `None` until all is done.
    """

    key: Any
    request: Request
    decoded: list[Arrays] = field(default_factory=list)
    result: Result | None = None


def _answered(pictures: deque[_Picture]) -> Iterator[tuple[Any, Result]]:
    """Takes away the first pictures, as far as they have results."""
    while pictures:
        first = pictures[0]
        if first.result is None:
            return
        pictures.popleft()
        yield first.key, first.result


class _Batches:
    """Rows of pictures that wait for the net, all of one size."""

    def __init__(self, predictor: Predictor):
        self.predictor = predictor
        self.waiting: list[tuple[_Picture, np.ndarray]] = []

    def add(self, picture: _Picture) -> None:
        """Takes up the rows of a picture's request; runs what is full, and what is of another size."""
        rows = picture.request.rows
        if not len(rows):
            self._answer(picture, {})
            return
        if self.waiting and self.waiting[0][1].shape != rows.shape[1:]:
            self.finish()
        picture.decoded = []
        self.waiting += [(picture, row) for row in rows]
        limit = _rows_of_batch(rows.shape[1:])
        while len(self.waiting) >= limit:
            self._run(limit)

    def finish(self) -> None:
        """Runs all that waits, and what is asked for then."""
        while self.waiting:
            self._run(_rows_of_batch(self.waiting[0][1].shape))

    def _run(self, count: int) -> None:
        batch = self.waiting[:count]
        self.waiting = self.waiting[count:]
        arrays = self.predictor.run(np.stack([row for _, row in batch]))
        done = []
        for i, (picture, _) in enumerate(batch):
            picture.decoded.append({name: values[i] for name, values in arrays.items()})
            if len(picture.decoded) == len(picture.request.rows):
                done.append(picture)
        for picture in done:
            names = picture.decoded[0]
            self._answer(picture, {name: np.stack([row[name] for row in picture.decoded]) for name in names})

    def _answer(self, picture: _Picture, decoded: Arrays) -> None:
        answer = self.predictor.processor.postprocess(decoded, picture.request.back)
        if isinstance(answer, Request):
            picture.request = answer
            self.add(picture)
        else:
            picture.result = answer


def _rows_of_batch(shape: tuple[int, ...]) -> int:
    height, width = shape[:2]
    return min(MAX_ROWS, max(1, MAX_PIXELS // (height * width)))


def open_predictor(
    model: keras.Model | str | os.PathLike[str],
    options: PredictOptions = PredictOptions(),  # noqa: B008 (frozen)
) -> Predictor:
    """Opens whatever the verbs take as a model.

    Args:
        model: `keras.Model`, path of a `.keras` file or checkpoint, SavedModel directory, or published name.
        options: how pictures are looked at.

    Raises:
        ValueError: a model that is none, or options that the task does not have.
    """
    if isinstance(model, (str, os.PathLike)) and os.path.isdir(model):
        return predictor_of(SavedModelRuntime(os.fspath(model)), options)
    if isinstance(model, (str, os.PathLike)):
        model = load(os.fspath(model))
    return predictor_of(KerasRuntime(model), options)


def predictor_of(runtime: Runtime, options: PredictOptions) -> Predictor:
    """The predictor of an open runtime; arguments and errors as of `open_predictor`."""
    task = task_named(runtime.info.task)
    if options.size is not None and "size" not in task.predict_options:
        raise ValueError(
            f"size={options.size!r}: a model of task {task.name!r} sees all pictures at its own size: expected no size"
        )
    for word in ("refine_iterations", "box_format"):
        value = getattr(options, word)
        if value is not None and word not in task.predict_options:
            raise ValueError(f"{word}={value!r}: means nothing to a model of task {task.name!r}: expected None")
    if options.data is not None:
        options = replace(options, data=in_model_order(runtime.info, options.data))
    return Predictor(runtime, task.module("inference").processor(runtime, options))

"""The seam between pictures and nets: what a picture asks of a net, what runs the net, what makes results of outputs.

A `Processor` (each task's `inference.processor` makes one) turns a picture into a `Request`; a `Runtime` (see
`hrnet_keras.runtime`) turns rows of requests into raw outputs; the processor makes a `Result` of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.results import Result

Arrays = Mapping[str, np.ndarray]


class Runtime(Protocol):
    """Whatever runs a net.

    Attributes:
        info: of the model.
        input_size: (height, width) of the pictures that it takes, `None` where it takes any.
    """

    info: ModelInfo
    input_size: tuple[int | None, int | None]

    def __call__(self, batch: np.ndarray) -> Arrays:
        """Raw outputs by name of a batch `(n, height, width, 3)`, uint8 or float32, RGB 0..255; `n` is any number."""
        ...


@dataclass(frozen=True)
class Request:
    """What the net is to be shown of one picture.

    Attributes:
        rows: `(n, height, width, 3)`, uint8 or float32; there may be none.
        back: the way from the net's outputs for these rows to the picture, as the processor needs it.
    """

    rows: np.ndarray
    back: Any


NO_ROWS = np.zeros((0, 0, 0, 3), np.uint8)


class Processor(Protocol):
    """A task's preprocessing and postprocessing, for one model.

    Attributes:
        flip: whether the net is shown the mirror image of every row, too.
    """

    flip: bool

    def preprocess(self, image: np.ndarray, **prompts: Any) -> Request:
        """What the net is to be shown of an upright picture, uint8 RGB `(height, width, 3)`.

        Args:
            image: the picture.
            **prompts: what is known beside it, such as boxes (`Task.input_keys`).

        Raises:
            DataError: prompts that don't fit the picture.
        """
        ...

    def decode(self, raw: Arrays, mirrored: Arrays | None) -> Arrays:
        """Raw outputs of a batch, and of its mirror image, as arrays with an entry per row."""
        ...

    def postprocess(self, decoded: Arrays, back: Any) -> Result | Request:
        """The result of a picture, or what the net is to be shown of it next.

        Args:
            decoded: of the rows of its request, `{}` where it had none.
            back: of its request.
        """
        ...


@dataclass(frozen=True)
class Signature:
    """A function of an exported model, in TensorFlow.

    Attributes:
        name: by which a client asks it.
        function: of tensors, to a dict of tensors.
        inputs: a `tf.TensorSpec` for each of its arguments, named as clients name them.
    """

    name: str
    function: Callable[..., dict[str, Any]]
    inputs: list[Any]


@dataclass(frozen=True)
class PredictOptions:
    """How pictures are looked at; a task's `predict_options` say which of them it has beside `scores` and `protocol`.

    Attributes:
        scores: also answers the probability of every pixel's class.
        protocol: how pictures are shown to the net, see the task's `inference.processor`.
        size: of the pictures as the net sees them: (height, width), or one number for the long side; of a detector the
            bounds (short, long).
        min_score: objects of a lower score are left out.
        refine_iterations: how often a face is cut again around the points that were found.
        box_format: what kind of boxes of faces are given, see `tasks.landmark.faces.BOXES`.
        data: info of the data set that is scored, its points or classes in the model's order.
    """

    scores: bool = False
    protocol: Any = None
    size: int | tuple[int, int] | None = None
    min_score: float | None = None
    refine_iterations: int | None = None
    box_format: str | None = None
    data: DatasetInfo | None = None


def only_output(raw: Arrays) -> np.ndarray:
    """The one output of a net that has one."""
    (output,) = raw.values()
    return output

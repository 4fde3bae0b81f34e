"""The head of FCOS: at every point the classes, the distances to four edges, and how central it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
from keras.initializers import Constant, RandomNormal
from keras.layers import Activation, ReLU, Reshape

from hrnet_keras.architecture import PYRAMID_CHANNELS
from hrnet_keras.layers import Conv2D, GroupNorm, Scale

NAME = "bbox_head"  # what the layers' names begin with, as mmdet has it
DEPTH = 4  # convolutions of a tower
RARE = -math.log(99)  # bias of the class logits at the start: a probability of 1 %


class PointOutputs(NamedTuple):
    """What the head says of every level's points, float32, row by row.

    Attributes:
        logits: of classes, `(batch, n, classes)` each.
        distances: to the left, top, right and bottom edge in pixels, `(batch, n, 4)`.
        centerness: logits, `(batch, n, 1)`.
    """

    logits: list[Any]
    distances: list[Any]
    centerness: list[Any]


@dataclass(frozen=True)
class FCOSHead:
    """One head for all levels but for a factor of the distances of each.

    Attributes:
        class_tower, box_tower: convolutions and norms in turn.
        classes: `conv_cls`.
        deltas: `conv_reg`.
        center: `conv_centerness`, behind the tower of the classes.
        scales: of every level.

    Source: arXiv:1904.01355, section 3; `FCOSHead` of mmdet 3.3.0 with its group norms ("gn-head").
    """

    class_tower: list[keras.Layer]
    box_tower: list[keras.Layer]
    classes: keras.Layer
    deltas: keras.Layer
    center: keras.Layer
    scales: list[keras.Layer]

    @classmethod
    def create(
        cls, *, count: int, num_levels: int, biases: bool = False, channels: int = PYRAMID_CHANNELS, name: str = NAME
    ) -> "FCOSHead":
        """A new head.

        Args:
            count: of classes.
            num_levels: of the pyramid.
            biases: whether the convolutions of the towers have them.
            channels: of the towers.
            name: what the layers' names begin with.
        """
        towers: dict[str, list[keras.Layer]] = {"cls_convs": [], "reg_convs": []}
        for tower, layers in towers.items():
            for i in range(DEPTH):
                conv = f"{name}.{tower}.{i}"
                layers.append(Conv2D(channels, 3, use_bias=biases, kernel_initializer=_normal(), name=f"{conv}.conv"))
                layers.append(GroupNorm(name=f"{conv}.gn"))
        options = {"dtype": "float32"}
        rare = Constant(RARE)
        return cls(
            towers["cls_convs"],
            towers["reg_convs"],
            Conv2D(count, 3, kernel_initializer=_normal(), bias_initializer=rare, name=f"{name}.conv_cls", **options),
            Conv2D(4, 3, kernel_initializer=_normal(), name=f"{name}.conv_reg", **options),
            Conv2D(1, 3, kernel_initializer=_normal(), name=f"{name}.conv_centerness", **options),
            [Scale(name=f"{name}.scales.{i}", **options) for i in range(num_levels)],
        )

    @classmethod
    def of(cls, model: keras.Model, *, name: str = NAME) -> "FCOSHead":
        """The head that a model has."""
        own = {layer.name.removeprefix(f"{name}."): layer for layer in model.layers if layer.name.startswith(name)}

        def tower(kind: str) -> list[keras.Layer]:
            return [own[f"{kind}.{i}.{part}"] for i in range(DEPTH) for part in ("conv", "gn")]

        count = sum(word.startswith("scales.") for word in own)
        return cls(
            tower("cls_convs"), tower("reg_convs"), own["conv_cls"], own["conv_reg"], own["conv_centerness"],
            [own[f"scales.{i}"] for i in range(count)],
        )  # fmt: skip

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return [*self.class_tower, *self.box_tower, self.classes, self.deltas, self.center, *self.scales]

    def __call__(self, pyramid: Sequence[Any]) -> PointOutputs:
        """Applies the head.

        Args:
            pyramid: the levels, `(batch, height, width, channels)` each; tensors, or symbolic ones of a functional
                model.
        """
        outputs = PointOutputs([], [], [])
        for level, (x, scale) in enumerate(zip(pyramid, self.scales, strict=True)):
            of_classes = _through(self.class_tower, x)
            raw = scale(self.deltas(_through(self.box_tower, x)))
            distances = Activation("exponential", dtype="float32", name=f"points.exp.{level}")(raw)
            maps = (self.classes(of_classes), distances, self.center(of_classes))
            for word, one, whole in zip(PointOutputs._fields, maps, outputs, strict=True):
                flat = Reshape((-1, one.shape[-1]), dtype="float32", name=f"points.{word}.{level}")
                whole.append(flat(one))
        return outputs


def _through(tower: Sequence[keras.Layer], x: Any) -> Any:
    """Convolution, norm, ReLU, and so on."""
    for conv, norm in zip(tower[::2], tower[1::2], strict=True):
        x = ReLU()(norm(conv(x)))
    return x


def _normal() -> keras.Initializer:
    """A new object per layer, as one draws the same numbers every time."""
    return RandomNormal(stddev=0.01)

"""The head of CenterNet: heat maps of corners and centres, behind corner and centre pooling."""

from typing import Any

import keras
from keras.initializers import Constant
from keras.layers import Add, ReLU

from hrnet_keras.backbone import kaiming
from hrnet_keras.layers import BatchNormalization, Conv2D
from hrnet_keras.tasks.detection.parts.corner_pooling import CenterPool, CornerPool

NAME = "bbox_head"  # what the layers' names begin with
POOLED = 128  # channels of what is pooled
RARE = -2.19  # bias of the heat maps' logits at the start: a probability of 10 %
OUTPUTS = ("tl_heat", "br_heat", "ct_heat", "tl_tag", "br_tag", "tl_regr", "br_regr", "ct_regr")
SIDES = {"tl": ("top", "left"), "br": ("bottom", "right")}  # pools of the two corners


def output_layers(name: str = NAME) -> list[str]:
    """Names of the layers that give `OUTPUTS`."""
    return [f"{name}.{output}.1" for output in OUTPUTS]


def triplet_head(x: Any, count: int, *, channels: int = 256, predictors: int = 256, name: str = NAME) -> dict[str, Any]:
    """Builds the head on a map of stride 4.

    Args:
        x: symbolic, `(batch, height, width, channels)`.
        count: of classes.
        channels: of every corner's and the centre's map.
        predictors: channels before every output.
        name: what the layers' names begin with.

    Returns:
        `{one of OUTPUTS: float32 (batch, height, width, n)}`: logits of `count` classes, one tag, two offsets; `tl` is
        of top left corners, `br` of bottom right ones, `ct` of centres.

    Source: arXiv:1904.08189, section 3; the layers' names and sizes are those of its code, without its hourglasses.
    """
    maps = {corner: _corner(x, channels, sides, f"{name}.{corner}_cnv") for corner, sides in SIDES.items()}
    maps["ct"] = _center(x, channels, f"{name}.ct_cnv")
    outputs = {}
    for output in OUTPUTS:
        point, kind = output.split("_")
        size = {"heat": count, "tag": 1, "regr": 2}[kind]
        outputs[output] = _predictor(maps[point], size, predictors, f"{name}.{output}", rare=kind == "heat")
    return outputs


def unit(x: Any, channels: int, name: str, *, kernel: int = 3) -> Any:
    """Convolution, batch norm, ReLU."""
    return ReLU()(_normed(x, channels, kernel, f"{name}.conv", f"{name}.bn"))


def _normed(x: Any, channels: int, kernel: int, conv: str, norm: str) -> Any:
    x = Conv2D(channels, kernel, use_bias=False, kernel_initializer=kaiming(), name=conv)(x)
    return BatchNormalization(name=norm)(x)


def _corner(x: Any, channels: int, sides: tuple[str, str], name: str) -> Any:
    """Cascade corner pooling: along an edge, where every cell has first looked into the box, and along the other."""
    pooled = []
    for i, (along, inwards) in enumerate((sides, sides[::-1]), 1):
        seen = CornerPool(inwards, name=f"{name}.look{i}")(unit(x, POOLED, f"{name}.look_conv{i}"))
        both = Add()([unit(x, POOLED, f"{name}.p{i}_conv1"), seen])
        both = Conv2D(POOLED, 3, use_bias=False, kernel_initializer=kaiming(), name=f"{name}.P{i}_look_conv")(both)
        pooled.append(CornerPool(along, name=f"{name}.pool{i}")(both))
    return _merged(x, Add()(pooled), channels, name)


def _center(x: Any, channels: int, name: str) -> Any:
    """Centre pooling: along both lines through a cell."""
    lines = [unit(x, POOLED, f"{name}.p{i}_conv1") for i in (1, 2)]
    return _merged(x, CenterPool(name=f"{name}.pool")(*lines), channels, name)


def _merged(x: Any, pooled: Any, channels: int, name: str) -> Any:
    pooled = _normed(pooled, channels, 3, f"{name}.p_conv1", f"{name}.p_bn1")
    x = _normed(x, channels, 1, f"{name}.conv1", f"{name}.bn1")
    return unit(ReLU()(Add()([pooled, x])), channels, f"{name}.conv2")


def _predictor(x: Any, size: int, channels: int, name: str, *, rare: bool) -> Any:
    x = Conv2D(channels, 3, activation="relu", kernel_initializer=kaiming(), name=f"{name}.0.conv")(x)
    bias: keras.Initializer = Constant(RARE if rare else 0.0)
    return Conv2D(
        size, 1, kernel_initializer=kaiming(), bias_initializer=bias, dtype="float32", name=f"{name}.1"
    )(x)  # fmt: skip

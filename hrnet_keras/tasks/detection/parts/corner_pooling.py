"""Pooling along lines: a corner gathers what lies along the two edges that leave it, a centre all of its cross."""

from typing import Any

import keras
from keras import KerasTensor, ops

from hrnet_keras.tasks.detection.parts.stages import Stage

BLOCK = 16  # cells that are scanned together
STEPS = (1, 2, 4, 8)
LOWEST = float("-inf")
DEPTH = 3  # blocks of blocks: lines of up to 4,096 cells
ROWS, COLUMNS = 1, 2  # axes of maps
# Corner pools by the names of CornerNet: the axis, and whether the scan begins at its end.
POOLS = {"top": (ROWS, True), "bottom": (ROWS, False), "left": (COLUMNS, True), "right": (COLUMNS, False)}


def running_max(x: Any, axis: int, *, reverse: bool = False) -> Any:
    """The largest value so far along an axis of `(batch, height, width, channels)`, in its shape.

    Blocks of the line are scanned at once, each in steps of 1, 2, 4 and so on; then the blocks' largest values in the
    same way. So a line may be of any length, also of one that is known only when the graph runs, where
    `ops.associative_scan` (Keras 3.15) loses the shapes on TensorFlow.

    Args:
        x: float.
        axis: `ROWS` or `COLUMNS`.
        reverse: from the end to the beginning.
    """
    if axis == COLUMNS:  # blocks of columns are rows of a map as high as all rows together
        batch, height, width, channels = ops.shape(x)
        lines = ops.reshape(x, (batch * height, width, 1, channels))
        return ops.reshape(_scan(lines, reverse, DEPTH), (batch, height, width, channels))
    return _scan(x, reverse, DEPTH)


def _scan(x: Any, reverse: bool, depth: int) -> Any:
    """Along the second axis; `depth`: how often blocks may be made blocks of."""
    batch, length, width, channels = ops.shape(x)
    count = (length + BLOCK - 1) // BLOCK
    blocks = ops.pad(x, [[0, 0], [0, count * BLOCK - length], [0, 0], [0, 0]], constant_values=LOWEST)
    blocks = ops.reshape(blocks, (batch, count, BLOCK, width * channels))
    for step in STEPS:
        blocks = ops.maximum(blocks, _moved(blocks, 2, step, reverse))
    if depth > 1:
        ends = blocks[:, :, :1] if reverse else blocks[:, :, -1:]
        before = _scan(ops.reshape(ends, (batch, count, width, channels)), reverse, depth - 1)
        before = ops.reshape(before, (batch, count, 1, width * channels))
        blocks = ops.maximum(blocks, _moved(before, 1, 1, reverse))
    return ops.reshape(blocks, (batch, count * BLOCK, width, channels))[:, :length]


def _moved(x: Any, axis: int, step: int, reverse: bool) -> Any:
    """Every cell's predecessor so many steps before it; where there is none, less than all others."""
    margins = [[0, 0]] * 4
    margins[axis] = [0, step] if reverse else [step, 0]
    x = ops.pad(x, margins, constant_values=LOWEST)
    if axis == 1:
        return x[:, step:] if reverse else x[:, :-step]
    return x[:, :, step:] if reverse else x[:, :, :-step]


@keras.saving.register_keras_serializable("hrnet_keras")
class CornerPool(Stage):
    """`running_max` towards one side.

    Args:
        side: one of `POOLS`: `"top"` looks from every cell down, `"left"` to its right, and so on.

    Source: arXiv:1808.01244, section 3.3; the names are those of its code.
    """

    def __init__(self, side, **kwargs):
        super().__init__(**kwargs)
        self.side = side

    def call(self, inputs):
        axis, reverse = POOLS[self.side]
        return running_max(inputs, axis, reverse=reverse)

    def compute_output_spec(self, inputs):
        return KerasTensor(inputs.shape, dtype=inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "side": self.side}


@keras.saving.register_keras_serializable("hrnet_keras")
class CenterPool(Stage):
    """The largest value of every cell's column in one map plus that of its row in another.

    Input: `down` and `across`, `(batch, height, width, channels)` each; the output has their shape.

    Source: arXiv:1904.08189, section 3.3, whose code scans every line to both sides, which gives the same.
    """

    def call(self, down, across):
        return ops.max(down, axis=ROWS, keepdims=True) + ops.max(across, axis=COLUMNS, keepdims=True)

    def compute_output_spec(self, down, across):
        return KerasTensor(down.shape, dtype=down.dtype)

"""Where to cut: corners of crops from given random numbers."""

from typing import Any

import numpy as np


def random_origin(scaled: Any, crop: tuple[int, int], numbers: Any) -> np.ndarray:
    """The corner of a crop, every position equally likely.

    A picture smaller than the crop is thought padded at its right and bottom, so its corner is 0 there.

    Args:
        scaled: whole numbers `(2,)`, height and width of the picture.
        crop: `(height, width)`.
        numbers: float32 `(2,)` in [0, 1), for y and x.

    Returns:
        int32 `(2,)`, y and x.
    """
    return random_integer(0, np.maximum(np.asarray(scaled) - crop, 0), numbers)


def random_integer(low: Any, high: Any, number: Any) -> np.ndarray:
    """The integer in `low..high` (both included) that a number in [0, 1) points at, int32."""
    # Single precision, in which the numbers are drawn.
    count = np.asarray(high - low + 1, np.float32)
    steps = (np.asarray(number, np.float32) * count).astype(np.int32)
    return (low + np.minimum(steps, high - low)).astype(np.int32)

"""Answers that are no finite numbers: refused by every metric, since comparisons with NaN count in favour of a net."""

import numpy as np

REASON = "has the training diverged (a lower optimizer.learning_rate helps), or are the weights damaged?"
IGNORED = 255  # in label maps: no class of a data set has this id


class NotFiniteError(ValueError):
    """A model answered NaN or infinity."""


def check_finite(name, **values):
    """Raises `NotFiniteError` where an answer's values are not all finite.

    Args:
        name: of the picture, for the message.
        **values: arrays by the answer's words.
    """
    for word, value in values.items():
        if not np.isfinite(np.asarray(value, np.float64)).all():
            raise NotFiniteError(f"{name}: the answer's {word} are no finite numbers: {REASON}")


def no_class(num_classes):
    """The label of a pixel whose logits are no finite numbers, in a net of so many classes."""
    return IGNORED if num_classes <= IGNORED else -1

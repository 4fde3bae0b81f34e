"""Keys of recipes of earlier versions: what each is called now."""

import logging
from collections.abc import Container
from typing import Any

logger = logging.getLogger("hrnet_keras.recipe")

# `data` and `train` held what now stands in sections of its own.
_AUGMENT = (
    "scale", "scale_step", "base_size", "flip", "brightness", "contrast", "saturation", "convention", "codec", "sigma",
    "scaling", "rotation", "half_body", "shift",
)  # fmt: skip
_OPTIMIZER = ("learning_rate", "momentum", "nesterov", "weight_decay", "rate_factors")
_SCHEDULE = ("milestones", "warmup_epochs", "warmup_steps")
_LOSS = ("ohem_threshold", "ohem_min_kept", "auxiliary_weight", "class_weights")
_NEW_KEYS = {
    **{f"data.{name}": f"augment.{name}" for name in _AUGMENT},
    **{f"train.{name}": f"optimizer.{name}" for name in _OPTIMIZER},
    **{f"train.{name}": f"schedule.{name}" for name in _SCHEDULE},
    **{f"train.{name}": f"loss.{name}" for name in _LOSS},
    "data.rules": "augment.convention",
    "train.optimizer": "optimizer.name",
    "train.schedule": "schedule.name",
    "train.loss": "loss.name",
}
_NEW_VALUES = {("augment.codec", "classic"): "msra"}


def new_key(key: str, keys: Container[str]) -> str:
    """What a dotted key is called now.

    Args:
        key: as somebody wrote it.
        keys: that the task of the recipe has: `data.crop` is now the crop or the size of the input, as the task has it.

    Returns:
        The new key; `key` itself where it was never renamed.
    """
    if key == "data.crop":
        return "augment.crop" if "augment.crop" in keys else "augment.input_size"
    return _NEW_KEYS.get(key, key)


def new_value(key: str, value: Any) -> Any:
    """What the value of a key, by its new name, is called now; the value itself where it was never renamed."""
    return _NEW_VALUES.get((key, value), value) if isinstance(value, str) else value


def warn_of_old_keys(old_keys: dict[str, str]) -> None:
    """Logs a line for every old key of a recipe, `{old: new}`."""
    for old, new in old_keys.items():
        logger.warning("%s is called %s now: the old name is still read", old, new)

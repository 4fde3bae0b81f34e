"""The data sets that published weights were trained on: their names and colours, and what their scores are of."""

import functools
import inspect
import json
from importlib import resources
from typing import Any

from hrnet_keras.datasets import NAMES, DatasetInfo, module_of


@functools.cache
def published(name: str) -> DatasetInfo | None:
    """The `DatasetInfo` of a published data set, as far as labelling pictures needs it; `None` where unknown.

    Args:
        name: `"imagenet"`, `"cityscapes"`, `"pascal_context_59"`, `"pascal_context_60"`, `"lip"`, `"ade20k"`,
            `"cocostuff"`, `"voc2012"`, `"coco"`, `"mpii"`, `"300w"`, `"wflw"`, `"aflw"`, `"cofw"`.
    """
    row = _rows().get(name)
    if row is None:
        return None
    return DatasetInfo(name, **{key: _frozen(value) for key, value in row.items()})


def published_info(name: str) -> DatasetInfo:
    """As `published`, of a data set that is known to be there."""
    info = published(name)
    assert info is not None, name
    return info


def _frozen(value: Any) -> Any:
    """Lists, also in lists, as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def scored_on(name: str, lineage: str | None = None) -> tuple[str, str, dict[str, Any]]:
    """What to open with `hrnet_keras.datasets.load` to measure a published score again.

    Args:
        name: of the data set, as published weights give it: `"pascal_context_59"` is `"pascal_context"` in 59 classes.
        lineage: of the weights, for the sets that each lineage reads its own way (COCO, COFW): `"mmlab"` or another;
            `None` leaves it to the set.

    Returns:
        Name, split (the module's `TEST_SPLIT`, else `"val"`) and options.
    """
    base = name.removesuffix("_59").removesuffix("_60")
    options: dict[str, Any] = {}
    if base != name:
        options["classes"] = int(name[-2:])
    if base not in NAMES:
        return base, "val", options
    module = module_of(base)
    if lineage is not None and "lineage" in inspect.signature(module.load).parameters:
        options["lineage"] = "mmlab" if lineage == "mmlab" else "official"
    return base, getattr(module, "TEST_SPLIT", "val"), options


@functools.cache
def _rows() -> dict[str, dict[str, Any]]:
    text = resources.files("hrnet_keras.datasets").joinpath("published.json").read_text(encoding="utf-8")
    return json.loads(text)

"""Names and colours of the data sets that published weights were trained on."""

import functools
import json
from importlib import resources

from hrnet_keras.datasets import Facts


@functools.cache
def published(name):
    """The `Facts` of a published data set, as far as labelling pictures needs them; `None` where nothing is known.

    Args:
        name: `"imagenet"`, `"cityscapes"`, `"pascal_context_59"`, `"pascal_context_60"`, `"lip"`, `"ade20k"`,
            `"cocostuff"`, `"voc2012"`, `"coco"`, `"mpii"`.
    """
    row = _rows().get(name)
    if row is None:
        return None
    lists = {key: tuple(tuple(x) if isinstance(x, list) else x for x in value) for key, value in row.items()}
    return Facts(name, **lists)


@functools.cache
def _rows():
    text = resources.files("hrnet_keras.datasets").joinpath("published.json").read_text(encoding="utf-8")
    return json.loads(text)

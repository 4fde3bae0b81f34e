"""Detectors made of `tasks.detection.parts`: one file each, and none knows another.

| a file promises | |
|---|---|
| `build(pyramid, sizes, count, rules)` | the pyramid -> detections, for a functional model |
| `rules_of(lineage)` | the conventions of a lineage's nets, with `v1` and `drawing` |
| `LOSSES` | names of what is minimised, and their weights |
| `inputs_of(model)` | names of the layers whose outputs the `Learner` is called with, where it is not the pyramid's |
| `Learner` | `Learner(model, rules, samplers)`, called with the pyramid and `Truths`: `{name: a value per example}` |
"""

import importlib
from typing import Any

MODULES = {
    "faster_rcnn": "faster_rcnn",
    "mask_rcnn": "mask_rcnn",
    "cascade_rcnn": "cascade_rcnn",
    "cascade_mask_rcnn": "cascade_mask_rcnn",
    "htc": "htc",
    "fcos": "fcos",
    "fcos_6l": "fcos_6l",
    "centernet": "centernet",
}


def framework(name: str) -> Any:
    """The module of a framework, one of `MODULES`."""
    return importlib.import_module(f"hrnet_keras.tasks.detection.frameworks.{MODULES[name]}")

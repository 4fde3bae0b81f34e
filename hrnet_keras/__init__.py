"""HRNet for Keras: high-resolution networks for labelling pixels and regions (arXiv:1904.04514)."""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING

from hrnet_keras.after_keras import register_classes as _register_classes

__version__ = "0.1.0"

_MODULES = {
    "Recipe": "recipe",
    "evaluate": "evaluation",
    "export": "exporting",
    "list_weights": "checkpoints",
    "load": "loading",
    "load_torch_weights": "checkpoints",
    "predict": "prediction",
    "save_torch_weights": "checkpoints",
    "train": "training",
}


def __getattr__(name):
    """Loads a promised name on first use, so that `import hrnet_keras` and `hrnet-keras --help` cost no TensorFlow."""
    if name not in __all__:
        raise AttributeError(f"module 'hrnet_keras' has no attribute {name!r}")
    value = getattr(_importlib.import_module(f"hrnet_keras.{_MODULES.get(name, 'builders')}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])


_register_classes()

if _TYPE_CHECKING:  # for editors and type checkers: what `__getattr__` finds
    from hrnet_keras.builders import (
        HRNetV1W18,
        HRNetV1W18SmallV1,
        HRNetV1W18SmallV2,
        HRNetV1W30,
        HRNetV1W32,
        HRNetV1W40,
        HRNetV1W44,
        HRNetV1W48,
        HRNetV1W64,
        HRNetV2pW18,
        HRNetV2pW18SmallV1,
        HRNetV2pW18SmallV2,
        HRNetV2pW30,
        HRNetV2pW32,
        HRNetV2pW40,
        HRNetV2pW44,
        HRNetV2pW48,
        HRNetV2pW64,
        HRNetV2W18,
        HRNetV2W18SmallV1,
        HRNetV2W18SmallV2,
        HRNetV2W30,
        HRNetV2W32,
        HRNetV2W40,
        HRNetV2W44,
        HRNetV2W48,
        HRNetV2W64,
    )
    from hrnet_keras.checkpoints import list_weights, load_torch_weights, save_torch_weights
    from hrnet_keras.evaluation import evaluate
    from hrnet_keras.exporting import export
    from hrnet_keras.loading import load
    from hrnet_keras.prediction import predict
    from hrnet_keras.recipe import Recipe
    from hrnet_keras.training import train

__all__ = [
    "HRNetV1W18",
    "HRNetV1W18SmallV1",
    "HRNetV1W18SmallV2",
    "HRNetV1W30",
    "HRNetV1W32",
    "HRNetV1W40",
    "HRNetV1W44",
    "HRNetV1W48",
    "HRNetV1W64",
    "HRNetV2W18",
    "HRNetV2W18SmallV1",
    "HRNetV2W18SmallV2",
    "HRNetV2W30",
    "HRNetV2W32",
    "HRNetV2W40",
    "HRNetV2W44",
    "HRNetV2W48",
    "HRNetV2W64",
    "HRNetV2pW18",
    "HRNetV2pW18SmallV1",
    "HRNetV2pW18SmallV2",
    "HRNetV2pW30",
    "HRNetV2pW32",
    "HRNetV2pW40",
    "HRNetV2pW44",
    "HRNetV2pW48",
    "HRNetV2pW64",
    "Recipe",
    "evaluate",
    "export",
    "list_weights",
    "load",
    "load_torch_weights",
    "predict",
    "save_torch_weights",
    "train",
]

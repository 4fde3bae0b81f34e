"""Makes `import hrnet_keras` enough for Keras to read our files, without importing Keras."""

import importlib
import importlib.util
import sys

CLASSES = "hrnet_keras.serialization"


def register_classes():
    """Makes our classes known to Keras: at once where Keras is loaded, else as soon as somebody imports it.

    Keras reads a class of a file only where it has been registered, and registering needs Keras, whose import takes
    seconds. So the import of Keras is watched for.
    """
    if "keras" in sys.modules:
        importlib.import_module(CLASSES)
    elif not any(isinstance(finder, _KerasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _KerasFinder())


class _KerasFinder:
    """Finds `keras` as it would be found anyway, once, and registers our classes when its import is done."""

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            _then_import(spec.loader, CLASSES)
        return spec


def _then_import(loader, name):
    execute = loader.exec_module

    def execute_and_import(module):
        del loader.exec_module  # the loader's own again
        execute(module)
        importlib.import_module(name)

    loader.exec_module = execute_and_import

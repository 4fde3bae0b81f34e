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
    """Finds `keras` as it would be found anyway, once, and registers our classes when its import is done.

    Where a module of ours is what imports Keras, our classes can't be imported yet, as they need that module: then they
    are as soon as anything else is imported.
    """

    has_keras = False

    def find_spec(self, name, path=None, target=None):
        if self.has_keras and not name.startswith("hrnet_keras"):
            self.register()
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            self._register_after(spec.loader)
        return spec

    def register(self):
        """Imports our classes, or waits for the next import where one of our modules is not complete yet."""
        self.has_keras = False  # what is imported now must not come back here
        try:
            importlib.import_module(CLASSES)
        except ImportError:
            self.has_keras = True
        if self.has_keras and self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        elif not self.has_keras and self in sys.meta_path:
            sys.meta_path.remove(self)

    def _register_after(self, loader):
        execute = loader.exec_module

        def execute_and_register(module):
            del loader.exec_module  # the loader's own again
            execute(module)
            self.register()

        loader.exec_module = execute_and_register

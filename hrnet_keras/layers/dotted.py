"""Dots in the names of layers, on every backend."""

import keras


class DottedName:
    """Lets a layer of a dotted name (`layer1.0.conv1`) have weights on the PyTorch backend too.

    Keras (3.15) registers variables with PyTorch under their paths, and PyTorch's parameters must not have dots in
    their names.
    """

    def add_weight(self, *args, **kwargs):
        variable = super().add_weight(*args, **kwargs)
        if keras.backend.backend() == "torch":
            variable._path = variable._path.replace(".", "_")
        return variable

"""What of a model every format is made of: the folded net, what it means, and how pictures become results around it."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from hrnet_keras.compacting import thin_out
from hrnet_keras.folding import fold_batch_norm
from hrnet_keras.layers.model_info import ModelInfo, find_info
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.processing import Signature


@dataclass(frozen=True)
class Deployable:
    """A model ready to be written in any format.

    A format that holds the net alone is used with the task's `inference.processor`; one that holds TensorFlow graphs
    gets the same steps as `signatures`.

    Attributes:
        name: of the model.
        net: float32, batch norms folded.
        output_names: of the net's outputs, without dots; those of a dict of outputs are its keys.
        info: of the model, `None` for feature maps.
        halved: whether weights are stored as 16-bit floats, with which the net computes in float32.
    """

    name: str
    net: keras.Model
    output_names: tuple[str, ...]
    info: ModelInfo | None
    halved: bool = False

    def signatures(self, forward: Callable) -> list[Signature]:
        """The functions from pictures to results, in TensorFlow; none for feature maps.

        Args:
            forward: calls the net.
        """
        if self.info is None:
            return []
        return task_named(self.info.task).module("serving").signatures(forward, self.info)


def deployable_of(model: keras.Model, *, compact: bool = False) -> Deployable:
    """That of a `keras.Model` of this package, of any precision.

    Args:
        model: the model.
        compact: whether its large layers are thinned out and its weights halved.
    """
    net = fold_batch_norm(model)
    if compact:
        net = thin_out(net)
    names = [_name_of(output) for output in net.outputs]
    if isinstance(net.output, dict):
        names = list(net.output)
    return Deployable(model.name, net, tuple(names), find_info(model), halved=compact)


def _name_of(output):
    """The name of the layer that made an output."""
    return output._keras_history.operation.name.replace(".", "_")

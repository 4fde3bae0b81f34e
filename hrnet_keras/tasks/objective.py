"""What training minimises: named losses of a batch, and the model that is fitted to them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import ops

OWN_OUTPUT = "output"  # what a model answers, where an objective needs outputs of inner layers beside it


@dataclass(frozen=True)
class Objective:
    """What a model learns from.

    Called with the model's outputs and the stream's targets, of whatever structure the task has, it returns
    `{name: values}`: a value per example, `(batch,)`, of every loss. A value is never a mean over the batch: where
    replicas share a batch, Keras takes the mean over all of them.

    Attributes:
        losses: the function.
        weights: `{name: factor in the sum}` of every loss, in the order in which they are added.
        layers: `{name: layer}` of inner layers whose outputs the losses need. Where there are any, the function gets a
            dict: `OWN_OUTPUT` is what the model answers, the rest is named as here.
        needs_output: whether the losses look at what the model answers.
        bind: of an objective whose losses run layers of the model by themselves: makes it one for a model.
        used: what such losses use beside the inner layers: layers, and generators of random numbers.
    """

    losses: Callable[[Any, Any], dict[str, Any]]
    weights: dict[str, float]
    layers: dict[str, str] = field(default_factory=dict)
    needs_output: bool = True
    bind: Callable[[keras.Model], "Objective"] | None = None
    used: tuple[Any, ...] = ()

    def __call__(self, outputs: Any, targets: Any) -> dict[str, Any]:
        return self.losses(outputs, targets)


def objective_of(loss: keras.losses.Loss) -> Objective:
    """The objective of one loss of the model's only output.

    Args:
        loss: of Keras, with `reduction="none"`: a value per example.
    """
    return Objective(lambda outputs, targets: {loss.name: loss(targets, outputs)}, {loss.name: 1.0})


class _MeanOfValues(keras.losses.Loss):
    """The mean of values that stand in both places; scaled for the strategy in force, as Keras scales every loss."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred


@keras.saving.register_keras_serializable("hrnet_keras")
class ObjectiveModel(keras.Model):
    """A functional model whose loss is an `Objective`; `compile` gives it an optimizer and no loss.

    Every loss is logged by its name where there are several. Without an objective, as after loading, it is a model like
    any other.
    """

    objective: Objective | None = None

    @classmethod
    def of(cls, model: keras.Model, objective: Objective) -> "ObjectiveModel":
        """The model to fit in the place of another, whose layers and weights it shares."""
        if objective.bind is not None:
            objective = objective.bind(model)
        outputs = model.output
        if objective.layers:
            outputs = {OWN_OUTPUT: model.output} if objective.needs_output else {}
            outputs |= {name: model.get_layer(layer).output for name, layer in objective.layers.items()}
        fitted = cls(model.input, outputs, name=model.name)
        fitted.objective = objective
        fitted.used = list(objective.used)  # so that Keras knows of their variables
        fitted.mean = _MeanOfValues(name="mean")
        fitted.means = {}
        if len(objective.weights) > 1:
            fitted.means = {name: keras.metrics.Mean(name) for name in objective.weights}
        return fitted

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The weighted sum of the objective's losses and of what layers add, as Keras calls it."""
        if self.objective is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        total = 0.0
        for name, values in self.objective(y_pred, y).items():
            loss = self.mean(values, values)
            if name in self.means:
                self.means[name].update_state(ops.mean(values))
            total = total + loss * self.objective.weights[name]
        for added in self.losses:
            values = ops.reshape(ops.sum(added), (1,))
            total = total + self.mean(values, values)
        return total

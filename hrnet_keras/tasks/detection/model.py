"""The detector as a Keras model: `compile` and `fit` train it, calling it detects."""

from typing import Any

import keras

from hrnet_keras.layers.model_info import info_of
from hrnet_keras.tasks.detection.losses import objective
from hrnet_keras.tasks.detection.recipe import Loss
from hrnet_keras.tasks.objective import ObjectiveModel


class _Held:
    """Keeps Keras from tracking a model that shares all its layers with another."""

    def __init__(self, model: ObjectiveModel):
        self.model = model


@keras.saving.register_keras_serializable("hrnet_keras")
class Detector(keras.Model):
    """A functional model from pictures to detections that learns by the objective of its framework.

    `compile(optimizer=...)` takes no loss; `fit` takes what `tasks.detection.pipeline.training` gives: pictures
    `(batch, height, width, 3)` with padding below 0, and targets `boxes` `(batch, m, 4)` xyxy in pixels, `labels`
    `(batch, m)`, -1 for padding, and `masks` and `semantic` where the framework learns them.
    """

    _held: _Held | None = None

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, **options: Any) -> None:
        """As Keras's, without a loss.

        Raises:
            ValueError: a loss is given.
        """
        if loss is not None:
            raise ValueError(f"loss={loss!r}: a detector brings its own losses; compile it with an optimizer alone")
        learner = ObjectiveModel.of(self, objective(Loss(), info_of(self), None))
        self._held = _Held(learner)
        super().compile(optimizer=optimizer, **options)
        self.optimizer.build(self.trainable_variables)  # else the first step writes the graph twice

    @property
    def metrics(self) -> list[keras.Metric]:
        """Keras's, and a mean of every loss."""
        own = super().metrics
        if self._held is None:
            return own
        return [*own, *self._held.model.means.values()]

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Detections; while it is fitted, what the losses are made of."""
        if training and self._held is not None:
            return self._held.model(inputs, training=True)
        return super().call(inputs, training=training, mask=mask)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The weighted sum of the framework's losses, as Keras calls it."""
        if self._held is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:  # then Keras hands over detections
            y_pred = self._held.model(x, training=False)
        return self._held.model.compute_loss(x, y, y_pred, sample_weight, training)

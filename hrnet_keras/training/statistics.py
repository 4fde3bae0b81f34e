"""Running statistics of batch norms measured anew, where a training is too short for the moving averages to arrive."""

import itertools
import logging
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

logger = logging.getLogger(__name__)

# A moving average of momentum m remembers its start with m^steps: after 10 / (1 - m) steps 5e-5 is left of it.
TIME_CONSTANTS = 10
MIN_BATCHES, MAX_PICTURES = 10, 1000  # the source finds 1,000 pictures to be enough


def is_short(model: keras.Model, steps: int) -> bool:
    """Whether the moving averages of a model's trained batch norms still depend on where they started after `steps`."""
    return any(steps < TIME_CONSTANTS / (1 - layer.momentum) for layer in _norms(model))


def recompute_statistics(model: keras.Model, batches: Iterable[Any]) -> int:
    """Replaces the running mean and variance of every trained batch norm by those of the given batches.

    All batches meet the same weights; a layer's mean is that of the batches' means, its variance that of all their
    values together: `E[mean^2 + variance] - E[mean]^2`. Batch norms that are frozen stay as they are.

    Args:
        model: a functional `keras.Model` on the TensorFlow backend; its statistics change, its weights don't.
        batches: iterable of float32 `(batch, height, width, 3)` pictures as the model takes them, at least one.

    Returns:
        How many batches were used.

    Raises:
        ValueError: no batch.

    Source: Wu and Johnson, "Rethinking 'Batch' in BatchNorm", arXiv:2105.07576, section 3.
    """
    import tensorflow as tf

    layers = _norms(model)
    momenta = [layer.momentum for layer in layers]
    means: list[Any] = [0.0] * len(layers)
    squares: list[Any] = [0.0] * len(layers)
    count = 0
    for layer in layers:
        layer.momentum = 0.0  # so each step leaves the statistics of its batch alone
    norms = keras.Model(model.inputs, [layer.output for layer in layers])  # what comes behind them is not run

    @tf.function(reduce_retracing=True)
    def forward(images):
        norms(images, training=True)

    try:
        for images in batches:
            forward(images)
            count += 1
            for i, layer in enumerate(layers):
                mean = np.asarray(layer.moving_mean, np.float64)
                variance = np.asarray(layer.moving_variance, np.float64)
                means[i] = means[i] + mean
                squares[i] = squares[i] + variance + mean**2
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if not count:
        raise ValueError("no batch to take statistics of")
    for layer, mean, square in zip(layers, means, squares, strict=True):
        mean = mean / count
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(np.maximum(square / count - mean**2, 0))
    return count


class Statistics(keras.callbacks.Callback):
    """Measures the running statistics anew at the end of every epoch that is scored, while the training is short.

    Args:
        model: whose batch norms; shares its weights with the fitted one.
        stream: function from an epoch, counted from 0, to batches `(images, ...)` of the training.
        steps: batches of an epoch.
        batch: pictures per batch.
        every: epochs between scores; the last epoch is always scored.
    """

    def __init__(
        self, model: keras.Model, stream: Callable[[int], Iterable[Any]], *, steps: int, batch: int, every: int = 1
    ):
        super().__init__()
        self.measured = model
        self.stream = stream
        self.steps = steps
        self.every = every
        self.batches = max(MIN_BATCHES, min(steps, MAX_PICTURES // batch))
        self._said = False

    def on_epoch_end(self, epoch, logs=None):
        done = (epoch + 1) * self.steps
        is_scored = (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]
        if not is_scored or not is_short(self.measured, done):
            return
        images = (batch[0] for batch in itertools.islice(self.stream(epoch), self.batches))
        count = recompute_statistics(self.measured, images)
        if not self._said:
            logger.info("\nbatch norm: %d steps are few, so its statistics are measured over %d batches", done, count)
            self._said = True


def _norms(model: keras.Model) -> list[keras.layers.Layer]:
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    return [layer for layer in norms if layer.trainable and not getattr(layer, "keeps_statistics", False)]

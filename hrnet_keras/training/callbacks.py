"""What happens between epochs: the official score, the best model, a line of history, a backup to resume from."""

import json
import math
import os
import time

import keras
from keras import ops

from hrnet_keras.builders import facts_of
from hrnet_keras.evaluation import evaluate
from hrnet_keras.tasks import part
from hrnet_keras.tasks.finite import REASON, NotFiniteError


class Backup(keras.callbacks.BackupAndRestore):
    """Keras's backup after every epoch, keeping the one before until the new one is whole."""

    def __init__(self, folder):
        super().__init__(folder, save_freq="epoch", double_checkpoint=True)


class Scores(keras.callbacks.Callback):
    """Scores the model on held-out pictures, keeps the best one and writes a line per epoch.

    Args:
        model: the model to score and to keep, which the fitted one shares its weights with.
        dataset: the held-out `Dataset`.
        folder: gets `history.jsonl` and `best.keras`.
        every: epochs between scores; the last epoch is always scored.
    """

    def __init__(self, model, dataset, folder, *, every=1):
        super().__init__()
        self.scored, self.dataset, self.every = model, dataset, every
        self.history_file = os.path.join(folder, "history.jsonl")
        self.best_file = os.path.join(folder, "best.keras")
        metric = part(facts_of(model)["task"], "metrics").Metric(dataset.facts)
        self.main, self.lower_is_better = metric.main, getattr(metric, "lower_is_better", False)
        self.best = -math.inf
        self._began = 0.0

    def on_train_begin(self, logs=None):
        """Reads the best score so far of a run that goes on."""
        for line in _lines(self.history_file):
            self.best = max(self.best, self._worth(line.get(line.get("main"), math.nan)))

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        line = {"epoch": epoch + 1, "loss": float(logs.get("loss", math.nan))}
        line["seconds"] = round(time.perf_counter() - self._began, 2)
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            line |= self._score(logs)
        with open(self.history_file, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _worth(self, figure):
        """The main figure as a number that is the higher the better; the lowest of all where there is none."""
        if not math.isfinite(figure):
            return -math.inf
        return -figure if self.lower_is_better else figure

    def _evaluated(self):
        """The metric's result; raises `NotFiniteError` where the net has diverged."""
        for weight in self.scored.weights:
            if not math.isfinite(float(ops.sum(ops.abs(ops.cast(weight, "float32"))))):
                raise NotFiniteError(f"weights {weight.path} are no finite numbers: {REASON}")
        return evaluate(self.scored, self.dataset, verbose=False)

    def _score(self, logs):
        try:
            result = self._evaluated()
        except NotFiniteError as error:  # what has no score must not become the best
            print(f"\nno score: {error}")
            return {}
        worth = self._worth(result[self.main])
        if worth > self.best or not os.path.exists(self.best_file):
            self.best = worth
            self.scored.save(self.best_file)
        logs |= {name: value for name, value in result.items() if isinstance(value, float)}
        return {"main": self.main, **result}


def _lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]

"""What happens between epochs: the official score, the state to go on from, the best model, a line of history."""

import json
import logging
import math
import os
import time
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from hrnet_keras.datasets import Dataset
from hrnet_keras.evaluation import evaluate
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.finite import REASON, NotFiniteError
from hrnet_keras.training.output import save_whole, write, writing

logger = logging.getLogger(__name__)


class Scores(keras.callbacks.Callback):
    """Scores the model on held-out pictures, keeps the best one and writes a line per epoch.

    Args:
        model: the model to score and to keep, which the fitted one shares its weights with.
        dataset: the held-out `Dataset`.
        folder: gets `history.jsonl` and `best.keras`.
        every: epochs between scores; the last epoch is always scored.
        keep: called with the number of epochs done and the lines so far before anything else is written: makes the
            state to go on from, which the other files can be made again from.
    """

    def __init__(
        self, model: keras.Model, dataset: Dataset, folder: str, *, every: int = 1,
        keep: Callable[[int, list[dict[str, Any]]], None] | None = None,
    ):  # fmt: skip
        super().__init__()
        self.scored = model
        self.dataset = dataset
        self.every = every
        self.keep = keep
        self.history_file = os.path.join(folder, "history.jsonl")
        self.best_file = os.path.join(folder, "best.keras")
        metric = task_named(info_of(model).task).module("metrics").Metric(dataset.info)
        self.main = metric.main
        self.lower_is_better = getattr(metric, "lower_is_better", False)
        self.best = -math.inf
        self.lines: list[dict[str, Any]] = []
        self._began = 0.0

    def go_on(self, lines: list[dict[str, Any]]) -> None:
        """Takes up a run that has written these lines, whose last weights the model has: writes its files again."""
        write(self.history_file, "".join(json.dumps(line) + "\n" for line in lines))
        worths = [self._worth_of(line) for line in lines]
        if worths and worths[-1] > max(worths[:-1], default=-math.inf):
            # The run may have been cut off between the state and this file.
            save_whole(self.scored, self.best_file)

    def on_train_begin(self, logs=None):
        """Reads the best score so far of a run that goes on."""
        self.lines = _lines(self.history_file)
        self.best = max(map(self._worth_of, self.lines), default=-math.inf)

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        line = {"epoch": epoch + 1, "loss": float(logs.get("loss", math.nan))}
        line["seconds"] = round(time.perf_counter() - self._began, 2)
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            line |= self._score(logs)
        self.lines.append(line)
        if self.keep is not None:
            self.keep(epoch + 1, self.lines)
        if "main" in line:
            self._keep_best(self._worth_of(line))
        with writing(self.history_file), open(self.history_file, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _worth_of(self, line: dict[str, Any]) -> float:
        return self._worth(line.get(line.get("main", ""), math.nan))

    def _worth(self, figure: float) -> float:
        """The main figure as a number that is the higher the better; the lowest of all where there is none."""
        if not math.isfinite(figure):
            return -math.inf
        return -figure if self.lower_is_better else figure

    def _evaluated(self) -> dict[str, Any]:
        """The metric's result; raises `NotFiniteError` where the net has diverged."""
        for weight in self.scored.weights:
            if not math.isfinite(float(ops.sum(ops.abs(ops.cast(weight, "float32"))))):
                raise NotFiniteError(f"weights {weight.path} are no finite numbers: {REASON}")
        return evaluate(self.scored, self.dataset, verbose=False)

    def _score(self, logs: dict[str, float]) -> dict[str, Any]:
        try:
            result = self._evaluated()
        except NotFiniteError as error:  # what has no score must not become the best
            logger.warning("no score: %s", error)
            return {}
        logs |= {name: value for name, value in result.items() if isinstance(value, float)}
        return {"main": self.main, **result}

    def _keep_best(self, worth: float) -> None:
        if worth > self.best or not os.path.exists(self.best_file):
            self.best = worth
            save_whole(self.scored, self.best_file)


def _lines(path: str) -> list[dict[str, Any]]:
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]

"""What `weights=` of a builder means: a published name, a checkpoint of PyTorch, or a file of Keras."""

import os
from dataclasses import dataclass, field, replace

import keras

from hrnet_keras.checkpoints import zoo
from hrnet_keras.checkpoints.lineages import Identity, their_name
from hrnet_keras.checkpoints.loading import (
    identity_of,
    load_tensors,
    load_trunk,
    open_source,
)
from hrnet_keras.checkpoints.model_weights import state_of_model, task_of
from hrnet_keras.checkpoints.states import State
from hrnet_keras.tasks import TASKS

CHECKPOINTS = (".pth", ".pt", ".tar", ".ckpt", ".bin", ".safetensors")


@dataclass(frozen=True)
class Start:
    """Weights that wait for their model.

    Attributes:
        where: what to call them in messages.
        tensors: by plain PyTorch name; `None` for Keras's own weights alone (`.weights.h5`).
        identity: whose names they have, and the task.
        entry: of the zoo, where they are published.
        lineage: the one that was asked for or published.
        options: how the builder is to build the net: `lineage`, `head`, `align_corners`, `include_preprocessing`,
            `output_stride` and `count` of classes or points.
    """

    where: str
    tensors: State | None = None
    identity: Identity | None = None
    entry: zoo.Entry | None = None
    lineage: str | None = None
    options: dict = field(default_factory=dict)

    @property
    def info(self):
        """The `ModelInfo` of a `.keras` file, `None` without one."""
        return None if self.tensors is None else self.tensors.says.get("info")

    @property
    def has_group_norms(self):
        """Whether they are of a net that normalises by groups of channels."""
        return self.tensors is not None and self.tensors.says.get("group_norms", False)

    def load(self, model, *, count=None):
        """Puts the weights into a model that was built with `options`; says so where a part of it stays random.

        Args:
            count: of classes or points that was asked for: where the weights have another one, the last layer stays
                random, and the rest is loaded.

        Raises:
            ValueError: the weights are of another net.
        """
        if self.tensors is None:
            _load_keras(model, self.where)
            return
        stated = {"identity": self.identity, "lineage": self.lineage}
        if self.identity.task != task_of(model):
            report = load_trunk(model, self.tensors, self.where)
        elif count is not None and self.options.get("count") not in (None, count):
            last = tuple(f"{name}." for name in self._last_layers())
            tensors = self.tensors.without(last)
            report = load_tensors(model, tensors, self.where, strict=False, **stated)
            lacking = [name for name in report.missing if not name.startswith(last)]
            if lacking:
                raise ValueError(f"{self.where}: of another net: {', '.join(lacking[:4])} and so on do not fit")
        else:
            report = load_tensors(model, self.tensors, self.where, **stated)
        if report.missing or report.notes:
            print(f"{self.where}: {report.summary()}")

    def _last_layers(self):
        task = TASKS.get(self.identity.task)
        layers = () if task is None else task.last_layers[task.variant_of(self.tensors)]
        return [their_name(layer, self.identity.naming) for layer in layers]

    def _count(self):
        for name in self._last_layers():
            if f"{name}.weight" in self.tensors:
                return int(self.tensors[f"{name}.weight"].shape[0])
        return None


def start_from(weights, *, task, representation, width, lineage=None, head=None, align_corners=None, input_shape=None):
    """Opens what `weights=` names.

    Returns:
        A `Start`.

    Raises:
        ValueError: no such name or file, or one that does not fit the net; `CheckpointError`: an unreadable file.
        DownloadError: published weights that can't be had.
    """
    if isinstance(weights, Start):
        return weights
    text = os.fspath(weights)
    if text.endswith((".weights.h5", ".keras", *CHECKPOINTS)) and not os.path.exists(text):
        raise ValueError(f"weights={weights!r}: no such file")
    if text.endswith(".weights.h5"):
        return Start(text)
    if text.endswith(".keras"):
        return start_of(_of_keras(text), text, task=task, lineage=lineage, align_corners=align_corners)
    entry, path = None, text
    if not text.endswith(CHECKPOINTS) and not os.path.isfile(text):
        net = {"task": task, "representation": representation, "width": width}
        entry = zoo.find(text, **net, lineage=lineage, head=head, input_shape=input_shape)
        path = zoo.fetch(entry)
    tensors, where = open_source(path)
    return start_of(tensors, where, task=task, lineage=lineage, align_corners=align_corners, entry=entry)


def start_of(tensors, where, *, task, lineage=None, align_corners=None, entry=None):
    """The `Start` that a `State` gives a net for `task`; arguments and errors as in `start_from`."""
    start = Start(where, tensors, identity_of(tensors, where=where), entry)
    theirs = start.identity.task
    if theirs != task and not (theirs == "det" and task is None):
        if task is not None and theirs in TASKS and not TASKS[theirs].starts_others:
            starts = " or ".join(repr(kind.name) for kind in TASKS.values() if kind.starts_others)
            raise ValueError(
                f"weights={where!r}: a net for task {theirs!r}; for task {task!r} expected one of that task, or of "
                f"{starts} to start from"
            )
        return start
    lineage = lineage or (entry.lineage if entry is not None else None)
    identity = identity_of(tensors, lineage, where)
    aligned = tensors.says.get("align_corners")
    kind = TASKS.get(task)
    may_align = kind is not None and kind.may_align_corners
    if may_align and None not in (aligned, align_corners) and aligned != align_corners:
        raise ValueError(f"weights={where!r}: of a net with align_corners={aligned}, {align_corners} was asked for")
    start = Start(where, tensors, identity, entry, lineage)
    options = {"lineage": identity.lineage, "count": start._count()}
    options["head"] = None if kind is None else kind.variant_of(tensors)
    if may_align:
        options["align_corners"] = aligned if entry is None else entry.align_corners
    if start.info is not None:
        options |= {
            "include_preprocessing": start.info.include_preprocessing, "output_stride": start.info.output_stride,
        }  # fmt: skip
    return replace(start, options=options)


def _of_keras(path):
    """The weights of a whole model, such as a training's `best.keras`, with all that it says of itself."""
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds for a damaged file
        raise ValueError(f"weights={path!r}: not a readable .keras file ({str(error).splitlines()[0]})") from error
    try:
        return state_of_model(model)
    except ValueError as error:
        raise ValueError(f"weights={path!r}: {error}") from error


def _load_keras(model, path):
    try:
        model.load_weights(path)
    except (ValueError, OSError) as error:
        problem = str(error).strip().splitlines()[0]
        raise ValueError(f"weights={path!r} do not fit {model.name!r}: {problem}") from error

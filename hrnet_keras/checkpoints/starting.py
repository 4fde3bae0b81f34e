"""What `weights=` of a builder means: a published name, a checkpoint of PyTorch, or a file of Keras."""

import os
from dataclasses import dataclass, field

import keras

from hrnet_keras.checkpoints import zoo
from hrnet_keras.checkpoints.lineages import Identity, their_name
from hrnet_keras.checkpoints.loading import identity_of, load_tensors, load_trunk, open_source, task_of, tensors_of

CHECKPOINTS = (".pth", ".pt", ".tar", ".safetensors")
LAST_LAYERS = {
    "cls": ("classifier",), "seg": ("last_layer.3",), "seg ocr": ("cls_head", "aux_head.3"),
    "landmark": ("head.3",), "pose": ("final_layer",),
}  # fmt: skip


@dataclass(frozen=True)
class Start:
    """Weights that wait for their model.

    Attributes:
        where: what to call them in messages.
        tensors: by plain PyTorch name; `None` for a file of Keras's own.
        identity: whose names they have, and the task.
        entry: of the zoo, where they are published.
        options: how the builder is to build the net: `lineage`, `head`, `align_corners`, and `count` of classes or
            points.
    """

    where: str
    tensors: dict | None = None
    identity: Identity | None = None
    entry: zoo.Entry | None = None
    options: dict = field(default_factory=dict)

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
        if self.identity.task != task_of(model):
            report = load_trunk(model, self.tensors, self.where)
        elif count is not None and self.options.get("count") not in (None, count):
            last = tuple(f"{name}." for name in self._last_layers())
            tensors = {name: value for name, value in self.tensors.items() if not name.startswith(last)}
            report = load_tensors(model, tensors, self.where, lineage=self.identity.lineage, strict=False)
            lacking = [name for name in report.missing if not name.startswith(last)]
            if lacking:
                raise ValueError(f"{self.where}: of another net: {', '.join(lacking[:4])} and so on do not fit")
        else:
            report = load_tensors(model, self.tensors, self.where, lineage=self.identity.lineage)
        if report.missing:
            print(f"{self.where}: {report.summary()}")

    def _last_layers(self):
        ocr = any(name.startswith(("cls_head.", "decode_head.1.")) for name in self.tensors)
        layers = LAST_LAYERS["seg ocr" if ocr else self.identity.task]
        return [their_name(layer, self.identity.naming) for layer in layers]

    def _count(self):
        for name in self._last_layers() if self.identity.task in LAST_LAYERS else ():
            if f"{name}.weight" in self.tensors:
                return int(self.tensors[f"{name}.weight"].shape[0])
        return None


def start_from(weights, *, task, representation, width, lineage=None, head=None, input_shape=None):
    """Opens what `weights=` names.

    Returns:
        A `Start`.

    Raises:
        ValueError: no such name or file, or one that does not fit the net; `CheckpointError`: an unreadable file.
        DownloadError: published weights that can't be had.
    """
    text = os.fspath(weights)
    if text.endswith(".weights.h5"):
        if not os.path.exists(text):
            raise ValueError(f"weights={weights!r}: no such file")
        return Start(text)
    entry, path = None, text
    if text.endswith(".keras"):
        if not os.path.exists(text):
            raise ValueError(f"weights={weights!r}: no such file")
    elif not text.endswith(CHECKPOINTS) and not os.path.isfile(text):
        net = {"task": task, "representation": representation, "width": width}
        entry = zoo.find(text, **net, lineage=lineage, head=head, input_shape=input_shape)
        path = zoo.fetch(entry)
    elif not os.path.exists(text):
        raise ValueError(f"weights={weights!r}: no such file")
    tensors, where = (_of_keras(text), text) if text.endswith(".keras") else open_source(path)
    start = Start(where, tensors, identity_of(tensors, where=where), entry)
    same = start.identity.task == task or (start.identity.task == "det" and task is None)
    if same:
        stated = entry.lineage if entry is not None else None
        start = Start(where, tensors, identity_of(tensors, lineage or stated, where), entry)
    else:
        if task is not None and start.identity.task not in ("cls", "det", None):
            raise ValueError(
                f"weights={weights!r}: a net for task {start.identity.task!r}; for task {task!r} expected one of that "
                "task, or of 'cls' to start from"
            )
        return start
    options = {"lineage": start.identity.lineage, "head": _head(start), "count": start._count()}
    if entry is not None:
        options["align_corners"] = entry.align_corners
    return Start(where, tensors, start.identity, entry, options)


def _of_keras(path):
    """The weights of a whole model, such as a training's `best.keras`, under PyTorch's names."""
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds for a damaged file
        raise ValueError(f"weights={path!r}: not a readable .keras file ({str(error).splitlines()[0]})") from error
    return tensors_of(model)


def _head(start):
    """The head that the tensors are of, `None` for the usual one."""
    if start.identity.task == "seg":
        return "ocr" if any(name.startswith(("cls_head.", "decode_head.1.")) for name in start.tensors) else None
    if start.identity.task == "cls":
        return None if "final_layer.0.bias" in start.tensors else "ssld"
    return None


def _load_keras(model, path):
    try:
        model.load_weights(path)
    except (ValueError, OSError) as error:
        problem = str(error).strip().splitlines()[0]
        raise ValueError(f"weights={path!r} do not fit {model.name!r}: {problem}") from error

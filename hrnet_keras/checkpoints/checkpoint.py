"""An opened checkpoint: its tensors, and whose net they are."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from hrnet_keras.after_keras import register_classes
from hrnet_keras.architecture import ARCHITECTURES
from hrnet_keras.checkpoints import zoo
from hrnet_keras.checkpoints.lineages import NAMINGS, check_lineage_name, identify, is_trunk, naming_for, to_torch_name
from hrnet_keras.checkpoints.model_weights import lineage_of, task_of, tensors_as_stored, variant_of
from hrnet_keras.checkpoints.pickled import CheckpointError
from hrnet_keras.checkpoints.states import State, choose, places_in, state_of
from hrnet_keras.checkpoints.torch_file import read_state
from hrnet_keras.layers.model_info import ModelInfo, find_info
from hrnet_keras.tasks import PYRAMID, TASKS

TORCH_ENDINGS = (".pth", ".pt", ".tar", ".ckpt", ".bin", ".safetensors")  # of files that PyTorch's programs write
# Lineages whose nets have the official names.
_NAMED_ALIKE = frozenset(naming.lineage for naming in NAMINGS.values() if not naming.marks)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Weights that were read, and what net they are of.

    Attributes:
        name: what to call them in messages.
        tensors: by PyTorch's name, in its layout.
        naming: whose names they have, a key of `lineages.NAMINGS`.
        task: that their net is for, that of detectors for a pyramid; `None` for a trunk alone.
        lineage: whose conventions their net follows, a key of `architecture.LINEAGES`.
        align_corners: what a file of this package says of its net; `None`: nothing.
        info: of the model in a `.keras` file, `None` for feature maps and other files.
        entry: of the zoo, where they are published.
        lineage_is_stated: whether somebody said the lineage, the user, the file or the zoo; else the names tell it.
        from_keras: whether the numbers are those of a model of Keras, whatever its lineage does to scales.
        left_out: beginnings of the names of tensors that are not to be loaded.
        weights_file: path of a `.weights.h5` file: only Keras can put it into a finished model, and nothing else is
            known of it; else `None`.
    """

    name: str
    tensors: State = field(default_factory=State)
    naming: str = "official"
    task: str | None = None
    lineage: str = "official"
    align_corners: bool | None = None
    info: ModelInfo | None = None
    entry: zoo.Entry | None = None
    lineage_is_stated: bool = False
    from_keras: bool = False
    left_out: tuple[str, ...] = ()
    weights_file: str | None = None

    @property
    def representation(self) -> str:
        """What leaves the trunk of the net: `"V1"`, `"V2"` or `"V2p"`."""
        if self.entry is not None:
            return self.entry.representation
        if self.info is not None:
            return self.info.representation
        if self.task in TASKS:
            return TASKS[self.task].representations[0]
        return "V2"

    @property
    def width(self) -> str:
        """The key of `ARCHITECTURES` whose trunk this is; raises `ValueError` where there is none."""
        kernel = f"{to_torch_name('stage2.0.branches.0.0.conv1', self.naming)}.weight"
        if kernel not in self.tensors:
            raise ValueError(f"{self.name}: has no {kernel}: not a whole trunk")
        channels = int(self.tensors[kernel].shape[0])
        for width, net in ARCHITECTURES.items():
            modules = net.modules[1]
            last = kernel.replace("stage2.0.", f"stage3.{modules - 1}.")
            one_too_many = kernel.replace("stage2.0.", f"stage3.{modules}.")
            if net.width == channels and last in self.tensors and one_too_many not in self.tensors:
                return width
        widths = ", ".join(f"{name} ({net.width} channels)" for name, net in ARCHITECTURES.items())
        raise ValueError(f"{self.name}: a trunk of {channels} channels is none of {widths}")

    @property
    def variant(self) -> str | None:
        """Of the task's head, as `Task.variant_word` of the builders takes it."""
        if self.task not in TASKS:
            return None
        return TASKS[self.task].variant_of(self.tensors)

    @property
    def last_layers(self) -> tuple[str, ...]:
        """Beginnings of the names of the tensors that depend on the count."""
        if self.task not in TASKS:
            return ()
        layers = TASKS[self.task].last_layers.get(self.variant, ())
        return tuple(f"{to_torch_name(layer, self.naming)}." for layer in layers)

    @property
    def count(self) -> int | None:
        """Of the classes or heat maps of the last layer, `None` without one."""
        if self.task not in TASKS:
            return None
        task = TASKS[self.task]
        for layer in task.last_layers.get(self.variant, ()):
            kernel = self.tensors.get(f"{to_torch_name(layer, self.naming)}.weight")
            if kernel is not None:
                return int(kernel.shape[0]) - task.extra_outputs(layer)
        return None

    @property
    def has_group_norms(self) -> bool:
        """Whether the net normalises by groups of channels, which have no running statistics; only Keras's may."""
        return self.from_keras and not any(name.endswith(".running_var") for name in self.tensors)

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be assumed, and how to say otherwise: a sentence each."""
        notes = []
        others = self.tensors.others
        if others:
            listed = ", ".join(map(repr, others))
            notes.append(f"taken from {self.tensors.key!r}; there is also {listed}: state={others[0]!r} takes that")
        if self.naming == "official_torch04" and not self.lineage_is_stated and not self.tensors.versions:
            notes.append(
                "it has no step counters and scales below zero, so it was taken for a net of PyTorch 0.4.1, whose "
                "scales in effect are abs(weight) + 1e-5 (lineage 'official_torch04'); where the counters of a later "
                "net were left out, say lineage='official'"
            )
        return (*notes, *self._notes_of_task())

    def _notes_of_task(self) -> Sequence[str]:
        """What the task has to say of its tensors, and whether its heads are ones that this version lacks."""
        if self.task not in TASKS or self.from_keras:
            return ()
        task = TASKS[self.task]
        if self.has_head:
            return () if self.left_out else task.notes_of(self.tensors, self.lineage)
        if not any(self._is_of_head(name) for name in self.tensors.keys() - self.tensors.beside):
            return ()
        there = ", ".join(repr(variant) for variant in task.variants)
        return (f"its heads, by the names of {self.naming}, are none that this version takes ({there})",)

    def _is_of_head(self, name: str) -> bool:
        """Whether a tensor belongs neither to the trunk nor to what the naming has behind it for all heads."""
        naming = NAMINGS[self.naming]
        if name.startswith(tuple(f"{part}." for part in naming.parts.values())):
            return False
        return not (name.startswith(naming.trunk) and is_trunk(name.removeprefix(naming.trunk)))

    @property
    def has_head(self) -> bool:
        """Whether the task's head is there, in one of the variants that it can have here."""
        return self.task in TASKS and self.variant in TASKS[self.task].variants

    def without_last_layers(self) -> "Checkpoint":
        """The same with the layers that depend on the count left out."""
        return replace(self, left_out=self.last_layers)

    def is_for(self, task: str | None) -> bool:
        """Whether it is of the very net that a builder makes for a task (`None`: feature maps)."""
        if self.weights_file is not None:
            return False
        return self.task == task or (self.task == PYRAMID and task is None)

    def options(self) -> dict[str, Any]:
        """How a builder is to build the net: `lineage`, `head`, `count`, `align_corners`, ...; `None`: not said."""
        options = {"lineage": self.lineage, "head": self.variant, "count": self.count}
        if self.task in TASKS and TASKS[self.task].may_align_corners:
            options["align_corners"] = self.align_corners if self.entry is None else self.entry.align_corners
        if self.info is not None:
            options["include_preprocessing"] = self.info.include_preprocessing
            options["output_stride"] = self.info.output_stride
        return options

    def as_lineage(self, lineage: str) -> "Checkpoint":
        """The same, where somebody says whose net it is: that decides where names leave a choice.

        Raises:
            ValueError: no such lineage, or not one of these names.
        """
        check_lineage_name(lineage)
        if lineage == self.lineage:
            return replace(self, lineage_is_stated=True)
        if self.task is None and self.naming in ("official", "mmdet"):  # a trunk alone, which all name so
            return replace(self, lineage=lineage, lineage_is_stated=True)
        if {lineage, self.lineage} <= _NAMED_ALIKE:
            return replace(
                self, naming=naming_for(lineage, self.task, self.variant), lineage=lineage, lineage_is_stated=True
            )
        raise ValueError(
            f"{self.name}: names of {self.naming} (lineage {self.lineage!r}), lineage={lineage!r} was asked for"
        )


Source = str | os.PathLike | Mapping | zoo.Entry | Checkpoint


def open_checkpoint(source: Source, *, lineage: str | None = None, state: str | None = None) -> Checkpoint:
    """Opens whatever holds the weights of an HRNet.

    Args:
        source: path of a file of PyTorch (`.pth`, `.pt`, `.tar`, `.ckpt`, `.bin`, `.safetensors`) or of Keras
            (`.keras`, `.weights.h5`), a published name or its entry, or `{name: array}` in PyTorch's layout.
        lineage: whose net it is, where the names leave a choice; default: what the file or the zoo says, else what the
            names tell.
        state: of a source with several nets, where the one to take is, as in `load_torch_weights`.

    Returns:
        A `Checkpoint`.

    Raises:
        CheckpointError: the file can't be read, or has several nets and nothing that tells which.
        DownloadError: published weights that can't be had.
        TypeError: `source` is none of these.
        ValueError: names of no HRNet, of two programs, or not of the given lineage.
    """
    checkpoint = _open(source, state)
    if lineage is None:
        return checkpoint
    return checkpoint.as_lineage(lineage)


def _open(source: Any, state: str | None) -> Checkpoint:
    if isinstance(source, Checkpoint):
        return source
    if isinstance(source, zoo.Entry):
        return _open_published(source, state)
    if isinstance(source, (str, os.PathLike)):
        return _open_path(os.fspath(source), state)
    if not hasattr(source, "keys"):
        raise TypeError(
            f"source: expected the path of a checkpoint, or a dict of names and arrays, given {type(source).__name__}"
        )
    return checkpoint_of(_state_of_arrays(source, state), "the given tensors")


def _open_path(path: str, state: str | None) -> Checkpoint:
    if path.endswith(".weights.h5"):
        return Checkpoint(path, weights_file=path)
    if path.endswith(".keras"):
        return _open_keras(path)
    entry = None if os.path.exists(path) else zoo.named(path)
    if entry is not None:
        return _open_published(entry, state)
    return checkpoint_of(read_state(path, state=state), path)


def _open_published(entry: zoo.Entry, state: str | None) -> Checkpoint:
    path = zoo.fetch(entry)
    checkpoint = replace(checkpoint_of(read_state(path, state=state), os.fspath(path)), entry=entry)
    if entry.task is None:  # the publisher's head is none that we build
        checkpoint = replace(checkpoint, task=None)
    return checkpoint.as_lineage(entry.lineage)


def _open_keras(path: str) -> Checkpoint:
    """The weights of a whole model, such as a training's `best.keras`, with all that it says of itself."""
    name = f"weights={path!r}"
    model = read_keras(path, name)
    try:
        tensors = State(tensors_as_stored(model))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    info, task, lineage = find_info(model), task_of(model), lineage_of(model)
    return Checkpoint(
        path, tensors, naming_for(lineage, task, variant_of(model)), task, lineage, info=info,
        lineage_is_stated=True, from_keras=True,
        align_corners=info is not None and info.align_corners,
    )  # fmt: skip


def read_keras(path: str, name: str) -> keras.Model:
    """Loads the model of a `.keras` file, not compiled.

    Args:
        path: of the file.
        name: what to call it in messages.

    Raises:
        CheckpointError: the file is damaged.
    """
    register_classes()
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds for a damaged file
        problem = " ".join(str(error).split())[:200]
        if not zipfile.is_zipfile(path):  # Keras says that there is no such file
            problem = "no zip archive: cut off, or of another format"
        raise CheckpointError(f"{name}: not a readable .keras file ({problem})") from error


def _state_of_arrays(arrays: Any, state: str | None) -> State:
    content = arrays
    if not isinstance(arrays, Mapping):
        content = {name: arrays[name] for name in arrays.keys()}  # noqa: SIM118
    places = places_in(content, lambda value: hasattr(value, "shape"))
    if not places:
        return State()
    try:
        net = choose(places, state)
        return state_of(net, net.place.tensors)
    except CheckpointError as error:
        raise ValueError(f"the given tensors: {error}") from error


def checkpoint_of(tensors: State, name: str) -> Checkpoint:
    """The `Checkpoint` of tensors, identified by their names and by what their file says.

    Args:
        tensors: as `states` or `torch_file` give them.
        name: what to call them in messages.

    Raises:
        ValueError: names of no HRNet, of two programs, or not of the lineage that the file says.
    """
    try:
        naming, task = identify(tensors.keys() - tensors.beside)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if naming == "official_torch04" and not _has_in_place_norms(tensors):
        naming = "official"
    checkpoint = Checkpoint(
        name, tensors, naming, task, NAMINGS[naming].lineage, align_corners=tensors.says.get("align_corners")
    )
    if tensors.says.get("lineage") is None:
        return checkpoint
    return checkpoint.as_lineage(tensors.says["lineage"])


def _has_in_place_norms(tensors: State) -> bool:
    """Whether a net without step counters comes from the in-place batch norms of PyTorch 0.4.1.

    PyTorch's own batch norms note version 2 beside their weights, other modules 1. Without a note: their scales in
    effect are absolute, so a training that has pushed some below zero shows both kinds alike; where none is below zero
    both mean the same but for 1e-5, and the plain reading is exact for the plain net.
    """
    if tensors.versions:
        return max(tensors.versions) < 2
    for name, value in tensors.items():
        if name.endswith(".weight") and np.ndim(value) == 1 and (np.asarray(value) < 0).any():
            return True
    return False

"""What `weights=` of a builder means: a published name, a checkpoint of PyTorch, or a file of Keras."""

import logging
import os
from collections.abc import Sequence

import keras

from hrnet_keras.checkpoints import zoo
from hrnet_keras.checkpoints.checkpoint import TORCH_ENDINGS, Checkpoint, Source, open_checkpoint
from hrnet_keras.checkpoints.lineages import NAMINGS, is_trunk
from hrnet_keras.checkpoints.loading import LoadReport, load_checkpoint
from hrnet_keras.checkpoints.model_weights import some, task_of
from hrnet_keras.logs import plain_lines
from hrnet_keras.tasks import TASKS

logger = logging.getLogger(__name__)


def resolve_weights(
    weights: str | os.PathLike | Checkpoint, *, task: str | None, representation: str, width: str,
    lineage: str | None = None, head: str | None = None, align_corners: bool | None = None,
    input_shape: Sequence[int | None] | None = None,
) -> Checkpoint:  # fmt: skip
    """Opens what `weights=` names for a net; arguments as in the builders.

    Raises:
        ValueError: no such name or file, or one that does not fit the net; `CheckpointError`: an unreadable file.
        DownloadError: published weights that can't be had.
    """
    source: Source = weights
    if not isinstance(weights, Checkpoint):
        text = os.fspath(weights)
        is_file_name = text.endswith((".weights.h5", ".keras", *TORCH_ENDINGS))
        if is_file_name and not os.path.exists(text):
            raise ValueError(f"weights={weights!r}: no such file")
        if not is_file_name and not os.path.isfile(text):
            source = zoo.find(
                text, task=task, representation=representation, width=width, lineage=lineage, head=head,
                input_shape=input_shape,
            )  # fmt: skip
    checkpoint = open_checkpoint(source)
    if checkpoint.weights_file is not None:
        return checkpoint
    if checkpoint.task is not None and checkpoint.task == task and not checkpoint.has_head:
        there = " or ".join(repr(variant) for variant in TASKS[task].variants)
        raise ValueError(
            f"weights={checkpoint.name!r}: a net for task {task!r} by the names of {checkpoint.naming} whose heads are "
            f"none that this version has ({there}): with task=None its feature maps can be had"
        )
    if not checkpoint.is_for(task):
        _check_starts(checkpoint, task)
        return checkpoint
    if lineage is not None:
        checkpoint = checkpoint.as_lineage(lineage)
    _check_alignment(checkpoint, align_corners)
    return checkpoint


def _check_starts(checkpoint: Checkpoint, task: str | None) -> None:
    """Refuses a net of another task, unless it is one that others start from, or any will do."""
    if task is None or checkpoint.task not in TASKS:
        return
    if TASKS[checkpoint.task].starts_others or TASKS[task].starts_from_any:
        return
    starts = " or ".join(repr(other.name) for other in TASKS.values() if other.starts_others)
    raise ValueError(
        f"weights={checkpoint.name!r}: a net for task {checkpoint.task!r}; for task {task!r} expected one of that "
        f"task, or of {starts} to start from"
    )


def _check_alignment(checkpoint: Checkpoint, align_corners: bool | None) -> None:
    aligned = checkpoint.align_corners
    if checkpoint.task not in TASKS or not TASKS[checkpoint.task].may_align_corners:
        return
    if aligned is not None and align_corners is not None and aligned != align_corners:
        raise ValueError(
            f"weights={checkpoint.name!r}: of a net with align_corners={aligned}, {align_corners} was asked for"
        )


def load_pretrained(model: keras.Model, checkpoint: Checkpoint, *, count: int | None = None) -> None:
    """Puts weights into a model that was built for them; a line of the log says where a part of it stays random.

    Args:
        model: built with `checkpoint.options()`, or for another task.
        checkpoint: as `resolve_weights` gives it.
        count: of classes or points that was asked for: where the weights have another one, the last layer stays
            random, and the rest is loaded.

    Raises:
        ValueError: the weights are of another net.
    """
    if checkpoint.weights_file is not None:
        _load_keras_weights(model, checkpoint.weights_file)
        return
    is_trunk_alone = checkpoint.task is None and not checkpoint.from_keras
    if is_trunk_alone or checkpoint.task != task_of(model):
        report = load_trunk(model, checkpoint)
    elif count is not None and checkpoint.count not in (None, count):
        report = _load_but_last_layer(model, checkpoint)
    else:
        report = load_checkpoint(model, checkpoint)
    if report.missing or report.notes:
        with plain_lines():
            logger.info("%s: %s", checkpoint.name, report.summary())


def load_trunk(model: keras.Model, checkpoint: Checkpoint) -> LoadReport:
    """Loads a trunk from the net of any task, as the papers start from ImageNet; the model's head is left as it is.

    Nets that use the finest map alone (V1) have a smaller last exchange: what they lack of it is left as it is, too.

    Raises:
        ValueError: the trunk is of another net, or there is none.
    """
    report = load_checkpoint(model, checkpoint, strict=False)
    trunk = NAMINGS[report.naming].trunk
    missing = [name.removeprefix(trunk) for name in report.missing if name.startswith(trunk)]
    coarse = _coarse_outputs(model)
    lacking = [trunk + name for name in missing if is_trunk(name) and not name.startswith(coarse)]
    if lacking:
        raise ValueError(
            f"{checkpoint.name}: {len(lacking)} tensors of the trunk are missing or misshapen: {some(lacking)}"
        )
    return report


def _coarse_outputs(model: keras.Model) -> tuple[str, ...]:
    """Beginnings of the names of what the last exchange sends to the coarser maps."""
    last = max(int(layer.name.split(".")[1]) for layer in model.layers if layer.name.startswith("stage4."))
    return tuple(f"stage4.{last}.fuse_layers.{i}." for i in (1, 2, 3))


def _load_but_last_layer(model: keras.Model, checkpoint: Checkpoint) -> LoadReport:
    report = load_checkpoint(model, checkpoint.without_last_layers(), strict=False)
    lacking = [name for name in report.missing if not name.startswith(checkpoint.last_layers)]
    if lacking:
        raise ValueError(f"{checkpoint.name}: of another net: {', '.join(lacking[:4])} and so on do not fit")
    return report


def _load_keras_weights(model: keras.Model, path: str) -> None:
    try:
        model.load_weights(path)
    except (ValueError, OSError) as error:
        problem = str(error).strip().splitlines()[0]
        raise ValueError(f"weights={path!r} do not fit {model.name!r}: {problem}") from error

"""A checkpoint of PyTorch, or a `.keras` file -> a model of this package, and files to take away."""

import os

import keras

from hrnet_keras import builders
from hrnet_keras.architecture import ARCHITECTURES
from hrnet_keras.checkpoints import zoo
from hrnet_keras.checkpoints.lineages import naming_for, their_name
from hrnet_keras.checkpoints.loading import LoadReport, identity_of, load_tensors, open_source, save_torch_weights
from hrnet_keras.checkpoints.model_weights import task_of, tensors_of
from hrnet_keras.checkpoints.starting import start_of
from hrnet_keras.checkpoints.torch_file import CheckpointError
from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.folder import read_classes
from hrnet_keras.datasets.published import published
from hrnet_keras.layers.model_info import find_info, info_of
from hrnet_keras.tasks import TASKS

ENDINGS = (".keras", ".weights.h5", ".safetensors")
REPRESENTATIONS = {"cls": "V2", "seg": "V2", "landmark": "V2", "pose": "V1", "det": "V2p", None: "V2"}


def convert(source, destination, *, task=None, classes=None, lineage=None, align_corners=None, state=None):
    """Turns a checkpoint into a file that Keras, or another program, reads.

    Net, width, task, lineage and counts are found in the checkpoint.

    Args:
        source: path of a `.pth`, `.pt` or `.safetensors` file, or of a `.keras` file of this package.
        destination: `.keras` (the whole model), `.weights.h5` (Keras's weights) or `.safetensors` (PyTorch's names).
        task: what the checkpoint is for: a check; default: what it says.
        classes: names for the classes: a published data set's (`"cityscapes"`), or the path of a text file with a name
            per line, with a colour behind it if wanted (`hrnet_keras.datasets.folder.read_classes`).
        lineage: whose net it is, where the names leave a choice.
        align_corners: seg: `True` for nets of the official OCR branch that were trained so.
        state: of a file with several nets, where the one to take is, as in `load_torch_weights`.

    Returns:
        The model and its `LoadReport`.

    Raises:
        ValueError: another ending, another task than the checkpoint's, or names that do not fit its classes.
        CheckpointError: the file can't be read.
        OSError: the destination can't be written.
    """
    destination = os.fspath(destination)
    if not destination.endswith(ENDINGS):
        raise ValueError(f"{destination}: expected a name that ends in {', '.join(ENDINGS)}")
    if os.fspath(source).endswith(".keras"):
        model, report = from_keras(source, task=task, lineage=lineage, align_corners=align_corners)
    elif os.fspath(source).endswith(".weights.h5") or os.path.isdir(source):
        what = "is a folder" if os.path.isdir(source) else "holds a net's numbers without the net"
        raise ValueError(f"{source}: {what}: expected a .pth, .pt, .safetensors or .keras file")
    else:
        model, report = from_checkpoint(source, task=task, lineage=lineage, align_corners=align_corners, state=state)
    if classes is not None:
        builders.name_outputs(model, _names(classes, info_of(model)))
    _write(model, destination, report.lineage)
    return model, report


def from_checkpoint(source, *, task=None, lineage=None, align_corners=None, state=None):
    """Builds the model that a checkpoint is of, with its weights; arguments and errors as in `convert`.

    Returns:
        The model and its `LoadReport`.
    """
    tensors, where = open_source(source, state)
    found = identity_of(tensors, lineage, where)
    if task is not None and task != found.task:
        raise ValueError(f"{where}: task={task!r} was asked for, the checkpoint is of task {found.task!r}")
    width = width_of(tensors, found.naming, where)
    builder = getattr(builders, f"HRNet{REPRESENTATIONS[found.task]}{width}")
    options = {} if align_corners is None else {"align_corners": align_corners}
    if found.task in ("det", None):  # the pyramid, or the trunk with what mixes its maps left random
        model = builder(lineage=lineage or found.lineage)
        report = load_tensors(model, tensors, where, lineage=lineage, strict=False)
    else:
        start = start_of(tensors, where, task=found.task, lineage=lineage, align_corners=align_corners)
        model = builder(found.task, weights=start, lineage=lineage, **options)
        report = load_tensors(model, tensors, where, lineage=lineage)
    return model, report


def from_keras(source, *, task=None, lineage=None, align_corners=None):
    """Loads a `.keras` file of this package; arguments and errors as in `convert`.

    Returns:
        The model and its `LoadReport`: every weight is loaded.
    """
    source = os.fspath(source)
    if not os.path.isfile(source):
        raise CheckpointError(f"{source}: no such file")
    try:
        model = keras.saving.load_model(source, compile=False)
    except Exception as error:  # Keras raises many kinds for a damaged file
        raise CheckpointError(f"{source}: not a readable .keras file ({' '.join(str(error).split())[:200]})") from error
    found = task_of(model)
    info = find_info(model)
    asked = {"task": (task, found), "align_corners": (align_corners, info is not None and info.align_corners)}
    for word, (expected, said) in asked.items():
        if expected not in (None, said):
            raise ValueError(f"{source}: {word}={expected!r} was asked for, the file's net has {said!r}")
    own = "official" if info is None else info.lineage
    return model, LoadReport(lineage or own, naming_for(own, found), found, tuple(tensors_of(model)), (), ())


def from_zoo(name):
    """Builds the net of published weights, with them.

    Raises:
        ValueError: no such name; `DownloadError`: they can't be had.
    """
    entry = next((entry for entry in zoo.entries() if entry.name == name), None)
    if entry is None:
        raise ValueError(f"{name!r} is no name of published weights: hrnet-keras models lists them")
    task = entry.task if entry.task in TASKS else None  # detectors give their pyramid
    return getattr(builders, f"HRNet{entry.representation}{entry.width}")(task, weights=name)


def width_of(tensors, naming, where):
    """The key of `ARCHITECTURES` whose trunk these tensors are."""
    kernel = f"{their_name('stage2.0.branches.0.0.conv1', naming)}.weight"
    if kernel not in tensors:
        raise ValueError(f"{where}: has no {kernel}: not a whole trunk")
    channels = int(tensors[kernel].shape[0])
    for width, net in ARCHITECTURES.items():
        last = net.modules[1] - 1
        inside, outside = (kernel.replace("stage2.0.", f"stage3.{i}.") for i in (last, last + 1))
        if net.width == channels and inside in tensors and outside not in tensors:
            return width
    widths = ", ".join(f"{name} ({net.width} channels)" for name, net in ARCHITECTURES.items())
    raise ValueError(f"{where}: a trunk of {channels} channels is none of {widths}")


def _names(classes, info):
    known = published(classes)
    if known is None:
        if not os.path.isfile(classes):
            raise ValueError(f"classes={classes!r}: neither a published data set nor a file of names")
        names, palette = read_classes(classes)
        known = DatasetInfo(os.path.splitext(os.path.basename(classes))[0], class_names=names, palette=palette)
    if len(known.class_names) != info.num_classes:
        raise ValueError(f"classes={classes!r}: {len(known.class_names)} names for {info.get('num_classes')} classes")
    return known


def _write(model, destination, lineage):
    try:
        if destination.endswith(".safetensors"):
            save_torch_weights(model, destination, lineage=lineage)
        elif destination.endswith(".keras"):
            model.save(destination)
        else:
            model.save_weights(destination)
    except OSError as error:
        raise OSError(f"can't write {destination}: {error.strerror or error}") from error

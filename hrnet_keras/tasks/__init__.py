"""The questions asked of a picture: one folder each, the same file names in every folder.

| file | promises |
|---|---|
| `head.py` | `build(features, ...)`: feature maps -> raw outputs |
| `losses.py` | the training objective, a value per example |
| `decoding.py` | `decode(outputs)`: raw outputs -> an answer in coordinates of the model's input; batched, exportable |
| `metrics.py` | the official protocol: `update(answer, example)`, `result() -> dict` |
| `pipeline.py` | every way from a picture to the model's input: training, evaluation, serving |
| `inference.py` | one picture of any size -> an answer in its own coordinates; writing it to a file |
| `protocol.py` | how published scores were measured, where that is more than one look |
| `drawing.py` | `draw(image, answer, facts)` -> picture |
"""

import importlib
import importlib.util

FOLDERS = {
    "cls": "classification",
    "seg": "segmentation",
    "landmark": "landmark",
    "pose": "pose",
}
PARTS = ("head", "losses", "decoding", "metrics", "pipeline", "inference", "protocol", "drawing")


def has_part(task, name):
    """Whether `task` has the file `name` (`"losses"`, ...) in this version."""
    return importlib.util.find_spec(f"{__name__}.{_folder(task)}.{name}") is not None


def part(task, name):
    """Imports and returns the module `hrnet_keras.tasks.<folder of task>.<name>`.

    Raises:
        ValueError: no such task, or the task has no such part in this version.
    """
    if not has_part(task, name):
        raise ValueError(f"task={task!r} has no {name!r} in this version: only its network can be built")
    return importlib.import_module(f"{__name__}.{_folder(task)}.{name}")


def _folder(task):
    if task not in FOLDERS:
        raise ValueError(f"task={task!r}: expected one of {', '.join(map(repr, FOLDERS))}")
    return FOLDERS[task]

"""The questions asked of a picture: one folder each, the same file names in every folder.

| file | promises |
|---|---|
| `__init__.py` | `TASK`: everything that others need to know of it, a `Task` |
| `head.py` | `build(maps, spec)`: the trunk's maps -> raw outputs |
| `recipe.py` | `Augment` and `Loss`: what a recipe may say of the task alone |
| `losses.py` | `objective(loss, model, data)`: what training minimises, a value per example |
| `decoding.py` | `decode(outputs)`: raw outputs -> a result in coordinates of the model's input; batched, exportable |
| `metrics.py` | the official protocol: `update(result, example)`, `result() -> dict` |
| `pipeline.py` | `training(dataset, ...)`: pictures -> the stream that a net learns from |
| `inference.py` | `processor(runtime, options)`: pictures -> rows of the net's input, its outputs -> results |
| `serving.py` | `signatures(model, info)`: what an exported model answers |
| `protocol.py` | how published scores were measured, where that is more than one look |
| `drawing.py` | `draw(image, result, info)` -> picture |
"""

from hrnet_keras.tasks import classification, detection, landmark, pose, segmentation
from hrnet_keras.tasks.task import DemoConfig as DemoConfig, HeadSpec as HeadSpec, Naming as Naming, Task as Task

_ALL = (classification.TASK, segmentation.TASK, landmark.TASK, pose.TASK, detection.TASK)
TASKS = {task.name: task for task in _ALL}
PYRAMID = detection.TASK.name  # whose nets the pyramid comes out of that is built without a task
DEFAULT_TASK = segmentation.TASK.name  # of a recipe that names none
DEMOS = {name: task.demo for name, task in TASKS.items() if task.demo is not None}


def task_named(name: str) -> Task:
    """The task of that name; raises `ValueError` where there is none."""
    if name not in TASKS:
        raise ValueError(f"task={name!r}: expected one of {', '.join(map(repr, TASKS))}")
    return TASKS[name]

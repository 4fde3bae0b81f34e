"""The whole way in one go, on drawn scenes: learn, score, draw, export, and be used by a program of another make."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.evaluation import evaluate
from hrnet_keras.exporting import export
from hrnet_keras.loading import load_keras
from hrnet_keras.prediction import predict
from hrnet_keras.predictor import open_predictor
from hrnet_keras.recipe import DataRecipe, ModelRecipe, OptimizerRecipe, Recipe, ScheduleRecipe, TrainRecipe
from hrnet_keras.tasks import landmark, pose, segmentation, task_named
from hrnet_keras.tasks.processing import PredictOptions
from hrnet_keras.tasks.segmentation.drawing import grid
from hrnet_keras.training import train


@dataclass(frozen=True)
class Show:
    """One task's demo: what is learnt, in words and as a recipe, and what of an example tells where to look."""

    goal: str
    recipe: Recipe
    told: tuple[str, ...] = ()


_ADAMW = OptimizerRecipe(name="adamw", learning_rate=0.003, weight_decay=0.01)
_WARMUP = ScheduleRecipe(warmup_epochs=1)
SHOWS = {
    "seg": Show(
        "label the pixels of drawn street scenes",
        Recipe(
            ModelRecipe(name="HRNetV2W18SmallV1", task="seg"),
            DataRecipe(name="toytown"),
            segmentation.TASK.augment(crop=(112, 160), scale=None, brightness=10),
            optimizer=_ADAMW,
            schedule=_WARMUP,
            train=TrainRecipe(epochs=16, batch=8, evaluate_every=16),
        ),
    ),
    "landmark": Show(
        "find 68 points of drawn faces",
        Recipe(
            ModelRecipe(name="HRNetV2W18SmallV1", task="landmark"),
            DataRecipe(name="toytown", options={"annotation": "faces"}),
            landmark.TASK.augment(
                input_size=(64, 64), convention="mmlab", codec="dark", sigma=1.5, rotation=20.0
            ),
            optimizer=replace(_ADAMW, learning_rate=0.002),
            schedule=_WARMUP,
            train=TrainRecipe(epochs=10, batch=16, evaluate_every=10),
        ),
        told=("centers", "scales"),
    ),
    "pose": Show(
        "find 17 joints of drawn people",
        Recipe(
            ModelRecipe(name="HRNetV1W18SmallV1", task="pose"),
            DataRecipe(name="toytown", options={"annotation": "figures", "size": [160, 240]}),
            pose.TASK.augment(
                input_size=(64, 64), convention="mmlab", codec="dark", sigma=1.5, scaling=0.15, rotation=8.0,
                half_body=0.0, shift=0.1,
            ),
            optimizer=_ADAMW,
            schedule=_WARMUP,
            train=TrainRecipe(epochs=18, batch=16, evaluate_every=18),
        ),
        told=("boxes",),
    ),
}  # fmt: skip

# Another program's view: it knows TensorFlow and the folder, nothing of this package.
CLIENT = """
import sys, numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
picture = tf.io.read_file(sys.argv[2])
if len(sys.argv) > 4:
    boxes = tf.constant(np.load(sys.argv[4]))
    found = model.signatures["picture"](image_bytes=picture, boxes=boxes)["points"]
else:
    found = model.signatures["serving_default"](image_bytes=picture[None])["label_map"][0]
np.save(sys.argv[3], found)
"""

PICTURE = '{{"b64": "\'$(base64 -w0 {picture})\'"}}'
SERVE = """to serve it over HTTP with TensorFlow Serving:
  docker run -p 8501:8501 -v {base}:/models tensorflow/serving --model_name={name} --model_base_path=/models/{name}
  curl -d '{{"instances": [{instance}]}}' localhost:8501/v1/models/{name}:predict"""


def demo(task="seg", *, output="runs/demo", saved_models="saved_models"):
    """Trains, scores, draws, exports and uses a small model on toytown.

    Args:
        task: `"seg"`, `"landmark"` or `"pose"`.
        output: folder of checkpoints, logs and pictures; what an earlier demo left there is replaced.
        saved_models: model base that the SavedModel goes to.

    Returns:
        The result of the evaluation on unseen scenes.

    Raises:
        ValueError: a task without a demo in this version.
    """
    if task not in SHOWS:
        raise ValueError(f"task={task!r}: there are demos of {', '.join(map(repr, SHOWS))}")
    show = SHOWS[task]
    recipe = replace(show.recipe, output=os.path.join(output, task))
    shutil.rmtree(recipe.output, ignore_errors=True)
    print(f"1. learning to {show.goal}: {recipe.model.name}, {recipe.train.epochs} epochs")
    train(recipe, verbose=2)
    model = load_keras(os.path.join(recipe.output, "last.keras"))

    unseen = datasets.load("toytown", "test", **recipe.data.options)
    print(f"\n2. score on {len(unseen)} scenes it has never seen")
    result = evaluate(model, unseen)

    print("\n3. pictures")
    print("  ", os.path.abspath(_grid(task, model, unseen, show.told, os.path.join(recipe.output, "scenes.png"))))

    print("\n4. SavedModel")
    name = "toytown_" + model.name.replace("small", "_small_")
    folder = export(model, os.path.join(saved_models, name))
    print("  ", os.path.abspath(folder))
    scene = next(_with_somebody(unseen))
    _use_elsewhere(folder, model, recipe.output, scene)
    instance = _instance(os.path.join(recipe.output, "scene.png"), scene, show.told)
    print(SERVE.format(base=os.path.abspath(saved_models), name=name, instance=instance))
    return result


def _instance(picture, example, told):
    """What a request says of a saved scene, as JSON with a shell command in it: its bytes and, of several, one box."""
    contents = PICTURE.format(picture=picture)
    if not told:
        return contents
    box = [round(float(edge), 1) for edge in example["boxes"][0]]
    return f'{{"image_bytes": {contents}, "boxes": {box}}}'


def _with_somebody(dataset):
    """The examples in which there is something to find."""
    for i in range(len(dataset)):
        example = dataset.example(i)
        if len(example.get("boxes", [0])):
            yield example


def _grid(task, model, dataset, told, path, rows=4):
    """Draws picture, truth and prediction of a few examples."""
    draw = task_named(task).module("drawing").draw
    options = {"legend": False} if task == "seg" else {}
    predictor = open_predictor(model, PredictOptions(data=dataset.info))
    lines = []
    for _, example in zip(range(rows), _with_somebody(dataset), strict=False):
        result = predictor.predict_one(example["image"], **{word: example[word] for word in told})
        shown = [draw(example["image"], what, dataset.info, **options) for what in (example, result.to_dict())]
        lines.append([example["image"], *shown])
    Image.fromarray(grid(lines, titles=("scene", "truth", "prediction"))).save(path)
    return path


def _use_elsewhere(folder, model, output, example):
    """Asks a process that imports only TensorFlow, and compares with what the model answers here."""
    picture, answer, boxes = (os.path.join(output, name) for name in ("scene.png", "scene.npy", "boxes.npy"))
    Image.fromarray(example["image"]).save(picture)
    words, told = [sys.executable, "-c", CLIENT, folder, picture, answer], {}
    if "points" in example and "label_map" not in example:
        np.save(boxes, example["boxes"].astype(np.float32))
        words, told = [*words, boxes], {"boxes": example["boxes"]}
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
    found, here = np.load(answer), predict(model, picture, **told)[0]
    if told:
        share = (np.linalg.norm(found - here.points, axis=-1) < 1).mean()
        print(f"   a program that knows only TensorFlow finds {share:.2%} of the points within a pixel of here")
    else:
        share = (found == here.label_map).mean()
        print(f"   a program that knows only TensorFlow labels {share:.2%} of the pixels as here")

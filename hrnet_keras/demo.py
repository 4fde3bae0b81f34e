"""The whole way in one go, on drawn scenes: learn, score, draw, export, and be used by a program of another make."""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.evaluation import evaluate
from hrnet_keras.exporting import export
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.loading import load_keras
from hrnet_keras.prediction import predict
from hrnet_keras.predictor import open_predictor
from hrnet_keras.recipe import Recipe
from hrnet_keras.tasks import DEFAULT_TASK, DEMOS, DemoConfig, task_named
from hrnet_keras.tasks.processing import PredictOptions
from hrnet_keras.tasks.segmentation.drawing import grid
from hrnet_keras.training import train

# Another program's view: it knows TensorFlow and the folder, nothing of this package.
CLIENT = """
import sys, numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
picture = tf.io.read_file(sys.argv[2])
if len(sys.argv) > 4:
    boxes = tf.constant(np.load(sys.argv[4]))
    found = model.signatures["picture"](image_bytes=picture, boxes=boxes)
else:
    found = model.signatures["serving_default"](image_bytes=picture[None])
if len(sys.argv) == 4:  # of one picture
    found = {word: values[0] for word, values in found.items()}
np.savez(sys.argv[3], **found)
"""

PICTURE = '{{"b64": "\'$(base64 -w0 {picture})\'"}}'
SERVE = """to serve it over HTTP with TensorFlow Serving:
  docker run -p 8501:8501 -v {base}:/models tensorflow/serving --model_name={name} --model_base_path=/models/{name}
  curl -d '{{"instances": [{instance}]}}' localhost:8501/v1/models/{name}:predict"""


def demo(task: str = DEFAULT_TASK, *, output: str = "runs/demo", saved_models: str = "saved_models") -> dict[str, Any]:
    """Trains, scores, draws, exports and uses a small model on toytown.

    Args:
        task: one that has a demo.
        output: folder of checkpoints, logs and pictures; what an earlier demo left there is replaced.
        saved_models: model base that the SavedModel goes to.

    Returns:
        The result of the evaluation on unseen scenes.

    Raises:
        ValueError: a task without a demo in this version.
    """
    if task not in DEMOS:
        raise ValueError(f"task={task!r}: there are demos of {', '.join(map(repr, DEMOS))}")
    config = DEMOS[task]
    folder = os.path.join(output, task)
    recipe = _from_scratch_if_missing(replace(Recipe.load(config.recipe), output=folder))
    shutil.rmtree(folder, ignore_errors=True)
    print(f"1. learning to {config.goal}: {recipe.model.name}, {recipe.train.epochs} epochs")
    train(recipe, verbose=2)
    model = load_keras(os.path.join(folder, "last.keras"))

    unseen = datasets.load("toytown", "test", **recipe.data.options)
    print(f"\n2. score on {len(unseen)} scenes it has never seen")
    result = evaluate(model, unseen)

    print("\n3. pictures")
    scenes = os.path.join(folder, "scenes.png")
    _draw_scenes(config, model, unseen, scenes)
    print("  ", os.path.abspath(scenes))

    print("\n4. SavedModel")
    name = "toytown_" + model.name.replace("small", "_small_")
    exported = export(model, os.path.join(saved_models, name))
    print("  ", os.path.abspath(exported))
    scene = next(_with_somebody(unseen))
    _use_elsewhere(exported, model, folder, scene)
    instance = _instance(os.path.join(folder, "scene.png"), scene, config.prompts)
    print(SERVE.format(base=os.path.abspath(saved_models), name=name, instance=instance))
    return result


def _from_scratch_if_missing(recipe):
    """The recipe, without the weights to start from where their file is not here, as outside of the repository."""
    weights = recipe.model.weights
    if weights is None or os.path.exists(weights):
        return recipe
    print(f"0. {weights} is not here, which it would start from: it learns from scratch, and less")
    return replace(recipe, model=replace(recipe.model, weights=None))


def _instance(picture, example, prompts):
    """What a request says of a saved scene, as JSON with a shell command in it: its bytes and, of several, one box."""
    contents = PICTURE.format(picture=picture)
    if not prompts:
        return contents
    box = [round(float(edge), 1) for edge in example["boxes"][0]]
    return f'{{"image_bytes": {contents}, "boxes": {box}}}'


def _with_somebody(dataset: datasets.Dataset) -> Iterator[dict[str, Any]]:
    """The examples in which there is something to find."""
    for i in range(len(dataset)):
        example = dataset.example(i)
        if len(example.get("boxes", [0])):
            yield example


def _draw_scenes(config: DemoConfig, model, dataset, path, rows=4):
    """Draws picture, truth and prediction of a few examples."""
    predictor = open_predictor(model, PredictOptions(data=dataset.info))
    draw = task_named(predictor.info.task).module("drawing").draw
    lines = []
    for example in itertools.islice(_with_somebody(dataset), rows):
        prompts = {word: example[word] for word in config.prompts}
        prediction = predictor.predict_one(example["image"], **prompts).to_dict()
        drawings = [draw(example["image"], what, dataset.info, **config.drawing) for what in (example, prediction)]
        enlarged = drawings[0].shape[0] // example["image"].shape[0]
        scene = example["image"].repeat(enlarged, axis=0).repeat(enlarged, axis=1)
        lines.append([scene, *drawings])
    Image.fromarray(grid(lines, titles=("scene", "truth", "prediction"))).save(path)


def _use_elsewhere(exported, model, folder, example):
    """Asks a process that imports only TensorFlow, and compares with what the model answers here."""
    picture = os.path.join(folder, "scene.png")
    answer = os.path.join(folder, "scene.npz")
    Image.fromarray(example["image"]).save(picture)
    words = [sys.executable, "-c", CLIENT, exported, picture, answer]
    is_told_boxes = "boxes" in task_named(info_of(model).task).input_keys
    if is_told_boxes:
        boxes = os.path.join(folder, "boxes.npy")
        np.save(boxes, example["boxes"].astype(np.float32))
        words.append(boxes)
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
    served = np.load(answer)
    here = predict(model, picture, boxes=example["boxes"] if is_told_boxes else None)[0].result.to_dict()
    for word, phrase in _AGREEMENTS.items():
        if word in served and word in here:
            share = _alike(served[word], here[word]).mean()
            print(f"   a program that knows only TensorFlow {phrase.format(f'{share:.2%}')}")
            return


# What is compared: results of a word, and what is said of their agreement.
_AGREEMENTS = {
    "points": "finds {} of the points within a pixel of here",
    "label_map": "labels {} of the pixels as here",
    "boxes": "finds {} of the boxes within a pixel of here",
}


def _alike(served, here):
    """Which of the results here are served, too; what is served may have more rows, of lower scores."""
    if served.ndim == 2 and served.shape == here.shape and served.shape[1] != 4:
        return served == here
    distances = np.abs(served[: len(here)] - here)
    return distances.max(axis=-1) < 1

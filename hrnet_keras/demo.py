"""The whole way in one go, on drawn scenes: learn, score, draw, export, and be used by a program of another make."""

import os
import shutil
import subprocess
import sys

from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.evaluation import evaluate
from hrnet_keras.exporting import export
from hrnet_keras.prediction import load_keras, predict
from hrnet_keras.recipe import DataRecipe, ModelRecipe, Recipe, TrainRecipe
from hrnet_keras.tasks import part
from hrnet_keras.training import train

SIZE = (128, 192)
SEG = Recipe(
    model=ModelRecipe(name="HRNetV2W18SmallV1", task="seg"),
    data=DataRecipe(
        name="toytown", train="train", evaluate="val", crop=(112, 160), scale=None, brightness=10,
    ),
    train=TrainRecipe(
        epochs=16, batch=8, optimizer="adamw", learning_rate=0.003, weight_decay=0.01, warmup_epochs=1,
        evaluate_every=16,
    ),
)  # fmt: skip

# Another program's view: it knows TensorFlow and the folder, nothing of this package.
CLIENT = """
import sys, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
labels = model.signatures["serving_default"](image_bytes=tf.io.read_file(sys.argv[2])[None])["label_map"]
tf.io.write_file(sys.argv[3], tf.io.encode_png(labels[0][..., None]))
"""

SERVE = """to serve it over HTTP with TensorFlow Serving:
  docker run -p 8501:8501 -v {base}:/models tensorflow/serving --model_name={name} --model_base_path=/models/{name}
  curl -d '{{"instances": [{{"b64": "'$(base64 -w0 {picture})'"}}]}}' localhost:8501/v1/models/{name}:predict"""


def demo(task="seg", *, output="runs/demo", saved_models="saved_models"):
    """Trains, scores, draws, exports and uses a small model on toytown.

    Args:
        task: `"seg"`.
        output: folder of checkpoints, logs and pictures; what an earlier demo left there is replaced.
        saved_models: model base that the SavedModel goes to.

    Returns:
        The result of the evaluation on unseen scenes.

    Raises:
        ValueError: a task without a demo in this version.
    """
    if task != "seg":
        raise ValueError(f"task={task!r}: the demo of this version is for 'seg'")
    recipe = Recipe(SEG.model, SEG.data, SEG.train, os.path.join(output, task))
    shutil.rmtree(recipe.output, ignore_errors=True)
    print(f"1. learning to label pixels from drawn street scenes: {recipe.model.name}, {recipe.train.epochs} epochs")
    train(recipe, verbose=2)
    model = load_keras(os.path.join(recipe.output, "last.keras"))

    unseen = datasets.load("toytown", "test")
    print(f"\n2. score on {len(unseen)} scenes it has never seen")
    result = evaluate(model, unseen)

    print("\n3. pictures")
    print("  ", os.path.abspath(_grid(model, unseen, os.path.join(recipe.output, "scenes.png"))))

    print("\n4. SavedModel")
    name = "toytown_hrnetv2_w18_small_v1"
    folder = export(model, os.path.join(saved_models, name))
    print("  ", os.path.abspath(folder))
    picture = os.path.join(recipe.output, "scene.png")
    Image.fromarray(unseen.example(0)["image"]).save(picture)
    _use_elsewhere(folder, picture, predict(model, picture)[0])
    print(SERVE.format(base=os.path.abspath(saved_models), name=name, picture=picture))
    return result


def _grid(model, dataset, path, rows=4):
    """Draws picture, truth and prediction of a few examples."""
    drawing = part("seg", "drawing")
    lines = []
    for example in (dataset.example(i) for i in range(rows)):
        found = predict(model, example["image"])[0]
        truth = drawing.draw(example["image"], example, dataset.facts, legend=False)
        lines.append([example["image"], truth, found.draw(legend=False)])
    Image.fromarray(drawing.grid(lines, titles=("scene", "truth", "prediction"))).save(path)
    return path


def _use_elsewhere(folder, picture, expected):
    """Labels a picture in a process that imports only TensorFlow, and compares."""
    labels = os.path.splitext(picture)[0] + "_labels.png"
    subprocess.run([sys.executable, "-c", CLIENT, folder, picture, labels], check=True, stderr=subprocess.DEVNULL)
    same = (datasets.read_label_map(labels) == expected.label_map).mean()
    print(f"   a program that knows only TensorFlow labelled {picture}: {same:.2%} of its pixels as here")

"""Several machines that train one model: each sees its part of every batch, and the first one keeps what is learnt."""

import json
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from hrnet_keras.recipe import Recipe
from hrnet_keras.training import assemble
from hrnet_keras.training.workers import Worker, worker_of
from tests import streets


@pytest.mark.parametrize(
    ("jobs", "task", "expected"),
    [
        ({"worker": 3}, ("worker", 2), Worker(2, 3)),
        ({"chief": 1, "worker": 2}, ("chief", 0), Worker(0, 3)),
        ({"chief": 1, "worker": 2}, ("worker", 0), Worker(1, 3)),
        ({"chief": 1, "worker": 1, "evaluator": 1}, ("worker", 0), Worker(1, 2)),
        ({"worker": 1}, ("worker", 0), Worker()),
    ],
)
def test_the_place_of_a_worker(jobs, task, expected):
    cluster = {job: [f"{job}{i}" for i in range(count)] for job, count in jobs.items()}
    resolver = SimpleNamespace(
        task_type=task[0], task_id=task[1], cluster_spec=lambda: SimpleNamespace(as_dict=lambda: cluster)
    )
    worker = worker_of(SimpleNamespace(cluster_resolver=resolver))
    assert worker == expected and worker.is_chief == (expected.index == 0)
    assert worker_of(SimpleNamespace(cluster_resolver=None)) == Worker()


def recipe_file(folder):
    path = folder / "street.yaml"
    streets.draw(folder / "data", count=8, split="train")
    streets.draw(folder / "data", count=2, split="val", seed=1)
    path.write_text(
        f"model: {{name: HRNetV2W18SmallV1}}\ndata: {{name: folder, root: '{folder / 'data'}'}}\n"
        "augment: {crop: [32, 32], scale: null}\noptimizer: {learning_rate: 0.02}\nschedule: {name: constant}\n"
        "train: {epochs: 2, batch: 4}\n"
    )
    return path


def test_workers_share_the_batches_of_one(tmp_path):
    recipe = Recipe.load(recipe_file(tmp_path))
    (data, _) = assemble.open_data(recipe.data)
    whole = next(iter(assemble.stream_of(recipe, data)()))[0].numpy()
    parts = [next(iter(assemble.stream_of(recipe, data, worker=i, workers=2)()))[0].numpy() for i in range(2)]
    assert [len(part) for part in parts] == [2, 2]
    pictures = sorted(picture.tobytes() for part in parts for picture in part)
    assert pictures == sorted(picture.tobytes() for picture in whole)


WORKER = """
import json, sys
import keras
from hrnet_keras import builders, training
from hrnet_keras.layers import ModelInfoLayer, Resize
from hrnet_keras.layers.normalization import BatchNormalization

def tiny(task, num_classes, **options):
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 5, 4, padding="same", activation="relu", name="conv")(image / 255)
    x = BatchNormalization(name="bn")(x)
    x = Resize(name="up")(keras.layers.Conv2D(num_classes, 1)(x), image)
    return keras.Model(image, ModelInfoLayer({"task": task, "num_classes": num_classes, "output_stride": 1})(x))

builders.HRNetV2W18SmallV1 = tiny
history = training.train(sys.argv[1], output=sys.argv[2], verbose=0, **{"train.epochs": int(sys.argv[3])})
print(json.dumps(history.history["loss"]))
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def start(path, output, epochs, cluster=None, index=0):
    environment = dict(os.environ)
    if cluster is not None:
        environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
    command = [sys.executable, "-c", WORKER, str(path), str(output), str(epochs)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_workers_learn_what_one_does(tmp_path):
    """Two processes by TF_CONFIG, also where the run goes on; batch statistics are those of the whole batch."""
    path = recipe_file(tmp_path)
    for epochs, trained in ((2, 2), (3, 1)):  # the second run goes on where the first one ended
        cluster = {"worker": [f"localhost:{free_port()}", f"localhost:{free_port()}"]}
        processes = [start(path, tmp_path / "two", epochs, cluster, index) for index in range(2)]
        processes.append(start(path, tmp_path / "one", epochs))
        losses = []
        for process in processes:
            out, err = process.communicate(timeout=300)
            assert process.returncode == 0, err[-3000:]
            losses.append(json.loads(out.splitlines()[-1]))
        assert len(losses[2]) == trained
        np.testing.assert_allclose(losses[0], losses[2], rtol=1e-4)
        np.testing.assert_allclose(losses[1], losses[2], rtol=1e-4)
    one, two = ([json.loads(line) for line in (tmp_path / name / "history.jsonl").open()] for name in ("one", "two"))
    assert [line["epoch"] for line in two] == [1, 2, 3]
    np.testing.assert_allclose([line["mIoU"] for line in two], [line["mIoU"] for line in one], atol=1e-3)

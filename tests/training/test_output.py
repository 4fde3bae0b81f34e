"""A run's folder: claimed late, given up cleanly, healed where files are damaged, lengthened, never shared."""

import json
import os
import re
import resource
import signal
import zipfile

import keras
import numpy as np
import pytest

from hrnet_keras import builders, cli, training
from hrnet_keras.layers import ModelInfoLayer, Resize
from hrnet_keras.recipe import DataRecipe, ModelRecipe, OptimizerRecipe, Recipe, ScheduleRecipe, TrainRecipe
from hrnet_keras.tasks.segmentation.recipe import Augment, Loss
from hrnet_keras.training import callbacks
from hrnet_keras.training.output import Output, WriteError, save_whole, write, writing
from tests import streets


def tiny(task, num_classes, **options):
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 5, 4, padding="same", activation="relu", name="conv")(image / 255)
    x = Resize(name="up")(keras.layers.Conv2D(num_classes, 1)(x), image)
    return keras.Model(image, ModelInfoLayer({"task": task, "num_classes": num_classes, "output_stride": 1})(x))


@pytest.fixture(autouse=True)
def tiny_net(monkeypatch):
    monkeypatch.setattr(builders, "HRNetV2W18SmallV1", tiny)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    streets.draw(root, count=4, split="train")
    return streets.draw(root, count=2, split="val", seed=1)


def recipe(folder, root, *, epochs, batch=2, schedule="poly"):
    return Recipe(
        ModelRecipe(name="HRNetV2W18SmallV1"),
        DataRecipe(name="folder", root=str(root)),
        Augment(crop=(32, 32), scale=None),
        optimizer=OptimizerRecipe(learning_rate=0.02),
        schedule=ScheduleRecipe(name=schedule),
        train=TrainRecipe(epochs=epochs, batch=batch),
        output=str(folder / "run"),
    )


def lines(folder):
    return [json.loads(line) for line in (folder / "run" / "history.jsonl").read_text().splitlines()]


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"data": DataRecipe(name="folder", root="/nowhere")}, "nowhere"),
        ({"train": TrainRecipe(batch=5)}, "has only 4 examples"),
        ({"loss": Loss(name="mse")}, "loss.name='mse'"),
        ({"model": ModelRecipe(name="HRNetV2W19")}, "model.name"),
        (
            {"model": ModelRecipe(name="HRNetV2W18SmallV1", task="pose"), "augment": None, "loss": None},
            "data set .* has no points",
        ),
    ],
)
def test_a_refused_start_leaves_nothing_behind(tmp_path, root, change, expected):
    asked = Recipe(**{**vars(recipe(tmp_path / "runs" / "new", root, epochs=1)), **change})
    with pytest.raises(ValueError, match=expected):
        training.train(asked, verbose=0)
    assert not tree(tmp_path)


def test_a_folder_with_other_files_is_not_touched_by_a_refused_start(tmp_path, root):
    (tmp_path / "run" / "tensorboard").mkdir(parents=True)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="batch=50"):
        training.train(recipe(tmp_path, root, epochs=1, batch=50), verbose=0)
    assert tree(tmp_path) == before
    (tmp_path / "run" / "best.keras").write_text("somebody's model")
    with pytest.raises(ValueError, match=r"holds best\.keras but no state in backup/"):
        training.train(recipe(tmp_path, root, epochs=1), verbose=0)
    assert (tmp_path / "run" / "best.keras").read_text() == "somebody's model"


class Interrupt(keras.callbacks.Callback):
    """Does something in the middle of an epoch, in the place of TensorBoard."""

    def __init__(self, epoch, act):
        super().__init__()
        self.epoch, self.act, self.now = epoch, act, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch:
            self.act()


def interrupt():
    raise KeyboardInterrupt


def test_an_interrupt_says_what_is_kept_and_how_to_go_on(tmp_path, root, monkeypatch):
    monkeypatch.setattr(keras.callbacks, "TensorBoard", lambda *a, **k: Interrupt(0, interrupt))
    asked = recipe(tmp_path, root, epochs=3)
    with pytest.raises(KeyboardInterrupt, match=r"no epoch is done, so nothing is kept in .*: the same command starts"):
        training.train(asked, verbose=0)
    assert not tree(tmp_path)
    monkeypatch.setattr(keras.callbacks, "TensorBoard", lambda *a, **k: Interrupt(2, interrupt))
    with pytest.raises(KeyboardInterrupt, match=r"stopped: 2 of 3 epochs are kept in .*: the same command goes on"):
        training.train(asked, verbose=0)
    assert [line["epoch"] for line in lines(tmp_path)] == [1, 2]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_with_130_when_it_is_interrupted(tmp_path, root, monkeypatch, capsys, sent):
    # A shell starts what it puts into the background with SIGINT ignored; the tests may run there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        check_interrupt(tmp_path, root, monkeypatch, capsys, sent)
    finally:
        signal.signal(signal.SIGINT, before)


def check_interrupt(tmp_path, root, monkeypatch, capsys, sent):
    monkeypatch.setattr(
        keras.callbacks, "TensorBoard", lambda *a, **k: Interrupt(1, lambda: os.kill(os.getpid(), sent))
    )
    path = tmp_path / "street.yaml"
    path.write_text(
        f"model: {{name: HRNetV2W18SmallV1}}\ndata: {{name: folder, root: '{root}'}}\n"
        f"augment: {{crop: [32, 32], scale: null}}\ntrain: {{epochs: 3, batch: 2}}\noutput: {tmp_path / 'run'}\n"
    )
    assert cli.main(["train", str(path)]) == 130
    printed = capsys.readouterr().err
    assert printed == (
        f"hrnet-keras: stopped: 1 of 3 epochs are kept in {tmp_path / 'run'}: the same command goes on from there\n"
    )


def weights(history):
    return [np.asarray(v) for v in history.model.weights]


def test_a_finished_run_is_lengthened_as_if_it_had_been_longer_from_the_start(tmp_path, root):
    whole = training.train(recipe(tmp_path / "whole", root, epochs=3, schedule="constant"), verbose=0)
    short, longer = (recipe(tmp_path / "two", root, epochs=n, schedule="constant") for n in (2, 3))
    training.train(short, verbose=0)
    two = keras.saving.load_model(tmp_path / "two" / "run" / "last.keras", compile=False).get_weights()
    with pytest.raises(ValueError, match=r"holds the finished experiment \(2 epochs\): lengthen it with a larger"):
        training.train(short, verbose=0)
    history = training.train(longer, verbose=0)
    assert history.epoch == [2] and int(history.model.optimizer.iterations) == 6
    # Threads add in any order, so the weights differ by rounding; another rate or order of pictures would show.
    for one, other in zip(weights(whole), weights(history), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    three = keras.saving.load_model(tmp_path / "two" / "run" / "last.keras", compile=False).get_weights()
    assert any(np.abs(a - b).max() > 0 for a, b in zip(two, three, strict=True))
    assert [line["epoch"] for line in lines(tmp_path / "two")] == [1, 2, 3]
    with pytest.raises(ValueError, match=r"3 epochs are done, train\.epochs=2 asks for fewer: expected 3 to end there"):
        training.train(short, verbose=0)
    said = json.loads((tmp_path / "two" / "run" / "recipe.json").read_text())
    assert said["train"]["epochs"] == 3 and len(os.listdir(tmp_path / "two" / "run" / "backup")) == 2


def test_what_a_schedule_means_for_a_longer_run_is_said(tmp_path, root, capsys):
    training.train(recipe(tmp_path, root, epochs=2), verbose=2)
    training.train(recipe(tmp_path, root, epochs=3), verbose=2)
    printed = capsys.readouterr().out
    # Two steps an epoch, so 4 are done: 0.02 * (1 - 3/4) ** 0.9 and 0.02 * (1 - 3/6) ** 0.9.
    assert (
        "train.epochs: 3 instead of 2: schedule poly counts 3 epochs now; the learning rate goes on at 0.01072, where "
        "it was 0.005743\n" in printed
    )
    assert f"device: CPU, {os.cpu_count()} cores\n" in printed
    assert ", 4 pictures to train on, 2 to score on\n" in printed
    assert "classes: 3 (ground, square, bar)\n" in printed
    # 5x5x3x4 + 4 and 4x3 + 3
    assert "net: HRNetV2W18SmallV1, task seg, 319 parameters\n" in printed
    assert f"run: new, 2 epochs of 2 steps of 2, in {tmp_path / 'run'}\n" in printed
    assert f"run: resumed after epoch 2, 3 epochs of 2 steps of 2, in {tmp_path / 'run'}\n" in printed


def test_the_best_of_a_run_stays_when_it_is_lengthened(tmp_path, root, monkeypatch):
    figures = iter([0.2, 0.6, 0.5, 0.7])
    monkeypatch.setattr(callbacks, "evaluate", lambda *a, **k: {"mIoU": next(figures)})
    best = tmp_path / "run" / "best.keras"
    training.train(recipe(tmp_path, root, epochs=2), verbose=0)
    kept = keras.saving.load_model(best, compile=False).get_weights()
    training.train(recipe(tmp_path, root, epochs=3), verbose=0)
    for one, other in zip(kept, keras.saving.load_model(best, compile=False).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    last = training.train(recipe(tmp_path, root, epochs=4), verbose=0).model.get_weights()
    for one, other in zip(last, keras.saving.load_model(best, compile=False).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[300] ^= 1  # within the first variable: 128 bytes of its header, then 1,200 of its numbers
    path.write_bytes(data)


DAMAGES = {
    "history cut": lambda run: (run / "history.jsonl").open("a").write('{"epoch": 99, "lo'),
    "history empty": lambda run: (run / "history.jsonl").write_text(""),
    "history gone": lambda run: (run / "history.jsonl").unlink(),
    "recipe empty": lambda run: (run / "recipe.json").write_text(""),
    "recipe gone": lambda run: (run / "recipe.json").unlink(),
    "state empty": lambda run: (run / "backup" / "epoch_0002.npz").write_bytes(b""),
    "state cut": lambda run: os.truncate(run / "backup" / "epoch_0002.npz", 1000),
    "state of zeros": lambda run: zeros(run / "backup" / "epoch_0002.npz"),
    "a bit of the state": lambda run: flip_a_bit(run / "backup" / "epoch_0002.npz"),
    "cut off while it wrote": lambda run: (run / "backup" / "writing").write_bytes(b"half"),
}
GOES_ON_FROM_1 = {"state empty", "state cut", "state of zeros", "a bit of the state"}


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("damage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builders, "HRNetV2W18SmallV1", tiny)
        training.train(recipe(folder, root, epochs=2, schedule="constant"), verbose=0)
    return folder


def copied(folder, tmp_path):
    import shutil

    shutil.copytree(folder / "run", tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_goes_on(tmp_path, root, two_epochs, damage, caplog):
    run = copied(two_epochs, tmp_path)
    DAMAGES[damage](run)
    asked = recipe(tmp_path, root, epochs=3, schedule="constant")
    history = training.train(asked, verbose=0)
    assert history.epoch == ([1, 2] if damage in GOES_ON_FROM_1 else [2])
    assert [line["epoch"] for line in lines(tmp_path)] == [1, 2, 3] and all("mIoU" in line for line in lines(tmp_path))
    assert json.loads((run / "recipe.json").read_text())["train"]["epochs"] == 3
    assert {"epoch_0002.npz", "epoch_0003.npz"} == set(os.listdir(run / "backup")) - {"writing"}
    assert ("epoch_0002.npz: damaged: goes on from the state before, of epoch 1" in caplog.text) == (
        damage in GOES_ON_FROM_1
    )


OLD_RECIPE = {
    "model": {"name": "HRNetV2W18SmallV1", "task": "seg", "weights": None, "num_classes": None, "num_keypoints": None,
              "lineage": None, "align_corners": None, "head": None},
    "data": {"name": "folder", "train": "train", "evaluate": "val", "options": {}, "crop": [32, 32], "scale": None,
             "scale_step": 0.1, "base_size": None, "flip": 0.5, "brightness": 0, "contrast": 0.0, "saturation": 0.0,
             "rules": "official", "codec": None, "sigma": None, "scaling": None, "rotation": None, "half_body": None,
             "shift": None, "unreadable": "raise", "cache": None},
    "train": {"epochs": 2, "batch": 2, "learning_rate": 0.02, "schedule": "constant", "milestones": [],
              "warmup_epochs": 0.0, "warmup_steps": 0, "optimizer": "sgd", "momentum": 0.9, "nesterov": False,
              "weight_decay": 0.0005, "rate_factors": {}, "loss": None, "ohem_threshold": 0.9,
              "ohem_min_kept": 131072, "auxiliary_weight": 0.4, "class_weights": True, "batch_norm": "batch",
              "precise_batch_norm": True, "precision": "float32", "seed": 0, "evaluate_every": 1},
}  # as version 0.1 wrote it, but for folders  # fmt: skip


def write_old_recipe(run, root, **train):
    """Gives the states of a run the recipe that the version before sections by task wrote."""
    said = {**OLD_RECIPE, "train": {**OLD_RECIPE["train"], **train}, "output": str(run)}
    said["data"] = {**OLD_RECIPE["data"], "root": str(root)}
    for path in (run / "backup").iterdir():
        with zipfile.ZipFile(path) as file:
            members = {name: file.read(name) for name in file.namelist()}
        about = json.loads(members["run.json"])
        members["run.json"] = json.dumps({**about, "recipe": said}).encode()
        with zipfile.ZipFile(path, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
    (run / "recipe.json").write_text(json.dumps(said))


def test_a_run_of_an_earlier_version_goes_on(tmp_path, root, two_epochs, caplog):
    run = copied(two_epochs, tmp_path)
    write_old_recipe(run, root)
    history = training.train(recipe(tmp_path, root, epochs=3, schedule="constant"), verbose=0)
    assert history.epoch == [2] and not caplog.records
    said = json.loads((run / "recipe.json").read_text())
    assert said["augment"]["crop"] == [32, 32] and said["schedule"]["name"] == "constant"
    assert Recipe.load(run / "recipe.json") == Recipe.of_run(said)


def test_a_run_of_an_earlier_version_and_another_experiment(tmp_path, root, two_epochs):
    run = copied(two_epochs, tmp_path)
    write_old_recipe(run, root, momentum=0.5, loss="dice")
    with pytest.raises(ValueError, match=r"another experiment \(loss.name, optimizer.momentum differ\)"):
        training.train(recipe(tmp_path, root, epochs=3, schedule="constant"), verbose=0)
    write_old_recipe(run, root, invented=1)
    with pytest.raises(ValueError, match=r"another experiment \(train.invented: no such key: .*\): choose another"):
        training.train(recipe(tmp_path, root, epochs=3, schedule="constant"), verbose=0)


def test_a_run_whose_states_are_all_damaged_is_named_and_stays(tmp_path, root, two_epochs):
    run = copied(two_epochs, tmp_path)
    for name in ("epoch_0001.npz", "epoch_0002.npz"):
        os.truncate(run / "backup" / name, 1000)
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=r"epoch_0002\.npz, .*epoch_0001\.npz: damaged, so the run can't"):
        training.train(recipe(tmp_path, root, epochs=3, schedule="constant"), verbose=0)
    assert tree(tmp_path) == before


def test_a_run_is_resumed_to_end_where_it_is(tmp_path, root, two_epochs):
    run = copied(two_epochs, tmp_path)
    (run / "last.keras").unlink()  # it was stopped before this file
    history = training.train(recipe(tmp_path, root, epochs=2, schedule="constant"), verbose=0)
    assert history.epoch == []
    last = keras.saving.load_model(run / "last.keras", compile=False).get_weights()
    expected = keras.saving.load_model(two_epochs / "run" / "last.keras", compile=False).get_weights()
    for one, other in zip(last, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_second_process_is_refused(tmp_path, root, two_epochs):
    run = copied(two_epochs, tmp_path)
    asked = recipe(tmp_path, root, epochs=3, schedule="constant")
    with Output(asked), pytest.raises(ValueError, match="another process trains into it"):
        training.train(asked, verbose=0)
    assert not (run / ".lock").exists()
    assert training.train(asked, verbose=0).epoch == [2]


def test_a_full_disk_is_named_and_what_was_kept_goes_on(tmp_path, root, monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))

    tensorboard = keras.callbacks.TensorBoard
    monkeypatch.setattr(keras.callbacks, "TensorBoard", lambda *a, **k: Interrupt(1, fill))
    asked = recipe(tmp_path, root, epochs=3)
    try:
        with pytest.raises(WriteError) as caught:
            training.train(asked, verbose=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert re.search(r"epoch_0002\.npz: can't be written: .*; 1 of 3 epochs are kept in", str(caught.value))
    monkeypatch.setattr(keras.callbacks, "TensorBoard", tensorboard)
    assert training.train(asked, verbose=0).epoch == [1, 2]


def test_a_model_or_text_that_finds_no_room_leaves_the_one_before(tmp_path):
    model = tiny("seg", 3)
    path, text = tmp_path / "best.keras", tmp_path / "recipe.json"
    save_whole(model, str(path))
    write(str(text), "before")
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        with pytest.raises(WriteError, match=r"best\.keras: can't be written"):
            save_whole(model, str(path))
        with pytest.raises(WriteError, match=r"recipe\.json: can't be written: File too large"):
            write(str(text), "x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before and text.read_text() == "before"
    assert tree(tmp_path) == ["best.keras", "recipe.json"]


def test_skipping_is_offered_for_broken_files_only(tmp_path):
    root = streets.draw(tmp_path / "data", count=4)
    asked = recipe(tmp_path, root, epochs=1)
    (root / "images" / "1.png").write_bytes((root / "images" / "1.png").read_bytes()[:200])
    with pytest.raises(ValueError, match=r"1\.png.*\(data\.unreadable: skip leaves such files out\)"):
        training.train(asked, verbose=0)
    streets.draw(tmp_path / "data", count=4)
    (root / "classes.txt").write_text("ground\nsquare\n")  # the labels have a third class
    with pytest.raises(ValueError, match="holds class ids 2") as caught:
        training.train(asked, verbose=0)
    assert "data.unreadable" not in str(caught.value) and "and 3 more" in str(caught.value)


def test_only_errors_of_the_disk_are_told_as_such():
    with pytest.raises(KeyError), writing("x"):
        raise KeyError("x")

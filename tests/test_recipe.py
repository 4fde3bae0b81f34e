"""Recipes: what is read, what is refused, and that every published one is sound."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import hrnet_keras as hk
from hrnet_keras import builders, datasets
from hrnet_keras.recipe import DataRecipe, ModelRecipe
from hrnet_keras.tasks import TASKS

RECIPES = sorted((Path(__file__).parent.parent / "recipes").rglob("*.yaml"))
GOOD = "model: {name: HRNetV2W18}\ndata: {name: camvid}\naugment: {crop: [64, 96], scale: null}\ntrain: {epochs: 3}\n"


def write(tmp_path, text):
    path = tmp_path / "street.yaml"
    path.write_text(text)
    return path


def test_reads_values_and_fills_in_defaults(tmp_path):
    recipe = hk.Recipe.load(write(tmp_path, GOOD))
    assert recipe.model.name == "HRNetV2W18" and recipe.model.task == "seg"
    assert recipe.augment.crop == (64, 96) and recipe.augment.scale is None
    assert recipe.train.epochs == 3 and recipe.optimizer.momentum == 0.9
    assert recipe.output == "runs/street"


def test_overrides_dotted_and_nested(tmp_path):
    path = write(tmp_path, GOOD)
    recipe = hk.Recipe.load(
        path, **{"train.epochs": 7, "data.options": {"count": 3}}, augment={"crop": [32, 32]}, output="x"
    )
    assert (recipe.train.epochs, recipe.augment.crop, recipe.output) == (7, (32, 32), "x")
    assert recipe.data.options == {"count": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("epochs", "epoch"), "epoch"),
        (GOOD.replace("epochs: 3", "epochs: three"), "train.epochs"),
        (GOOD.replace("[64, 96]", "[64]"), "augment.crop"),
        (GOOD.replace("train:", "training:"), "training"),
        (GOOD.replace("model: {name: HRNetV2W18}\n", ""), "model"),
        (GOOD.replace("epochs: 3", "epochs: 0"), "train.epochs: expected a number above 0, given 0"),
        (GOOD + "schedule: {name: linear}", "schedule.name"),
        (GOOD + "a: [", "parsing"),
        (
            GOOD.replace("epochs: 3", "learing_rate: 3"),
            "train.learing_rate: no such key: did you mean optimizer.learning_rate?",
        ),
        (
            GOOD.replace("epochs: 3", "Learning-Rate: 3"),
            "train.Learning-Rate: no such key: did you mean optimizer.learning_rate?",
        ),
        (GOOD.replace("epochs: 3", "crop: [3, 4]"), "train.crop: no such key: did you mean augment.crop?"),
        (GOOD.replace("train:", "trian:"), "trian: no such key: did you mean train?"),
        (
            GOOD + "zoom: 1",
            "zoom: no such key: expected one of model, data, augment, loss, optimizer, schedule, train, output",
        ),
        (
            GOOD.replace("epochs: 3", "zzz: 3"),
            "train.zzz: no such key: expected one of train.epochs, train.batch, train.batch_norm",
        ),
        (GOOD + "train: {batch: 2}", "line 5: train is given twice, first in line 4"),
        (GOOD.replace("epochs: 3", "epochs: 3, batch: 2, epochs: 4"), "line 4: epochs is given twice, first in line 4"),
        (
            GOOD.replace("camvid", "folder, options: {class_weights: balanced, class_weights: null}"),
            "line 2: class_weights is given twice, first in line 2",
        ),
        (GOOD + "optimizer: {learning_rate: .nan}", "optimizer.learning_rate: expected finite numbers, given nan"),
        (GOOD + "optimizer: {weight_decay: -.inf}", "optimizer.weight_decay: expected finite numbers, given -inf"),
        (
            GOOD.replace("scale: null", "scale: [0.5, .inf]"),
            "augment.scale: expected finite numbers, given [0.5, inf]",
        ),
        (
            GOOD.replace("camvid", "camvid, options: {weight: [1, .nan]}"),
            "data.options: expected finite numbers, given {'weight': [1, nan]}",
        ),
        (
            GOOD + "optimizer: {rate_factors: {head: .nan}}",
            "optimizer.rate_factors: expected finite numbers, given {'head': nan}",
        ),
        (GOOD.replace("[64, 96]", "64"), "augment.crop: expected two whole numbers (height, width), given 64"),
        (
            GOOD.replace("[64, 96]", "[64, 96.5]"),
            "augment.crop: expected two whole numbers (height, width), given [64, 96.5]",
        ),
        (GOOD.replace("[64, 96]", "64x96"), "augment.crop: expected two whole numbers (height, width), given '64x96'"),
        (GOOD.replace("epochs: 3", "epochs: 3.5"), "train.epochs: expected a whole number, given 3.5"),
        (GOOD.replace("epochs: 3", "epochs: true"), "train.epochs: expected a whole number, given true"),
        (GOOD.replace("epochs: 3", "epochs: null"), "train.epochs: expected a whole number, given null"),
        (GOOD + "optimizer: {nesterov: 1}", "optimizer.nesterov: expected true or false, given 1"),
        (
            GOOD + "schedule: {name: linear}",
            "schedule.name: expected one of poly, steps, constant, given 'linear'",
        ),
        (GOOD + "schedule: {milestones: 30}", "schedule.milestones: expected a list of whole numbers, given 30"),
        (
            GOOD.replace("name: camvid", "name: camvid, root: 2024"),
            "data.root: expected text or null, given 2024: put it in quotes",
        ),
        (GOOD.replace("name: camvid", ""), "data.name is missing: expected text"),
        (GOOD.replace("train: {epochs: 3}", "train: 3"), "train: expected keys and values, given 3"),
        (GOOD + "optimizer: {momentum: 1.5}", "optimizer.momentum: expected 0 up to 1, given 1.5"),
        (GOOD + "optimizer: {weight_decay: -1}", "optimizer.weight_decay: expected 0 or more, given -1.0"),
        (
            GOOD.replace("scale: null", "scale: [2, 0.5]"),
            "augment.scale: expected lowest before highest, given [2.0, 0.5]",
        ),
        ("just words", "expected the sections model, data, augment, loss, optimizer, schedule, train"),
        ("", "expected the sections model, data, augment, loss, optimizer, schedule, train"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, text, expected):
    path = write(tmp_path, text)
    with pytest.raises(ValueError) as caught:
        hk.Recipe.load(path)
    message = str(caught.value)
    assert expected in message and str(path) in message and "\n" not in message
    assert not re.search(r"tuple|Literal|Optional|NoneType|\bint\b|\bfloat\b|\bstr\b|\bdict\b", message)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["--optimizer.learing_rate", "1"],
            "--optimizer.learing_rate: no such option: did you mean --optimizer.learning_rate?",
        ),
        (
            ["--optimizer.learning-rate", "1"],
            "--optimizer.learning-rate: no such option: did you mean --optimizer.learning_rate?",
        ),
        (["--epochs", "1"], "--epochs: no such option: did you mean --train.epochs?"),
        (["--train.epochs", "many"], "--train.epochs: expected a whole number, given 'many'"),
        (["--train.epochs"], "--train.epochs: expected a value behind it"),
        (["--train.epochs", "--train.batch", "2"], "--train.epochs: expected a value behind it"),
        (["--optimizer.learning_rate=nan"], "--optimizer.learning_rate: expected a number, given 'nan'"),
        (["--optimizer.learning_rate", ".inf"], "--optimizer.learning_rate: expected finite numbers, given inf"),
        (["--augment.crop", "[1]"], "--augment.crop: expected two whole numbers (height, width), given [1]"),
        (["--augment.crop", "[1"], "--augment.crop: expected two whole numbers (height, width), given '[1'"),
        (["--train.epochs", "0"], "train.epochs: expected a number above 0, given 0"),
        (["again.yaml"], "'again.yaml' is one word too many: expected --section.key VALUE"),
    ],
)
def test_mistakes_in_options_are_named_in_one_line(tmp_path, words, expected):
    path = str(write(tmp_path, GOOD))
    with pytest.raises(ValueError) as caught:
        hk.Recipe.parse(["--recipe", path, *words], origin=path)
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_options_are_read_by_their_kind(tmp_path):
    path = str(write(tmp_path, GOOD))
    words = [
        "--data.root",
        "007",
        "--augment.crop=[32,32]",
        "--optimizer.learning_rate",
        "1e-3",
        "--optimizer.nesterov",
        "true",
    ]
    words += ["--data.options", "{count: 3}", "--data.options.size", "[64, 64]", "--augment.base_size", "null"]
    words += ["--train.epochs", "5", "--train.epochs", "6", "--model.weights=a=b.pth"]
    recipe = hk.Recipe.parse(["--recipe", path, *words], origin=path)
    assert (recipe.data.root, recipe.augment.crop, recipe.augment.base_size) == ("007", (32, 32), None)
    assert (recipe.optimizer.learning_rate, recipe.optimizer.nesterov, recipe.train.epochs) == (1e-3, True, 6)
    assert recipe.data.options == {"count": 3, "size": [64, 64]} and recipe.model.weights == "a=b.pth"


def test_a_recipe_takes_changes_in_python(tmp_path):
    recipe = hk.Recipe.load(write(tmp_path, GOOD))
    changed = hk.Recipe.load(recipe, train={"epochs": 9}, **{"data.root": tmp_path})
    assert changed.train.epochs == 9 and changed.data.root == str(tmp_path) and changed.augment.crop == (64, 96)
    with pytest.raises(ValueError, match=r"train\.epoch: no such key: did you mean train\.epochs\?"):
        hk.Recipe.load(recipe, train={"epoch": 9})
    with pytest.raises(ValueError, match=r"optimizer\.learning_rate: expected finite numbers, given nan"):
        hk.Recipe.load(recipe, optimizer={"learning_rate": float("nan")})
    spoilt = replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=float("nan")))
    with pytest.raises(ValueError, match=r"optimizer\.learning_rate: expected a number above 0, given nan"):
        spoilt.check()


def test_numbers_are_read_as_people_write_them(tmp_path):
    recipe = hk.Recipe.load(write(tmp_path, GOOD + "optimizer: {learning_rate: 1e-3, weight_decay: 5E-4}"))
    assert (recipe.optimizer.learning_rate, recipe.optimizer.weight_decay) == (0.001, 0.0005)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("ade20k", {"partal": True}, "data set 'ade20k' has no option 'partal': did you mean partial?"),
        ("camvid", {"classes": 3}, "data set 'camvid' has no option 'classes': there are none"),
        ("foldr", {}, "name='foldr': did you mean 'folder'?"),
    ],
)
def test_options_that_a_data_set_does_not_have(name, options, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        datasets.load(name, "train", **options)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.yaml: no such file"):
        hk.Recipe.load(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_published_recipes_are_sound(path):
    recipe = hk.Recipe.load(path)
    assert hasattr(builders, recipe.model.name)
    pictures = {"coco_detection": "coco", "boxes": "raccoon"}.get(recipe.data.name, recipe.data.name)
    assert path.stem.startswith(pictures)
    assert path.read_text().startswith("#"), "the head says what it reproduces and what was measured"


OLD = """
model: {name: HRNetV2W18, task: TASK}
data: {name: camvid, crop: [64, 96], flip: 0.25}
train: {epochs: 3, learning_rate: 0.2, optimizer: adam, schedule: steps, milestones: [1], loss: LOSS}
"""


def old(task, loss, /, **changes):
    text = OLD.replace("TASK", task).replace("LOSS", loss)
    for before, after in changes.items():
        text = text.replace(f"{before}: ", after)
    return text


@pytest.mark.parametrize(
    ("task", "loss", "size"),
    [("seg", "ohem", "crop"), ("cls", "cross_entropy", "input_size"), ("pose", "ohkm", "input_size")],
)
def test_keys_of_earlier_versions_are_read_with_a_line_for_each(tmp_path, caplog, task, loss, size):
    recipe = hk.Recipe.load(write(tmp_path, old(task, loss)))
    assert getattr(recipe.augment, size) == (64, 96) and recipe.augment.flip == 0.25
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 0.2)
    assert (recipe.schedule.name, recipe.schedule.milestones, recipe.loss.name) == ("steps", [1], loss)
    lines = [record.getMessage() for record in caplog.records if record.name == "hrnet_keras.recipe"]
    assert f"data.crop is called augment.{size} now: the old name is still read" in lines
    assert "train.loss is called loss.name now: the old name is still read" in lines
    assert len(lines) == len(set(lines)) == 7 and {record.levelname for record in caplog.records} == {"WARNING"}
    caplog.clear()
    assert hk.Recipe.load(recipe) == recipe and not caplog.records


def test_old_values_and_old_keys_as_overrides_and_options(tmp_path, caplog):
    path = write(tmp_path, old("pose", "mse"))
    recipe = hk.Recipe.load(path, data={"codec": "classic", "rules": "mmlab"}, **{"train.learning_rate": 0.5})
    assert (recipe.augment.codec, recipe.augment.convention, recipe.optimizer.learning_rate) == ("msra", "mmlab", 0.5)
    words = [
        "--recipe",
        str(path),
        "--data.codec",
        "classic",
        "--data.convention=mmlab",
        "--train.learning_rate",
        "0.5",
    ]
    assert hk.Recipe.parse(words, origin=str(path)) == recipe
    new = hk.Recipe.load(path, **{"optimizer.learning_rate": 0.7})  # replaces the file's, whatever its name there
    assert new.optimizer.learning_rate == 0.7
    words = ["--recipe", str(path), "--train.rate_factors.head", "10", "--model.task", "seg", "--loss.name", "dice"]
    assert hk.Recipe.parse(words, origin=str(path)).optimizer.rate_factors == {"head": 10}


def test_no_loss_is_that_of_the_task_whatever_the_file_says(tmp_path):
    path = write(tmp_path, old("pose", "ohkm"))
    by_words = hk.Recipe.parse(["--recipe", str(path), "--train.loss", "null"], origin=str(path))
    assert hk.Recipe.load(path, train={"loss": None}) == by_words
    assert by_words.loss.name == "weighted_mse"


def test_a_run_goes_on_whose_recipe_had_keys_of_other_tasks():
    """They had no effect, so the first version took them; a file with them has to be put right, a run can't be."""
    said = {"model": {"name": "HRNetV1W32", "task": "pose"}, "data": {"name": "coco"}}
    run = hk.Recipe.of_run({**said, "train": {"class_weights": False, "learning_rate": 0.5}})
    assert run == hk.Recipe.load(hk.Recipe.of_run(said), **{"optimizer.learning_rate": 0.5})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (old("seg", "dice") + "optimizer: {learning_rate: 0.1}", "learning_rate are one key: leave the old name out"),
        (
            old("pose", "mse", flip="brightness: 5, flip: "),
            "data.brightness does not belong to task 'pose': expected augment.input_size, augment.convention",
        ),
        (
            old("landmark", "mse") + "augment: {half_body: 0.5}",
            "augment.half_body does not belong to task 'landmark': expected augment.input_size",
        ),
        (
            old("cls", "cross_entropy", loss="ohem_min_kept: 7, loss: "),
            "train.ohem_min_kept does not belong to task 'cls': expected loss.name",
        ),
        (old("seg", "mse"), "loss.name: expected one of cross_entropy, ohem, dice, lovasz, given 'mse'"),
        (old("fly", "mse"), "task='fly': expected one of 'cls', 'seg', 'landmark', 'pose'"),
    ],
)
def test_keys_of_other_tasks_and_both_names_of_a_key_are_refused(tmp_path, text, expected):
    path = write(tmp_path, text)
    with pytest.raises(ValueError) as caught:
        hk.Recipe.load(path)
    assert expected in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_options_of_other_tasks_and_both_names_of_an_option_are_refused(tmp_path):
    path = str(write(tmp_path, GOOD))
    for words, expected in (
        (["--augment.half_body", "1"], "--augment.half_body does not belong to task 'seg': expected --augment.crop"),
        (["--train.loss", "mse"], "--train.loss: expected one of cross_entropy, ohem, dice, lovasz, given 'mse'"),
        (["--data.flip", "0", "--augment.flip", "1"], "augment.flip and data.flip are one key: leave the old name out"),
    ):
        with pytest.raises(ValueError, match=re.escape(expected)):
            hk.Recipe.parse(["--recipe", path, *words], origin=path)


def test_every_task_has_its_sections_and_checks_them():
    for task in TASKS.values():
        recipe = hk.Recipe(ModelRecipe("HRNetV2W18", task=task.name), DataRecipe("camvid"))
        assert isinstance(recipe.augment, task.augment) and isinstance(recipe.loss, task.loss)
        recipe.check()
        with pytest.raises(ValueError, match=r"recipe here: augment\.flip: expected a probability, given 2"):
            replace(recipe, augment=replace(recipe.augment, flip=2)).check("here")

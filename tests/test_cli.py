"""The command: what it prints, its exit status, and one clear line for every mistake."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras import cli
from hrnet_keras.builders import name_answers
from hrnet_keras.datasets import Facts
from tests import streets


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    name_answers(model, Facts("three", class_names=streets.CLASSES, palette=((1, 2, 3), (4, 5, 6), (7, 8, 9))))
    path = tmp_path_factory.mktemp("model") / "net.keras"
    model.save(path)
    return str(path)


def test_predict_export_and_evaluate(model_file, tmp_path, capsys):
    root = streets.draw(tmp_path / "data", count=2)
    picture = str(root / "images" / "0.png")
    assert cli.main(["predict", model_file, picture, "--output", str(tmp_path / "drawn"), "--label-maps"]) == 0
    printed = capsys.readouterr().out.split()
    assert printed == [str(tmp_path / "drawn" / "0.png"), str(tmp_path / "drawn" / "0_labels.png")]
    assert np.asarray(Image.open(printed[1])).shape == (48, 64)
    assert cli.main(["export", model_file, str(tmp_path / "base" / "net")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "base" / "net" / "1")
    words = [
        "evaluate",
        str(tmp_path / "base" / "net"),
        "folder",
        "--root",
        str(root),
        "--json",
        str(tmp_path / "r.json"),
    ]
    assert cli.main(words) == 0
    assert "pixel accuracy" in capsys.readouterr().out
    assert set(json.loads((tmp_path / "r.json").read_text())["IoU"]) == set(streets.CLASSES)


@pytest.fixture(scope="module")
def pose_file(tmp_path_factory):
    model = hk.HRNetV1W18SmallV1("pose", num_keypoints=3, input_shape=(64, 64, 3))
    name_answers(model, Facts("three", point_names=("nose", "left_hand", "right_hand"), flip_pairs=((1, 2),)))
    path = tmp_path_factory.mktemp("model") / "pose.keras"
    model.save(path)
    return str(path)


def test_points_are_found_in_boxes_and_written(pose_file, tmp_path, capsys):
    root, out = streets.draw(tmp_path / "data", count=2), tmp_path / "out"
    pattern = str(root / "images" / "*.png")
    (tmp_path / "boxes.json").write_text('{"1.png": [[5, 5, 30, 40], [10, 0, 60, 48]], "0.png": []}')
    words = ["predict", pose_file, pattern, "--output", str(out), "--json"]
    assert cli.main([*words, "--boxes", str(tmp_path / "boxes.json")]) == 0
    assert capsys.readouterr().out.split() == [str(out / f"{i}.{end}") for i in "01" for end in ("png", "json")]
    nobody, two = (json.loads((out / f"{i}.json").read_text()) for i in "01")
    assert nobody == {"points": [], "scores": [], "boxes": []} and set(two) == {"points", "scores", "boxes"}
    (expected,) = hk.predict(pose_file, root / "images" / "1.png", boxes=[[5, 5, 30, 40], [10, 0, 60, 48]])
    np.testing.assert_allclose(two["points"], expected.points, atol=1e-3)
    np.testing.assert_allclose(two["scores"], expected.scores, atol=1e-3)
    assert two["boxes"] == [[5, 5, 30, 40], [10, 0, 60, 48]]
    np.testing.assert_array_equal(np.asarray(Image.open(out / "1.png")), expected.draw())
    assert cli.main([*words[:2], str(root / "images" / "1.png"), *words[3:], "--boxes", "[[10, 0, 60, 48]]"]) == 0
    assert json.loads((out / "1.json").read_text())["points"] == two["points"][1:]


@pytest.mark.parametrize(
    ("points", "words", "expected"),
    [
        (True, [], "boxes"),
        (True, ["--boxes", "[[5, 5, 30, 40]]", "--label-maps"], "a model of task 'pose' answers none: --json writes"),
        (True, ["--boxes", "[[5, 5, 5, 40]]"], "boxes[0] = (5, 5, 5, 40): has no area"),
        (True, ["--boxes", "[[500, 5, 530, 40]]"], "lies outside the picture of 64x48"),
        (True, ["--boxes", "gone.json"], "gone.json: no such file"),
        (False, ["--json"], "--json: writes points, a model of task 'seg' answers none"),
        (False, ["--boxes", "[[5, 5, 30, 40]]"], "--boxes: a model of task 'seg' looks at whole pictures"),
    ],
)
def test_answers_that_a_model_does_not_give(points, words, expected, pose_file, model_file, tmp_path, capsys):
    picture = str(streets.draw(tmp_path, count=1) / "images" / "0.png")
    words = ["predict", pose_file if points else model_file, picture, "--output", str(tmp_path / "out"), *words]
    assert cli.main(words) == 1
    printed = capsys.readouterr()
    assert expected in printed.err and printed.err.count("\n") == 1 and not printed.out
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_models_rules_choose_how_a_set_is_read(pose_file, tmp_path, monkeypatch):
    import keras

    from hrnet_keras.builders import facts_of

    asked = []

    def load(name, split, root=None, **options):
        asked.append((name, split, options.get("lineage"), options.get("partial")))
        raise ValueError("asked")

    monkeypatch.setattr("hrnet_keras.datasets.load", load)
    model = keras.saving.load_model(pose_file)
    facts_of(model)["rules"] = "mmlab"
    model.save(tmp_path / "net.keras")
    for path in (pose_file, str(tmp_path / "net.keras")):
        cli.main(["evaluate", path, "cofw", "--data", "x"])
    cli.main(["evaluate", path, "300w", "--data", "x", "--split", "common", "--option", "{partial: true}"])
    with pytest.raises(ValueError, match="asked"):  # the verb decides, however it is called
        hk.evaluate(path, "cofw", root="x")
    assert asked == [
        ("cofw", "test", "official", None), ("cofw", "test", "mmlab", None), ("300w", "common", None, True),
        ("cofw", "test", "mmlab", None),
    ]  # fmt: skip


def test_train_reads_recipe_and_options(tmp_path, monkeypatch, capsys):
    path = tmp_path / "street.yaml"
    path.write_text("model: {name: HRNetV2W18}\ndata: {name: camvid}\n")
    seen = []
    monkeypatch.setattr("hrnet_keras.training.train", seen.append)
    assert cli.main(["train", str(path), "--train.epochs", "7", "--data.root", "/data", "--output", "runs/x"]) == 0
    (recipe,) = seen
    assert (recipe.train.epochs, recipe.data.root, recipe.output) == (7, "/data", "runs/x")
    assert "runs/x/best.keras" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fly"], "'fly' is no command: expected one of train, evaluate, predict, export, convert"),
        (["train"], "expected the path of a recipe"),
        (["train", "nothing.yaml"], "nothing.yaml: no such file"),
        (["predict", "net.keras", "a.png"], "net.keras"),
        (["predict", "--what"], "--what"),
        (["evaluate", "net.keras"], "expected MODEL and DATASET"),
        (["export", "net.keras", "out", "--version", "one"], "version"),
        (["demo", "--task", "fly"], "task='fly'"),
    ],
)
def test_mistakes_are_one_line_on_standard_error(words, expected, capsys):
    assert cli.main(words) != 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert expected in printed.err and printed.err.startswith("hrnet-keras: ") and printed.err.count("\n") == 1


def test_debug_shows_where(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        cli.main(["train", "nothing.yaml", "--debug"])


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert f"hrnet-keras {name}" in printed


def test_help_of_the_command_loads_no_tensorflow():
    code = "import sys; from hrnet_keras import cli; cli.main(['--help']); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("False")


def test_the_list_of_weights_needs_no_tensorflow():
    code = "import sys; from hrnet_keras.cli import main; main(['models']); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False" and len(done.stdout.splitlines()) == 176 and not done.stderr

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

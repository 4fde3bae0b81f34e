"""The command: what it prints, its exit status, and one clear line for every mistake."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras import cli, prediction_files
from hrnet_keras.builders import name_outputs
from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.loading import load_keras
from hrnet_keras.tasks import DEMOS
from hrnet_keras.tasks.landmark import inference as landmark
from hrnet_keras.tasks.segmentation import inference as segmentation
from hrnet_keras.transforms import upright
from tests import dots, streets


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    name_outputs(model, DatasetInfo("three", class_names=streets.CLASSES, palette=((1, 2, 3), (4, 5, 6), (7, 8, 9))))
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
def model(model_file):
    return load_keras(model_file)


@pytest.fixture
def predict(model, monkeypatch):
    """The command, given the model that is open already."""
    monkeypatch.setattr("hrnet_keras.predictor.load", lambda path: model)
    return lambda *words: cli.main(["predict", "net.keras", *map(str, words)])


def noise(path, size=(32, 48), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(len(str(path))).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(image).save(path, **options)
    return path


def test_answers_keep_the_tree_of_their_pictures(predict, tmp_path, capsys):
    cams, out = tmp_path / "cams", tmp_path / "out"
    for i, inner in enumerate(("a/1.png", "b/1.png", "b/1.jpg", "b/1_labels.jpg")):
        noise(cams / inner, (32, 40 + i))
    assert predict(cams / "*" / "*", cams / "a" / ".." / "a" / "1.png", "--output", out, "--label-maps") == 0
    names = ["a/1", "b/1.jpg", "b/1.png", "b/1_labels.jpg"]
    expected = [str(out / f"{name}{ending}") for name in names for ending in (".png", "_labels.png")]
    assert capsys.readouterr().out.split() == expected
    widths = [Image.open(path).width for path in expected[1::2]]
    assert widths == [40, 42, 41, 43]
    before = {path: path.read_bytes() for path in cams.rglob("*.*")}
    assert predict(cams / "a" / "1.png", "--output", cams / "a") == 1
    assert "1.png: was given and would be overwritten" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in cams.rglob("*.*")} == before


def test_answers_are_written_as_they_come_and_the_unreadable_counted(predict, tmp_path, monkeypatch, capsys):
    for name in ("1.png", "3.png", "5.png"):
        noise(tmp_path / "in" / name)
    (tmp_path / "in" / "2.png").write_text("no picture")
    (tmp_path / "in" / "4.png").write_bytes((tmp_path / "in" / "3.png").read_bytes()[:900])
    out, there = tmp_path / "out", []
    real = prediction_files.write_predictions

    def counted(*words, **options):
        for file in real(*words, **options):
            there.append(len(list(out.iterdir())))
            yield file

    monkeypatch.setattr(prediction_files, "write_predictions", counted)
    assert predict(tmp_path / "in" / "*.png", "--output", out) == 1
    printed = capsys.readouterr()
    assert printed.out.split() == [str(out / f"{i}.png") for i in (1, 3, 5)] and there == [1, 2, 3]
    first, second, last = printed.err.splitlines()
    assert "2.png: cannot be read" in first and "4.png: cannot be read" in second
    assert last == f"hrnet-keras: 2 of 5 pictures could not be answered; the others are in {out}"
    assert predict(tmp_path / "in" / "2.png", "--output", out) == 1
    assert capsys.readouterr().err.count("\n") == 1  # of a single one, its own line says all


def test_what_is_written_before_an_interrupt_stays(predict, tmp_path, monkeypatch, capsys):
    for i in range(4):
        noise(tmp_path / "in" / f"{i}.png")
    real = prediction_files.write_predictions

    def interrupted(*words, **options):
        for i, file in enumerate(real(*words, **options)):
            if i == 1:
                raise KeyboardInterrupt
            yield file

    monkeypatch.setattr(prediction_files, "write_predictions", interrupted)
    assert predict(tmp_path / "in" / "*.png", "--output", tmp_path / "out") != 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "1.png"]


def test_the_output_of_one_picture_may_be_a_file(predict, tmp_path, capsys):
    one, two = noise(tmp_path / "in" / "1.png"), noise(tmp_path / "in" / "2.png")
    assert predict(one, "--output", tmp_path / "new" / "out.jpg", "--label-maps") == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["out.jpg", "out_labels.png"]
    assert Image.open(tmp_path / "new" / "out.jpg").format == "JPEG"
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "shots.png").mkdir()
    assert predict(one, two, "--output", tmp_path / "shots.png") == 0  # a folder, whatever its name
    capsys.readouterr()
    for words, expected in (
        ((one, two, "--output", tmp_path / "out.png"), "out.png: names a file: expected a folder for the answers of 2"),
        ((one, two, "--output", tmp_path / "notes.txt"), "notes.txt: names a file: expected a folder"),
        ((one, "--output", tmp_path / "notes.txt"), "notes.txt: is a file and no picture: expected a folder"),
        ((one, "--output", one), "1.png: was given and would be overwritten"),
    ):
        assert predict(*words) == 1
        printed = capsys.readouterr()
        assert expected in printed.err and printed.err.count("\n") == 1 and not printed.out
    assert (tmp_path / "notes.txt").read_text() == "mine" and not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--size", "24", "36"], (24, 36)), (["--size", "[24,36]"], (24, 36)), (["--size=24 36"], (24, 36)),
        (["--size", "24"], 24), (["--size", "big"], None), (["--size", "0"], None), (["--size", "1", "2", "3"], None),
        (["--size"], None),
    ],
)  # fmt: skip
def test_sizes_stand_before_or_behind_the_pictures(monkeypatch, capsys, words, expected):
    asked = []
    monkeypatch.setattr(
        prediction_files, "write_predictions", lambda *given, size, **more: asked.append((given[:2], size)) or ()
    )
    for whole in ([*words, "net.keras", "a.png"], ["net.keras", "a.png", *words]):
        status = cli.main(["predict", *whole])
        assert status == (0 if expected else 1), whole
        if not expected:
            assert capsys.readouterr().err.count("\n") == 1
    assert asked == ([(("net.keras", ["a.png"]), expected)] * 2 if expected else [])


def test_pictures_seen_at_another_size_and_turned_ones_are_remarked(predict, tmp_path, monkeypatch, capsys):
    exif = Image.Exif()
    exif[upright.TAG] = 6
    path = noise(tmp_path / "in" / "photo.jpg", (32, 48), exif=exif)
    out = tmp_path / "out"
    assert predict(path, "--output", out, "--label-maps", "--size", "16", "24") == 0
    assert capsys.readouterr().out.splitlines() == [
        str(out / "photo.png"), f"{out / 'photo_labels.png'}: of the pixels as stored, not turned by EXIF",
    ]  # fmt: skip
    assert Image.open(out / "photo.png").width == 32 and Image.open(out / "photo_labels.png").size == (48, 32)
    monkeypatch.setattr(segmentation, "LARGEST", 32 * 48 // 4)
    assert predict(path, "--output", out) == 0
    assert "photo.png: shown to the net at 16x24 (width x height; --size chooses another)" in capsys.readouterr().out


def test_pictures_without_a_face_say_so(tmp_path, monkeypatch, capsys):
    model = dots.model("landmark", (64, 64))
    monkeypatch.setattr("hrnet_keras.predictor.load", lambda path: model)
    faces = {32: np.zeros((0, 4)), 33: np.array([[5.0, 5, 28, 28]])}  # by the height of the picture
    monkeypatch.setattr(landmark, "find_faces", lambda image: (faces[len(image)], None))
    pictures = [str(noise(tmp_path / "in" / f"{i}.png", (32 + i, 48))) for i in range(2)]
    out = tmp_path / "out"
    assert cli.main(["predict", "net.keras", *pictures, "--output", str(out), "--json"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{out / '0.png'}: no face found", str(out / "0.json"), str(out / "1.png"), str(out / "1.json"),
    ]  # fmt: skip
    assert [len(json.loads((out / f"{i}.json").read_text())["points"]) for i in range(2)] == [0, 1]
    np.testing.assert_array_equal(np.asarray(Image.open(out / "0.png")), np.asarray(Image.open(pictures[0])))
    (found,) = hk.predict(model, pictures[0])
    assert found.points.shape == (0, 3, 2)


def test_a_box_that_does_not_fit_costs_one_picture(tmp_path, monkeypatch, capsys):
    model = dots.model("pose", (64, 64))
    monkeypatch.setattr("hrnet_keras.predictor.load", lambda path: model)
    pictures = [str(noise(tmp_path / "in" / f"{i}.png")) for i in range(2)]
    boxes = '{"0.png": [[900, 5, 930, 40]], "1.png": [[5, 5, 30, 30]]}'
    words = ["predict", "net.keras", *pictures, "--output", str(tmp_path / "out"), "--boxes", boxes]
    assert cli.main(words) == 1
    printed = capsys.readouterr()
    assert printed.out.split() == [str(tmp_path / "out" / "1.png")]
    assert f"{pictures[0]}: boxes[0] = (900, 5, 930, 40): lies outside the picture of 48x32" in printed.err
    assert "1 of 2 pictures could not be answered" in printed.err


@pytest.fixture(scope="module")
def pose_file(tmp_path_factory):
    model = hk.HRNetV1W18SmallV1("pose", num_keypoints=3, input_shape=(64, 64, 3))
    name_outputs(model, DatasetInfo("three", point_names=("nose", "left_hand", "right_hand"), flip_pairs=((1, 2),)))
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
        (False, ["--json"], "--json: writes points and boxes, a model of task 'seg' answers none"),
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

    from hrnet_keras.layers.model_info import update_info

    asked = []

    def load(name, split, root=None, **options):
        asked.append((name, split, options.get("lineage"), options.get("partial")))
        raise ValueError("asked")

    monkeypatch.setattr("hrnet_keras.datasets.load", load)
    model = keras.saving.load_model(pose_file)
    update_info(model, convention="mmlab")
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
        (["evaluate"], "expected MODEL and DATASET, or --weights NAME"),
        (["evaluate", "net.keras"], "net.keras"),
        (["export", "net.keras", "out", "--version", "one"], "version"),
        (["demo", "--task", "fly"], "task='fly'"),
        (["trian", "x.yaml"], "'trian' is no command: did you mean train?"),
        (["predict", "a", "b", "--lable-maps"], "--lable-maps: no such option: did you mean --label-maps?"),
        (["evaluate", "a", "b", "--limit", "few"], "--limit: expected a whole number, given 'few'"),
        (["evaluate", "a", "b", "--limit"], "--limit: expected one argument"),
        (["evaluate", "a", "b", "--limit", "0"], "limit=0: expected a number of pictures, 1 or more"),
        (["evaluate", "a", "b", "--limit", "-3"], "limit=-3: expected a number of pictures, 1 or more"),
        (
            ["evaluate", "a", "b", "--window", "512"],
            "--window: expected two whole numbers (height, width), given 512",
        ),
        (["evaluate", "a", "b", "--scales", "1"], "--scales: expected a list of numbers, given 1"),
        (["evaluate", "a", "b", "--scales", "[1, .nan]"], "--scales: expected finite numbers, given [1, nan]"),
        (
            ["evaluate", "a", "b", "--rule", "hole"],
            "--rule: expected one of whole, windows, sliding, cityscapes, fixed",
        ),
        (["evaluate", "a", "b", "--option", "partial"], "--option: expected {name: value, ...}, given 'partial'"),
        (["evaluate", "a", "b", "c"], "'c' is one word too many"),
        (["convert", "net.keras"], "convert: expected DESTINATION"),
        (["convert", "net.keras", "net.safetensors"], "net.keras: no such file"),
        (["convert", "tests", "net.safetensors"], "tests: is a folder: expected a .pth, .pt, .safetensors or .keras"),
        (["train", "recipes/seg/camvid_hrnetv2_w18_small_v1.yaml", "--epochs", "3"], "did you mean --train.epochs?"),
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


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_speaks_no_python(name, capsys):
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    printed = capsys.readouterr().out
    assert not re.search(r"type:|NoneType|Literal|tuple|\| ?null|\bstr\b|\bint\b|\bNone\b|\bTrue\b|\bFalse\b", printed)


def test_help_lists_what_there_is(capsys):
    from hrnet_keras.datasets import NAMES
    from hrnet_keras.tasks.segmentation.protocol import MODES

    printed = {}
    for name in ("evaluate", "demo", "train"):
        with pytest.raises(SystemExit):
            cli.main([name, "--help"])
        printed[name] = capsys.readouterr().out
    assert all(re.search(rf"\b{word}\b", printed["evaluate"]) for word in (*NAMES, *MODES))
    assert all(re.search(rf"\b{task}\b", printed["demo"]) for task in DEMOS)
    assert "--optimizer.learning_rate  a number (default: 0.01)\n        at the start." in printed["train"]
    assert "--augment.crop  two whole numbers (height, width) (default: [512, 1024])" in printed["train"]


def test_the_version_is_told(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"hrnet-keras {hk.__version__}\n"


def test_an_interrupt_anywhere_is_130_in_one_line(monkeypatch, capsys):
    def interrupted(words):
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, "models", interrupted)
    assert cli.main(["models"]) == 130
    assert capsys.readouterr().err == "hrnet-keras: stopped\n"


def test_help_of_the_command_loads_no_tensorflow():
    code = "import sys; from hrnet_keras import cli; cli.main(['--help']); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("False")


def test_the_list_of_weights_needs_no_tensorflow():
    code = "import sys; from hrnet_keras.cli import main; main(['models']); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    head, *rows, last = done.stdout.splitlines()
    assert last == "False" and len(rows) == 175 and not done.stderr
    assert head.split()[:3] == ["task", "net", "data"] and "published score" in head
    row = next(row for row in rows if "hrnetv2_w18_imagenet_pretrained" in row)
    for title, word in (("net", "V2W18"), ("data", "imagenet"), ("published score", "top1"), ("name", "hrnetv2_w18_")):
        assert row[head.index(title) :].startswith(word)

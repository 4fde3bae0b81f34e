"""The house keeps its rules: one way from top to bottom, cheap imports, parts that keep their promises."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import hrnet_keras as hk
from hrnet_keras import builders
from hrnet_keras.tasks import TASKS, task_named

ROOT = Path(__file__).parent.parent
# What the modules of a task promise beside `TASK`.
PROMISES = {
    "head": ["build"],
    "recipe": ["Augment", "Loss"],
    "losses": ["objective"],
    "decoding": ["decode"],
    "metrics": ["Metric", "table"],
    "pipeline": ["training"],
    "inference": ["processor"],
    "serving": ["signatures"],
    "drawing": ["draw"],
}


def test_the_import_contract_holds():
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_importing_loads_no_heavy_package():
    code = "import sys, hrnet_keras; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    for name in ("tensorflow", "keras", "tf_keras", "tensorflow_datasets", "official", "matplotlib", "PIL"):
        assert f"'{name}'" not in done.stdout, name


def test_building_loads_no_data_package():
    code = "import sys, hrnet_keras.builders; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    for name in ("tensorflow_datasets", "official", "matplotlib", "jsonargparse"):
        assert f"'{name}'" not in done.stdout, name


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_task_keeps_its_promises(task):
    for file, names in PROMISES.items():
        for name in names:
            assert callable(getattr(task.module(file), name)), (task.name, file, name)


def test_unknown_tasks_are_named():
    with pytest.raises(ValueError, match="task='segm': expected one of 'cls'"):
        task_named("segm")


def task_names_in(path):
    """The string literals of a file that are nothing but a task's name, with their lines; docstrings don't count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in TASKS
    ]


def test_no_file_outside_the_tasks_asks_which_task_it_has():
    package = ROOT / "hrnet_keras"
    files = [path for path in package.rglob("*.py") if package / "tasks" not in path.parents]
    assert [line for path in files for line in task_names_in(path)] == []


@pytest.mark.parametrize("name", hk.__all__)
def test_public_names_are_documented(name):
    value = getattr(hk, name)
    assert callable(value)
    doc = inspect.getdoc(value)
    assert doc and len(doc) > 80
    if not inspect.isclass(value):
        assert value.__name__ == name
        assert all(word in doc for word in ("Args:", "Returns:", "Raises:")), name


def test_unknown_names_are_named():
    with pytest.raises(AttributeError, match="'HRNetV2W19'"):
        _ = hk.HRNetV2W19


def test_every_builder_is_public():
    assert {name for name in vars(builders) if name.startswith("HRNet")} <= set(hk.__all__)


def test_verbs_do_not_ask_which_task_they_have():
    for path in (ROOT / "hrnet_keras").glob("*.py"):
        if path.stem in ("builders", "demo", "cli", "recipe"):
            continue
        assert 'task == "' not in path.read_text(), path

"""What a wheel holds beside the modules, and what is installed with it."""

import configparser
from importlib import resources
from pathlib import Path

import pytest

from hrnet_keras.recipe import Recipe

ROOT = Path(__file__).parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def test_the_wheel_holds_every_recipe_and_the_mark_of_types():
    """setuptools takes what the patterns of `package_data` find inside of the package's folder."""
    package = Path(str(resources.files("hrnet_keras")))
    patterns = SETUP["options.package_data"]["hrnet_keras"].split()
    packed = {path.relative_to(package).as_posix() for pattern in patterns for path in package.glob(pattern)}
    recipes = {f"recipes/{path.relative_to(ROOT / 'recipes').as_posix()}" for path in ROOT.glob("recipes/*/*.yaml")}
    assert len(recipes) > 50 and recipes <= packed
    assert "py.typed" in packed


@pytest.mark.parametrize(
    "name",
    ["seg/folder_hrnetv2_w18_small_v1", "recipes/seg/folder_hrnetv2_w18_small_v1.yaml", "folder_hrnetv2_w18_small_v1"],
)
def test_recipes_are_found_by_name_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = Recipe.load(name)
    assert recipe.data.name == "folder" and recipe.output == "runs/folder_hrnetv2_w18_small_v1"


def test_a_file_of_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("camvid_hrnetv2_w18_small_v1").write_text("model: {name: HRNetV2W48}\ndata: {name: toytown}\n")
    assert Recipe.load("camvid_hrnetv2_w18_small_v1").model.name == "HRNetV2W48"


def test_an_unknown_recipe_is_named_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"recipe seg/camvid_w18: no such file.*"):
        Recipe.load("seg/camvid_w18")
    with pytest.raises(ValueError, match=r"did you mean seg/camvid_hrnetv2_w18_small_v1\?"):
        Recipe.load("seg/camvid_hrnetv2_w18_smal_v1.yaml")


def test_everything_together_brings_no_package_that_pins_tensorflow():
    extras = SETUP["options.extras_require"]
    assert "tf-models-official" in extras["detection"] and "detection" not in extras["all"]
    assert SETUP["options"]["python_requires"] == ">=3.11"

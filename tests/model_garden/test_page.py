"""The page of Model Garden says what the code does."""

import re
from pathlib import Path

import pytest

pytest.importorskip("official", reason="needs tf-models-official: make test-model-garden")
yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "model_garden.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def test_the_examples_run():
    names = {}
    for block in blocks("py"):
        exec(compile(block, "model_garden.md", "exec"), names)
    assert tuple(names["backbone"].output_specs["6"]) == (None, 4, 4, 256)
    assert names["config"].task.model.backbone.get().width == "W18"


def test_the_experiment_can_be_read():
    from official.core import exp_factory

    from hrnet_keras import model_garden  # noqa: F401

    config = exp_factory.get_exp_config("hrnetv2_semantic_segmentation")
    config.override(yaml.safe_load(blocks("yaml")[0]))
    config.validate()
    assert config.task.model.backbone.get().weights == "imagenet"

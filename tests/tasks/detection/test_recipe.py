"""What a recipe may say of how detectors see pictures."""

from dataclasses import asdict

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.recipe.values import in_words, read_value
from hrnet_keras.tasks.detection import pipeline
from hrnet_keras.tasks.detection.recipe import Augment
from tests.objects import Objects, random_picture

RECIPE = "model: {name: HRNetV2pW18, task: det}\ndata: {name: boxes}\naugment: {%s}\ntrain: {epochs: 1}\n"


def load(tmp_path, augment):
    path = tmp_path / "boxes.yaml"
    path.write_text(RECIPE % augment)
    return hk.Recipe.load(path)


def test_sizes_from_a_file_are_those_of_the_stream(tmp_path):
    assert load(tmp_path, "").augment == Augment()
    recipe = load(tmp_path, "scale: [512, 320], scales: [[512, 320], [400, 240]], flip: 0")
    assert recipe.augment.scale == (512, 320) and recipe.augment.scales == [(512, 320), (400, 240)]
    rng = np.random.default_rng(0)
    dataset = Objects([random_picture(rng, (64, 96)) for _ in range(2)])
    stream = pipeline.training(dataset, batch=1, **asdict(recipe.augment))
    assert next(iter(stream))[0].shape[1:3] in ((320, 480), (256, 384))


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("scale: [800, 1333]", r"augment.scale: expected the long side first, given \[800, 1333\]"),
        ("scale: 800", r"augment.scale: expected two whole numbers \(long, short\), given 800"),
        ("scales: [800, 600]", r"augment.scales: expected a list of \[two whole numbers \(long, short\)\], given"),
        ("scale_range: [800, 640]", "augment.scale_range: expected lowest before highest"),
        ("crop: [0, 3]", "augment.crop: expected a number above 0, given 0"),
        ("flip: 2", "augment.flip: expected a probability, given 2"),
    ],
)
def test_what_is_refused(tmp_path, augment, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, augment)


def test_lists_of_pairs_in_words():
    kind = list[tuple[int, int]]
    assert in_words(kind, "long, short") == "a list of [two whole numbers (long, short)]"
    assert read_value([[3, 2]], kind, "scales") == [(3, 2)]

"""A recipe's seed decides everything random: two runs give the same losses to the last bit (on a CPU)."""

import pytest

from hrnet_keras import training
from tests import streets
from tests.training.test_training import recipe


@pytest.mark.slow
def test_two_runs_of_one_recipe_have_identical_losses(tmp_path):
    root = streets.draw(tmp_path / "data", count=6)
    runs = [
        training.train(recipe(tmp_path / name, root, epochs=2, evaluate_every=2, seed=seed), verbose=0)
        for name, seed in (("one", 4), ("same", 4), ("other", 5))
    ]
    losses = [run.history["loss"] for run in runs]
    assert losses[0] == losses[1]
    assert losses[0][0] != losses[2][0]

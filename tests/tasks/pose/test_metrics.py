"""The metric that a data set's info ask for, and its table."""

import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks.pose.metrics import Metric, table
from hrnet_keras.tasks.pose.oks import STATISTICS

NAMES = tuple(f"joint {i}" for i in range(16))


@pytest.mark.parametrize(("kind", "main"), [("oks", "AP"), ("pckh", "PCKh"), ("pck", "PCK")])
def test_facts_choose_the_metric_and_a_perfect_answer_scores_best(kind, main):
    metric = Metric(DatasetInfo("people", point_names=NAMES, metric=kind, sigmas=(0.05,) * 16))
    assert metric.main == main and not metric.lower_is_better
    points = np.random.default_rng(0).random((1, 16, 2)) * 200
    answer = {"points": points, "scores": np.ones((1, 16)), "boxes": np.array([[0, 0, 200, 200]])}
    keypoints = np.concatenate([points[0], np.full((16, 1), 2)], axis=1).ravel().tolist()
    example = {"name": "street", "points": points, "visible": np.ones((1, 16)), "boxes": answer["boxes"]}
    example |= {"sizes": np.array([40.0]), "image_id": 1, "size": (200, 200)}
    example["truth"] = [{"bbox": [0, 0, 200, 200], "keypoints": keypoints}]
    metric.update(answer, example)
    result = metric.result()
    assert result[main] == pytest.approx(1 if kind == "oks" else 100)
    lines = table(result).splitlines()
    assert any(line.split()[0] == main for line in lines) and "1 persons" in lines[-1]


def test_tables_hold_every_figure():
    figures = {name: i / 100 for i, name in enumerate(STATISTICS)}
    lines = table({**figures, "pictures": 4, "persons": 96}).splitlines()
    assert {line.split()[0]: float(line.split()[1]) for line in lines[:-1]} == figures
    lines = table({"PCK": 50.0, "points": {"nose": 100.0, "left eye": 0.0}, "persons": 2}).splitlines()
    assert [line.split()[-1] for line in lines[:-1]] == ["100.00", "0.00", "50.00"]


def test_unknown_metrics_are_refused():
    with pytest.raises(ValueError, match="data set 'people': metric='nme': expected one of 'oks', 'pckh', 'pck'"):
        Metric(DatasetInfo("people", metric="nme"))

"""Normalised mean errors against the official code's and mmpose's (goldens), the area under the curve by sums."""

import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks.landmark import metrics
from hrnet_keras.tasks.landmark.metrics import Metric, area_under_curve, table

NORMALISERS = {19: "size", 29: (8, 9), 68: (36, 45), 98: (60, 72)}


def score(found, truth, visible, sizes, normaliser):
    """One face per picture."""
    metric = Metric(DatasetInfo("golden", normaliser=normaliser))
    for i in range(len(truth)):
        example = {"name": str(i), "points": truth[i : i + 1], "visible": visible[i : i + 1], "sizes": sizes[i : i + 1]}
        metric.update({"points": found[i : i + 1]}, example)
    return metric


@pytest.mark.parametrize("count", NORMALISERS)
def test_official_code(golden, count):
    _, arrays = golden("landmark", f"landmark_nme_{count}")
    everything = np.ones(arrays["in_gt"].shape[:2], int)
    metric = score(arrays["in_pred"], arrays["in_gt"], everything, arrays["in_box_size"], NORMALISERS[count])
    of_faces = metrics.face_errors(np.stack(metric.errors), np.stack(metric.labelled))
    np.testing.assert_allclose(of_faces, arrays["out_nme"], rtol=1e-6)
    result = metric.result()
    assert result["NME"] == pytest.approx(100 * arrays["out_mean"], rel=1e-6)
    assert result["NME_points"] == pytest.approx(100 * arrays["out_mean"], rel=1e-6)
    assert result["FR@0.08"] == pytest.approx(100 * arrays["out_fr008"])
    assert result["FR@0.10"] == pytest.approx(100 * arrays["out_fr010"])
    assert result["faces"] == 7


def test_mmpose_counts_visible_points_alike(golden):
    _, arrays = golden("landmark", "mmpose_misc")
    sizes = arrays["in_norm"][:, 0]
    result = score(arrays["in_pred"], arrays["in_gt"], arrays["in_mask"].astype(int), sizes, "size").result()
    assert result["NME_points"] == pytest.approx(100 * arrays["out_nme"], rel=1e-5)
    assert abs(result["NME"] / result["NME_points"] - 1) > 1e-3  # the official mean over faces is another number


def test_area_is_the_integral_of_the_curve():
    errors = np.random.default_rng(1).gamma(3, 0.02, 50)
    limits = (np.arange(100_000) + 0.5) / 100_000 * 0.08
    curve = np.mean(errors[:, None] <= limits, axis=0)
    assert 0.1 < area_under_curve(errors, 0.08) < 0.9
    assert area_under_curve(errors, 0.08) == pytest.approx(curve.mean(), abs=1e-5)


def test_faces_without_a_length_and_points_without_a_label_are_left_out():
    truth = np.zeros((4, 3, 2))
    truth[:, 1] = [10, 0]
    truth[1, 1] = 0  # a face of length 0
    found = truth + [[[0, 0], [0, 0], [0, 3]]]
    visible = np.array([[2, 1, 2], [1, 1, 1], [0, 1, 1], [1, 1, 0]])
    metric = Metric(DatasetInfo("faces", normaliser=(0, 1)))
    metric.update({"points": found}, {"name": "crowd", "points": truth, "visible": visible})
    result = metric.result()
    assert result["faces"] == 2
    assert result["NME"] == pytest.approx(100 * (0.1 + 0) / 2)
    assert result["NME_points"] == pytest.approx(100 * 0.3 / 5)
    assert result["FR@0.08"] == 50 and result["FR@0.10"] == 0
    assert result["AUC@0.08"] == 50


def test_no_face_at_all_is_no_score():
    result = Metric(DatasetInfo("faces", normaliser="size")).result()
    assert np.isnan(result["NME"]) and result["faces"] == 0


def test_table_has_every_figure():
    result = {"NME": 3.34, "FR@0.08": 1.5, "FR@0.10": 0.2, "AUC@0.08": 61.55, "NME_points": 3.33, "faces": 689}
    text = table(result)
    assert [float(line.split()[1]) for line in text.splitlines()[:-1]] == list(result.values())[:-1]
    assert "689 faces" in text
    assert Metric.main == "NME" and Metric.lower_is_better


@pytest.mark.parametrize("normaliser", ["", "box", (3,), (3, 3), (-1, 2)])
def test_impossible_normalisers_are_refused(normaliser):
    with pytest.raises(ValueError, match=r"data set 'faces': normaliser=.*: expected two indices of points or 'size'"):
        Metric(DatasetInfo("faces", normaliser=normaliser))


def test_what_does_not_belong_together_is_refused():
    example = {"name": "street", "points": np.zeros((1, 5, 2)), "visible": np.ones((1, 5))}
    metric = Metric(DatasetInfo("faces", normaliser=(2, 7)))
    with pytest.raises(ValueError, match=r"street: the answer's points have shape \(2, 5, 2\)"):
        metric.update({"points": np.zeros((2, 5, 2))}, example)
    with pytest.raises(ValueError, match=r"street: 5 points: expected more than the normaliser's \(2, 7\)"):
        metric.update({"points": np.zeros((1, 5, 2))}, example)
    with pytest.raises(ValueError, match="street: no sizes"):
        Metric(DatasetInfo("faces", normaliser="size")).update({"points": np.zeros((1, 5, 2))}, example)


def test_points_that_are_no_numbers_are_refused():
    example = {"name": "face", "points": np.zeros((1, 2, 2)), "visible": np.ones((1, 2)), "sizes": np.ones(1)}
    found = np.full((1, 2, 2), np.inf)
    with pytest.raises(ValueError, match="face: the answer's points are no finite numbers"):
        Metric(DatasetInfo("mine", normaliser="size")).update({"points": found}, example)

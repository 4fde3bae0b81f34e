"""Shares of correct points against the official MPII evaluation (golden) and by hand."""

import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks.pose.pckh import Pck, Pckh, pckh

BODY = DatasetInfo("mpii", point_names=tuple(f"joint {i}" for i in range(16)), metric="pckh")


def test_official_evaluation(golden):
    _, arrays = golden("pose", "pose_mpii_pckh")
    truth, missing = arrays["in_pos_gt_src"].transpose(2, 0, 1) - 1, arrays["in_jnt_missing"].T
    heads = np.linalg.norm(arrays["in_headboxes_src"][1] - arrays["in_headboxes_src"][0], axis=0)
    metric = Pckh(BODY)
    for first in range(0, 40, 8):  # eight persons in a picture
        here = slice(first, first + 8)
        example = {"name": "", "points": truth[here], "visible": 1 - missing[here], "sizes": 0.6 * heads[here]}
        metric.update({"points": arrays["in_pred_zero_based"][here]}, example)
    result = metric.result()
    for name in ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle"):
        assert result[name.lower()] == pytest.approx(float(arrays[f"out_{name}"]), abs=1e-6)
    assert result["PCKh"] == pytest.approx(float(arrays["out_Mean"]), abs=1e-6)
    assert result["PCKh@0.11"] == pytest.approx(float(arrays["out_Mean_at_0p1"]), abs=1e-6)
    assert 0 < result["PCKh@0.10"] < result["PCKh@0.11"]
    assert result["persons"] == 40


def test_thresholds_and_the_joints_that_do_not_count():
    errors, labelled = np.full((1, 16), 0.105), np.zeros((1, 16), bool)
    labelled[0, [0, 6, 7, 9, 12]] = True
    errors[0, [0, 6, 7]] = [0.5, 9, 9]  # at the threshold; pelvis and thorax, far off
    result = pckh(errors, labelled)
    assert (result["PCKh"], result["PCKh@0.11"], result["PCKh@0.10"]) == (100, pytest.approx(200 / 3), 0)
    assert result["shoulder"] == result["ankle"] == 100  # of the side that is labelled
    assert result["knee"] == 0


def test_heads_of_no_length_find_nothing_and_nobody_scores_0():
    metric = Pckh(BODY)
    assert metric.result()["PCKh"] == 0
    example = {"name": "", "points": np.zeros((1, 16, 2)), "visible": np.ones((1, 16)), "sizes": np.zeros(1)}
    metric.update({"points": np.ones((1, 16, 2))}, example)
    assert metric.result()["PCKh"] == 0


def test_share_within_a_fifth_of_the_box():
    metric = Pck(DatasetInfo("people", point_names=("nose", "tail"), metric="pck"))
    truth = np.zeros((2, 2, 2))
    found = truth + [[[20, 0], [0, 20.1]], [[3, 4], [99, 0]]]
    boxes = [[100, 0, 200, 50], [0, 0, 5, 25]]
    metric.update({"points": found}, {"name": "", "points": truth, "visible": [[2, 1], [1, 0]], "boxes": boxes})
    result = metric.result()
    assert result["points"] == {"nose": 100, "tail": 0}
    assert result["PCK"] == pytest.approx(200 / 3) and result["persons"] == 2


def test_what_is_refused():
    with pytest.raises(ValueError, match="data set 'coco' has 17 points: PCKh groups the 16 joints of MPII"):
        Pckh(DatasetInfo("coco", point_names=("nose",) * 17))
    example = {"name": "street", "points": np.zeros((1, 16, 2)), "visible": np.ones((1, 16)), "boxes": np.ones((1, 4))}
    with pytest.raises(ValueError, match=r"street: no sizes: .*gt_valid\.mat"):
        Pckh(BODY).update({"points": np.zeros((1, 16, 2))}, example)
    with pytest.raises(ValueError, match=r"street: the answer's points have shape \(3, 16, 2\)"):
        Pckh(BODY).update({"points": np.zeros((3, 16, 2))}, {**example, "sizes": np.ones(1)})
    with pytest.raises(ValueError, match="and there are 2 lengths"):
        Pckh(BODY).update({"points": np.zeros((1, 16, 2))}, {**example, "sizes": np.ones(2)})
    with pytest.raises(ValueError, match="street: 16 points, the data set has 2"):
        Pck(DatasetInfo("people", point_names=("nose", "tail"))).update({"points": np.zeros((1, 16, 2))}, example)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_points_that_are_no_numbers_are_refused(value):
    example = {"name": "street", "points": np.zeros((1, 16, 2)), "visible": np.ones((1, 16)), "boxes": np.ones((1, 4))}
    found = np.zeros((1, 16, 2))
    found[0, 3, 1] = value
    for metric in (Pckh(BODY), Pck(BODY)):
        with pytest.raises(ValueError, match="street: the answer's points are no finite numbers"):
            metric.update({"points": found}, {**example, "sizes": np.ones(1)})

"""Similarity, duplicates and COCO's figures against the official code (goldens)."""

import json
import sys

import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks.pose.oks import STATISTICS, Oks, crop_areas, oks_nms, rescore, similarity

SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
INFO = DatasetInfo("people", metric="oks", sigmas=tuple(SIGMAS))


def test_official_similarity_and_duplicates(golden):
    _, arrays = golden("pose", "pose_oks_nms")
    points, scores, areas = arrays["in_keypoints"][..., :2], arrays["in_score"], arrays["in_area"]
    np.testing.assert_allclose(similarity(points, areas, SIGMAS), arrays["out_oks"], rtol=0, atol=1e-9)
    for limit in (0.5, 0.9):
        assert oks_nms(points, scores, areas, SIGMAS, limit) == list(arrays[f"out_keep_{limit}"])


def test_of_equal_scores_the_later_comes_first():
    points = np.zeros((3, 17, 2)) + np.array([0, 0, 500])[:, None, None]
    assert oks_nms(points, np.ones(3), np.full(3, 100.0), SIGMAS) == [2, 1]
    assert oks_nms(points[:0], np.ones(0), np.ones(0), SIGMAS) == []


def test_a_persons_score():
    scores = np.array([[0.9, 0.3, 0.2, 0.1], [0.2, 0.1, 0, 0]])
    np.testing.assert_allclose(rescore(scores, [0.5, 1]), [0.3, 0])


@pytest.fixture(scope="module")
def people(samples):
    folder = samples / "mmpose" / "coco"
    return [json.loads((folder / name).read_text()) for name in ("test_coco.json", "test_coco_det_AP_H_56.json")]


def score(people, arrays, **changes):
    """The golden's predictions, one picture after another as the official data base has them."""
    truth, detections = people
    metric, boxes = Oks(INFO), np.array([one["bbox"] for one in detections])
    boxes[:, 2:] += boxes[:, :2]
    for picture in truth["images"]:
        here = arrays["in_image"] == picture["file_name"]
        assert here.any()
        found = arrays["in_preds_xy_score"][here]
        answer = {"points": found[..., :2], "scores": found[..., 2], "boxes": boxes[here]}
        answer["box_scores"] = arrays["in_all_boxes_cx_cy_sw_sh_area_score"][here, 5]
        example = {
            "name": picture["file_name"],
            "image_id": picture["id"],
            "size": (picture["height"], picture["width"]),
        }
        annotations = [one for one in truth["annotations"] if one["image_id"] == picture["id"]]
        metric.update(
            {**answer, **{key: make(here) for key, make in changes.items()}}, {**example, "truth": annotations}
        )
    return metric


def test_official_evaluation_of_sample_pictures(golden, people, capsys):
    _, arrays = golden("pose", "pose_sample_coco_eval")
    metric = score(people, arrays)
    result = metric.result()
    assert capsys.readouterr().out == ""
    np.testing.assert_allclose([result[name] for name in STATISTICS], arrays["out_stats"], rtol=0, atol=1e-6)
    assert result["pictures"] == 4 and result["persons"] == len(arrays["out_kept_score"])
    compared = 0
    for image_id in {one["image_id"] for one in metric.results}:
        here = arrays["out_kept_image_id"] == image_id
        found = [one for one in metric.results if one["image_id"] == image_id]
        np.testing.assert_allclose([one["score"] for one in found], arrays["out_kept_score"][here], rtol=1e-6)
        np.testing.assert_allclose([one["keypoints"] for one in found], arrays["out_kept_keypoints"][here], rtol=1e-6)
        compared += len(found)
    assert compared == 96


def test_areas_of_crops(golden, people):
    _, arrays = golden("pose", "pose_sample_coco_eval")
    boxes = np.array([one["bbox"] for one in people[1]])
    boxes[:, 2:] += boxes[:, :2]
    areas = arrays["in_all_boxes_cx_cy_sw_sh_area_score"][:, 4]
    np.testing.assert_allclose(crop_areas(boxes), areas, rtol=1e-6)
    found = score(people, arrays, areas=lambda here: areas[here]).results
    assert [one["score"] for one in found] == [one["score"] for one in score(people, arrays).results]
    tiny = score(people, arrays, areas=lambda here: areas[here] / 1e6).results
    assert len(tiny) == 118  # in crops of nearly no area nobody is alike


def test_the_truth_itself_scores_1_without_box_scores_and_the_inputs_stay_as_they_were(people):
    truth, _ = people
    before, metric = json.dumps(truth), Oks(INFO)
    for picture in truth["images"]:
        annotations = [one for one in truth["annotations"] if one["image_id"] == picture["id"]]
        labelled = [one for one in annotations if one["num_keypoints"]]
        points = np.array([one["keypoints"] for one in labelled], float).reshape(-1, 17, 3)
        answer = {"points": points[..., :2], "scores": np.ones(points.shape[:2])}
        answer["boxes"] = np.array([one["bbox"] for one in labelled]) * [1, 1, 0, 0] + [0, 0, 90, 160]
        example = {"name": "", "image_id": picture["id"], "size": (9, 9), "truth": annotations}
        metric.update(answer, example)
    result = metric.result()
    assert result["AP"] == result["AR"] == pytest.approx(1)
    assert result["persons"] == 12
    assert json.dumps(truth) == before


def test_own_sets_may_leave_fields_out_and_nothing_found_scores_0():
    keypoints = [[10.0 * i, 7.0 * i, 2] for i in range(17)]
    person = {"bbox": [0, 0, 200, 200], "keypoints": np.ravel(keypoints).tolist(), "category_id": 7, "id": 0}
    example = {"name": "a", "image_id": "a", "size": (300, 300), "truth": [person, {"bbox": [0, 0, 1, 1]}]}
    nobody = {"points": np.zeros((0, 17, 2)), "scores": np.zeros((0, 17)), "boxes": np.zeros((0, 4))}
    missed, found = Oks(INFO), Oks(INFO)
    missed.update(nobody, example)
    points = np.array(keypoints)[None, :, :2]
    found.update({"points": points, "scores": np.ones((1, 17)), "boxes": np.array([[0, 0, 200, 200]])}, example)
    assert missed.result()["AP"] == 0 and found.result()["AP"] == pytest.approx(1)
    assert found.result()["AP_M"] == -1 and Oks(INFO).result()["AP"] == -1  # nobody of that size, nobody at all


def test_what_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="data set 'people' has no sigmas"):
        Oks(DatasetInfo("people"))
    example = {"name": "street", "image_id": 1, "size": (9, 9), "truth": []}
    answer = {"points": np.zeros((1, 16, 2)), "scores": np.zeros((1, 16)), "boxes": np.zeros((1, 4))}
    with pytest.raises(ValueError, match=r"street: points of shape \(1, 16, 2\).*expected \(persons, 17, 2\)"):
        Oks(INFO).update(answer, example)
    with pytest.raises(ValueError, match="street: no truth to score against"):
        Oks(INFO).update(answer, {"name": "street", "image_id": 1, "size": (9, 9)})
    for module in ("faster_coco_eval", "pycocotools.coco"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install pycocotools"):
        Oks(INFO)


@pytest.mark.parametrize("word", ["points", "scores", "boxes", "box_scores", "areas"])
def test_what_is_no_number_is_refused_and_not_a_hit(word):
    """pycocotools takes a NaN for closer than everything, so that NaN points reached an AP of 1."""
    answer = {"points": np.zeros((1, 17, 2)), "scores": np.ones((1, 17)), "boxes": np.array([[0.0, 0, 9, 9]]),
              "box_scores": np.ones(1), "areas": np.ones(1)}  # fmt: skip
    answer[word].flat[0] = np.nan
    example = {"name": "street", "image_id": 1, "size": (9, 9), "truth": []}
    with pytest.raises(ValueError, match=f"street: the answer's {word} are no finite numbers"):
        Oks(INFO).update(answer, example)

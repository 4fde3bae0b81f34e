"""COCO's evaluation beside pycocotools, the judge: goldens, random cases, what it takes that others don't."""

import sys

import numpy as np
import pytest

from hrnet_keras.tasks import cocoeval
from tests.evaluators import JUDGE, judged, random_case

EXACT = 1e-12
SIGMAS = np.linspace(0.02, 0.1, 17)


@pytest.fixture(params=["pycocotools", "faster_coco_eval"])
def evaluator(request, monkeypatch):
    """Each of the evaluators that may be taken."""
    if request.param == "pycocotools":
        monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
        assert cocoeval.library() == JUDGE
    else:
        faster = pytest.importorskip("faster_coco_eval", reason="needs faster-coco-eval: pip install faster-coco-eval")
        assert cocoeval.library() == (faster.COCO, faster.COCOeval_faster)


def figures(measured, areas):
    """COCO's figures in pycocotools' order; of points there are two areas beside all."""
    precision, recall = measured.average_precision, measured.average_recall
    found = [precision(), precision(0), precision(5), *(precision(area=area) for area in areas)]
    if len(areas) == 2:
        return [*found, recall(), recall(0), recall(5), *(recall(area=area) for area in areas)]
    return [*found, *(recall(limit=limit) for limit in range(3)), *(recall(area=area) for area in areas)]


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_golden_figures(golden, evaluator, kind):
    meta, _ = golden("detection", "det_coco")
    files = meta["annotations"]
    categories = [one for one in files["categories"] if one["id"] != 12]  # the case has COCO's 80
    measured = cocoeval.evaluate(kind, files["images"], files["annotations"], meta["detections"], categories)
    np.testing.assert_allclose(figures(measured, (1, 2, 3)), meta["coco_stats"][kind], rtol=0, atol=EXACT)


@pytest.mark.parametrize(("kind", "areas"), [("bbox", (1, 2, 3)), ("segm", (1, 2, 3)), ("keypoints", (1, 2))])
def test_random_cases_as_pycocotools_has_them(evaluator, kind, areas):
    sigmas = SIGMAS if kind == "keypoints" else None
    for seed in range(12):
        case = random_case(seed, kind)
        measured = cocoeval.evaluate(kind, *case, sigmas)
        stats, precision, recall = judged(kind, *case, sigmas)
        np.testing.assert_allclose(measured.precision, precision, rtol=0, atol=EXACT, err_msg=str(seed))
        np.testing.assert_allclose(measured.recall, recall, rtol=0, atol=EXACT)
        np.testing.assert_allclose(figures(measured, areas), stats, rtol=0, atol=EXACT)


def test_names_of_pictures_and_annotation_0_and_the_inputs_as_they_were(evaluator):
    pictures, truth, results, categories = random_case(3, "bbox")
    expected = cocoeval.evaluate("bbox", pictures, truth, results, categories)
    rank = {one["id"]: f"{i:03}.jpg" for i, one in enumerate(sorted(pictures, key=lambda one: one["id"]))}
    named = [{**one, "id": rank[one["id"]]} for one in pictures]
    truth, results = ([{**one, "image_id": rank[one["image_id"]]} for one in part] for part in (truth, results))
    truth = [{**one, "id": i} for i, one in enumerate(truth)]
    before = repr((named, truth, results, categories))
    found = cocoeval.evaluate("bbox", named, truth, results, categories)
    np.testing.assert_array_equal(found.precision, expected.precision)
    assert repr((named, truth, results, categories)) == before


def test_nothing_found_and_nothing_there(evaluator):
    pictures, truth, results, categories = random_case(4, "bbox")
    missed = cocoeval.evaluate("bbox", pictures, truth, [], categories)
    assert missed.average_precision() == missed.average_recall() == 0
    empty = cocoeval.evaluate("bbox", pictures, [], results, categories)
    assert empty.average_precision() == empty.average_recall() == cocoeval.NOTHING
    nowhere = cocoeval.evaluate("bbox", [], [], [], categories)
    assert nowhere.average_precision() == cocoeval.NOTHING


def test_what_lacks_is_named(monkeypatch):
    for module in ("faster_coco_eval", "pycocotools.coco"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install pycocotools faster-coco-eval"):
        cocoeval.library()

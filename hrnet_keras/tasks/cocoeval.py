"""COCO's figures of boxes, masks and points: one evaluation of whole data sets, by whichever evaluator is installed.

pycocotools is the judge. faster-coco-eval does the same in C++ and is taken where it is installed: its precisions and
recalls are those of pycocotools (docs/detection.md, Scoring).
"""

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

NOTHING = -1.0  # a figure where there is nothing to measure


@dataclass(frozen=True)
class Evaluation:
    """What an evaluator measured.

    Attributes:
        precision: `(10 thresholds from .50 to .95, 101 recalls, categories, areas, limits)`, -1 where there is nothing
            to measure.
        recall: `(10, categories, areas, limits)`.
        category_ids: of that axis.
    """

    precision: np.ndarray
    recall: np.ndarray
    category_ids: tuple[int, ...]

    def average_precision(self, threshold: int | None = None, area: int = 0, category: int | None = None) -> float:
        """Mean precision with as many results as the largest limit allows.

        Args:
            threshold: of the similarity, by its place (0 is .50, 5 is .75); None: the mean over all ten.
            area: its place; 0 is all.
            category: its place; None: the mean over all.
        """
        return _mean(self.precision[_places(threshold), :, _places(category), area, -1])

    def average_recall(self, threshold: int | None = None, area: int = 0, limit: int = -1) -> float:
        """As `average_precision`, of the highest recall; `limit`: the place of the number of results per picture."""
        return _mean(self.recall[_places(threshold), :, area, limit])


def evaluate(
    kind: str, pictures: Iterable[dict[str, Any]], truth: Iterable[dict[str, Any]],
    results: Iterable[dict[str, Any]], categories: Sequence[dict[str, Any]], sigmas: np.ndarray | None = None,
) -> Evaluation:  # fmt: skip
    """Compares results with the truth as COCO does it; what is given stays as it is.

    Args:
        kind: `"bbox"`, `"segm"` or `"keypoints"`.
        pictures: dicts of `id`, whole numbers or words, and for polygons `height` and `width`.
        truth: annotations: `image_id`, `category_id`, `bbox` xywh, `area`, `iscrowd`, and `segmentation` or `keypoints`
            with `num_keypoints`. Their own ids don't matter.
        results: `image_id`, `category_id`, `score` and `bbox`, `segmentation` or `keypoints`, as `kind` says.
        categories: dicts of `id` and `name`.
        sigmas: `(points,)`, of keypoints.

    Raises:
        ImportError: no evaluator is installed.

    Source: `COCOeval` of pycocotools.
    """
    index, evaluator = library()
    # Evaluators sort pictures by their ids, which settles the order of equal scores; one of them takes numbers alone.
    numbers = {name: i for i, name in enumerate(_sorted({one["id"] for one in pictures}), 1)}
    sets = {"images": [{**one, "id": numbers[one["id"]]} for one in pictures], "categories": list(categories)}
    # Ids from 1: evaluators take a match with annotation 0 for none.
    known = [{**one, "image_id": numbers[one["image_id"]], "id": i} for i, one in enumerate(truth, 1)]
    found = [{**one, "image_id": numbers[one["image_id"]]} for one in results]
    with contextlib.redirect_stdout(io.StringIO()):
        truth_index, results_index = index(), index()
        truth_index.dataset = {**sets, "annotations": known}
        truth_index.createIndex()
        results_index.dataset = {**sets, "annotations": []}
        results_index.createIndex()
        if found:  # `loadRes` of pycocotools takes no empty list
            results_index = truth_index.loadRes(found)
        evaluation = evaluator(truth_index, results_index, kind)
        evaluation.params.catIds = sorted(one["id"] for one in categories)
        if sigmas is not None:
            evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        evaluation.evaluate()
        evaluation.accumulate()
    measured = evaluation.eval
    shape = [measured["counts"][i] for i in (0, 2, 3, 4)]
    precision = np.asarray(measured["precision"], np.float64).reshape(measured["counts"])
    recall = np.asarray(measured["recall"], np.float64).reshape(shape)
    return Evaluation(precision, recall, tuple(evaluation.params.catIds))


def library() -> tuple[Any, Any]:
    """The classes of an index and an evaluator: faster-coco-eval's, else pycocotools'.

    Raises:
        ImportError: neither is installed.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster as COCOeval
    except ImportError:
        try:
            from pycocotools.coco import COCO
            from pycocotools.cocoeval import COCOeval
        except ImportError as error:
            raise ImportError("COCO's figures need an evaluator: pip install pycocotools faster-coco-eval") from error
    return COCO, COCOeval


def _sorted(ids: Iterable[Any]) -> list[Any]:
    try:
        return sorted(ids)
    except TypeError:  # numbers and words
        return sorted(ids, key=str)


def _places(place: int | None) -> slice:
    return slice(None) if place is None else slice(place, place + 1)


def _mean(values: np.ndarray) -> float:
    """The mean of what could be measured."""
    measured = values[values > NOTHING]
    return float(np.mean(measured)) if measured.size else NOTHING

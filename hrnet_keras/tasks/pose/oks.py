"""Average precision and recall of persons' points by object keypoint similarity, as COCO measures them."""

import numpy as np

from hrnet_keras.tasks import cocoeval
from hrnet_keras.tasks.finite import check_finite

VIS_THRESHOLD = 0.2  # score above which a point counts in its person's score
OKS_THRESHOLD = 0.9  # similarity above which the less certain of two persons is dropped
STATISTICS = ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR", "AR50", "AR75", "AR_M", "AR_L")
# Of the crops of the published nets: 192x256 and 288x384, a quarter wider than the person.
PADDING = 1.25
ASPECT = 3 / 4


class Oks:
    """Persons' scores and duplicates by the official rules, then COCO's keypoint evaluation.

    A person's score is that of its box times the mean of its points' scores above 0.2; of two persons in a picture more
    alike than 0.9 the one of the lower score is dropped.

    Args:
        info: of the data set: `sigmas`, one per point.

    Raises:
        ValueError: no `sigmas`.
        ImportError: no evaluator is installed.

    Source: `evaluate` of the official pose repository's COCO data set (`IN_VIS_THRE` 0.2, `OKS_THRE` 0.9); mmpose's
    `CocoMetric` has the same defaults.
    """

    main = "AP"

    def __init__(self, info):
        self.sigmas = np.asarray(info.sigmas, np.float64)
        if not self.sigmas.size:
            raise ValueError(f"data set {info.name!r} has no sigmas: expected one per point for object similarity")
        cocoeval.library()  # what lacks is said before hours of work, not after
        self.pictures = []
        self.truth = []
        self.results = []

    def update(self, result, example):
        """Adds one picture.

        Args:
            result: dict with `points` `(persons, points, 2)` in pixels of the picture, `scores` `(persons, points)`,
                `boxes` `(persons, 4)` xyxy, `box_scores` `(persons,)` where the boxes were detected, and `areas`
                `(persons,)`, square pixels of the crops shown to the net (default: a quarter more than the box, at the
                published nets' aspect of 3:4).
            example: dict with `name`, `image_id`, `size` `(height, width)` and `truth`, the picture's annotations as
                COCO's files store them.

        Raises:
            ValueError: shapes that do not belong together, values that are no finite numbers (pycocotools takes NaN for
                a hit), or no `truth`; names the picture.
        """
        if "truth" not in example:
            raise ValueError(f"{example['name']}: no truth to score against: choose a split with annotations")
        points = np.asarray(result["points"], np.float64)
        scores = np.asarray(result["scores"], np.float64)
        boxes = np.asarray(result["boxes"], np.float64).reshape(-1, 4)
        if points.shape != (len(boxes), len(self.sigmas), 2) or scores.shape != points.shape[:2]:
            raise ValueError(
                f"{example['name']}: points of shape {points.shape}, scores {scores.shape}, {len(boxes)} boxes: "
                f"expected (persons, {len(self.sigmas)}, 2), (persons, {len(self.sigmas)}) and a box per person"
            )
        areas = result.get("areas", crop_areas(boxes))
        box_scores = result.get("box_scores", np.ones(len(boxes)))
        check_finite(
            example["name"], points=points, scores=scores, boxes=boxes, areas=areas, box_scores=box_scores
        )  # fmt: skip
        persons = rescore(scores, box_scores)
        height, width = map(int, example["size"])
        self.pictures.append({"id": example["image_id"], "height": height, "width": width})
        self.truth += [_truth(one, example["image_id"]) for one in example["truth"] if "keypoints" in one]
        rows = np.concatenate([points, scores[..., None]], axis=-1).reshape(len(points), 3 * len(self.sigmas))
        for i in oks_nms(points, persons, areas, self.sigmas):
            person = {"image_id": example["image_id"], "category_id": 1, "score": float(persons[i])}
            self.results.append({**person, "keypoints": rows[i].tolist()})

    def result(self):
        """Returns a dict: `AP`, ... `AR_L` (0..1; -1 where the truth has no person to measure), `pictures`, `persons`.

        `persons` is how many were found, duplicates left out.
        """
        statistics = coco_statistics(self.pictures, self.truth, self.results, self.sigmas)
        return {**statistics, "pictures": len(self.pictures), "persons": len(self.results)}


def crop_areas(boxes):
    """Square pixels of the crops that boxes `(n, 4)` xyxy are shown in to the published nets -> `(n,)`."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    width = np.maximum(width, ASPECT * height)
    return PADDING**2 * width * (width / ASPECT)


def rescore(scores, box_scores):
    """Scores of persons: their boxes' `(persons,)` times the mean of their points' `(persons, points)` above 0.2.

    A person without such a point scores 0.
    """
    # `in_vis_thre` of the official recipes: points the net is unsure of say nothing of the person.
    certain = np.asarray(scores) > VIS_THRESHOLD
    means = np.sum(scores * certain, axis=1) / np.maximum(1, certain.sum(1))
    return means * np.asarray(box_scores, np.float64)


def similarity(points, areas, sigmas):
    """Object keypoint similarity of every person to every other.

    Args:
        points: `(persons, points, 2)` in pixels.
        areas: `(persons,)` in square pixels; a pair is measured by the mean of its two.
        sigmas: `(points,)`, how far off a point typically is, in roots of the area.

    Returns:
        `(persons, persons)`, 0..1.

    Source: `oks_iou` of the official pose repository.
    """
    points, areas = np.asarray(points, np.float64), np.asarray(areas, np.float64)
    squares = np.sum((points[:, None] - points[None]) ** 2, axis=-1)
    # COCO's evaluator adds the smallest step of 1 to an area, lest it divides by 0.
    means = (areas[:, None] + areas[None]) / 2 + np.spacing(1)
    # COCO's variances are those of twice its published sigmas.
    return np.mean(np.exp(-squares / (2 * np.asarray(sigmas)) ** 2 / means[..., None] / 2), axis=-1)


def oks_nms(points, scores, areas, sigmas, limit=OKS_THRESHOLD):
    """Who is left when the most certain persons drop those who are more similar to them than `limit`.

    Args:
        points, areas, sigmas: as in `similarity`.
        scores: `(persons,)`; of equal ones the later comes first.
        limit: similarity, 0..1.

    Returns:
        List of indices, the most certain first.

    Source: `oks_nms` of the official pose repository.
    """
    alike = similarity(points, areas, sigmas) > limit
    order = list(np.argsort(scores, kind="stable")[::-1])
    kept = []
    while order:
        first = order.pop(0)
        kept.append(int(first))
        order = [other for other in order if not alike[first, other]]
    return kept


def coco_statistics(pictures, truth, results, sigmas):
    """COCO's ten figures of keypoints.

    Args:
        pictures: list of dicts `id`, `height`, `width`.
        truth: list of annotations: `image_id`, `bbox` xywh, `area`, `iscrowd`, `num_keypoints`, `keypoints`.
        results: list of `image_id`, `score`, `keypoints`. Both of `category_id` 1.
        sigmas: `(points,)`.

    Returns:
        Dict of the figures by the names `STATISTICS`; -1 where there is nothing to measure.

    Raises:
        ImportError: no evaluator is installed.

    Source: `COCOeval` of pycocotools with `iouType="keypoints"`.
    """
    measured = cocoeval.evaluate("keypoints", pictures, truth, results, [{"id": 1, "name": "person"}], sigmas)
    thresholds_and_areas = ((None, 0), (0, 0), (5, 0), (None, 1), (None, 2))  # all, at .50, at .75; medium, large
    figures = [
        measure(threshold, area)
        for measure in (measured.average_precision, measured.average_recall)
        for threshold, area in thresholds_and_areas
    ]
    return dict(zip(STATISTICS, figures, strict=True))


def _truth(annotation, image_id):
    """An annotation with all that the evaluation reads, also where a set of one's own leaves something out."""
    width, height = annotation["bbox"][2:]
    labelled = int(np.count_nonzero(np.asarray(annotation["keypoints"])[2::3]))
    # The evaluator ignores crowds and truths without a labelled point, and measures the others by area.
    usual = {"area": width * height, "iscrowd": 0, "num_keypoints": labelled}
    return {**usual, **annotation, "image_id": image_id, "category_id": 1}

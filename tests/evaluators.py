"""COCO's evaluators beside each other: the judge, and random truths and results for them."""

import contextlib
import io

import numpy as np
from pycocotools import mask as coder
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SIDE = 120  # pixels of the pictures
JUDGE = (COCO, COCOeval)


def judged(kind, pictures, truth, results, categories, sigmas=None):
    """pycocotools' own figures, precisions and recalls, as its users call it."""
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "images": pictures, "categories": categories,
            "annotations": [{**one, "id": i} for i, one in enumerate(truth, 1)],
        }  # fmt: skip
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes([dict(one) for one in results]), kind)
        if sigmas is not None:
            evaluation.params.kpt_oks_sigmas = sigmas
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats, evaluation.eval["precision"], evaluation.eval["recall"]


def random_case(seed, kind):
    """Pictures, truth with crowds, results with ties in score, false ones and other classes, and categories."""
    rng = np.random.default_rng(seed)
    ids = [int(i) for i in np.sort(rng.choice(90, rng.integers(1, 5), replace=False)) + 1]
    if kind == "keypoints":
        ids = [1]
    names = rng.choice(10**6, rng.integers(2, 16), replace=False).tolist()
    pictures = [{"id": name, "height": SIDE, "width": SIDE} for name in names]
    truth, results = [], []
    for name in names:
        for _ in range(rng.integers(0, 7)):
            one = _truth(rng, kind, name, int(rng.choice(ids)))
            truth.append(one)
            results += [_result(rng, kind, one, ids) for _ in range(rng.choice([0, 1, 1, 2]))]
    results.append(_result(rng, kind, _truth(rng, kind, names[0], ids[0]), ids))
    return pictures, truth, results, [{"id": i, "name": str(i)} for i in ids]


def _truth(rng, kind, name, category):
    x, y = rng.uniform(-5, SIDE - 10, 2)
    width, height = rng.uniform(1, SIDE / 2, 2) * rng.choice([0.3, 1, 1.7])
    box = [float(value) for value in (x, y, width, height)]
    area = width * height * rng.choice([1, 0.5])
    one = {"image_id": name, "category_id": category, "bbox": box, "area": area, "iscrowd": int(rng.random() < 0.15)}
    if kind == "segm":
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
        corners = np.stack([x + width / 2 * (1 + np.cos(angles)), y + height / 2 * (1 + np.sin(angles))], axis=1)
        one["segmentation"] = _encoded(rng, box) if rng.random() < 0.4 else [corners.ravel().tolist()]
    if kind == "keypoints":
        points = np.stack(
            [rng.uniform(x, x + width, 17), rng.uniform(y, y + height, 17), rng.integers(0, 3, 17)], axis=1
        )
        one["keypoints"] = (points * (points[:, 2:] > 0)).ravel().tolist()
        one["num_keypoints"] = int((points[:, 2] > 0).sum())
    return one


def _result(rng, kind, truth, ids):
    """Something like the truth; of keypoints the points moved."""
    box = np.array(truth["bbox"]) + rng.normal(0, 3, 4)
    box[2:] = np.maximum(box[2:], 0.5)
    score = float(np.round(rng.random(), rng.choice([1, 6])))
    category = truth["category_id"] if rng.random() < 0.85 else int(rng.choice(ids))
    found = {"image_id": truth["image_id"], "category_id": category, "score": score}
    if kind == "segm":
        return {**found, "segmentation": _encoded(rng, box)}
    if kind == "keypoints":
        points = np.array(truth["keypoints"]).reshape(17, 3) + [[0, 0, 0]]
        points[:, :2] += rng.normal(0, 2, (17, 2))
        return {**found, "keypoints": points.ravel().tolist()}
    return {**found, "bbox": box.tolist()}


def _encoded(rng, box):
    """Run lengths of a box with holes."""
    left, top = np.maximum(np.floor(box[:2]), 0).astype(int)
    right, bottom = np.ceil(np.add(box[:2], box[2:])).astype(int)
    mask = np.zeros((SIDE, SIDE), np.uint8, order="F")
    mask[top : max(bottom, 0), left : max(right, 0)] = 1
    mask &= rng.random((SIDE, SIDE)) < 0.9
    encoded = coder.encode(np.asfortranarray(mask))
    return {**encoded, "counts": encoded["counts"].decode("ascii")}

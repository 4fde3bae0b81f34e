"""COCO's figures of detectors against goldens and pycocotools, and what is refused."""

import json
import sys

import numpy as np
import pytest
from pycocotools import mask as coder

from hrnet_keras import datasets
from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks.detection.metrics import FIGURES, Metric, table
from tests.evaluators import judged, random_case

SIZE = (40, 60)


def scored(files, detections, categories):
    """The metric of a json's truth and results, a picture at a time."""
    ids = [one["id"] for one in categories]
    info = DatasetInfo("coco", tuple(one["name"] for one in categories), category_ids=tuple(ids))
    metric = Metric(info)
    for picture in files["images"]:
        found = [one for one in detections if one["image_id"] == picture["id"]]
        boxes = np.array([one["bbox"] for one in found]).reshape(-1, 4)
        size = (picture["height"], picture["width"])
        result = {
            "boxes": np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
            "scores": np.array([one["score"] for one in found]),
            "labels": np.array([ids.index(one["category_id"]) for one in found], np.int32),
        }
        masks = [coder.decode(one["segmentation"]) for one in found if "segmentation" in one]
        example = {"name": picture.get("file_name", "?"), "image_id": picture["id"], "size": size}
        if masks:
            result["masks"] = np.array(masks)
        example["segments"] = ()
        truth = [one for one in files["annotations"] if one["image_id"] == picture["id"]]
        metric.update(result, {**example, "truth": truth})
    return metric


def test_golden_figures_of_boxes_and_masks(golden, tmp_path):
    meta, _ = golden("detection", "det_coco")
    files = meta["annotations"]
    categories = [one for one in files["categories"] if one["id"] != 12]
    metric = scored(files, meta["detections"], categories)
    result = metric.result()
    # Boxes come back from xyxy, a rounding away from the file's.
    np.testing.assert_allclose([result[name] for name in FIGURES], meta["coco_stats"]["bbox"], rtol=0, atol=1e-12)
    masks = [result[f"mask_{name}"] for name in FIGURES]
    np.testing.assert_allclose(masks, meta["coco_stats"]["segm"], rtol=0, atol=1e-12)
    assert result["pictures"] == len(files["images"]) and result["objects"] == len(meta["detections"])
    known = {one["category_id"] for one in files["annotations"]}
    per_class = [result["class_AP"][one["name"]] for one in categories]
    assert [value >= 0 for value in per_class] == [one["id"] in known for one in categories]
    assert np.mean([value for value in per_class if value >= 0]) == pytest.approx(result["AP"], abs=1e-12)
    assert "mask AP50" in table(result) and "person" in table(result)
    metric.save(tmp_path)
    for kind in ("bbox", "segm"):
        entries = json.loads((tmp_path / f"results.{kind}.json").read_text())
        images = [{**one, "file_name": ""} for one in files["images"]]
        stats, *_ = judged(kind, images, files["annotations"], entries, categories)
        np.testing.assert_allclose(stats, meta["coco_stats"][kind], rtol=0, atol=1e-12)


def test_random_boxes_as_pycocotools_has_them():
    for seed in range(6):
        pictures, truth, results, categories = random_case(seed, "bbox")
        found = scored({"images": pictures, "annotations": truth}, results, categories).result()
        stats, precision, _ = judged("bbox", pictures, truth, results, categories)
        np.testing.assert_allclose([found[name] for name in FIGURES], stats, rtol=0, atol=1e-9)
        for place, category in enumerate(categories):
            values = precision[:, :, place, 0, 2]
            expected = values.mean() if values.min() >= 0 else -1
            assert found["class_AP"][category["name"]] == pytest.approx(expected, abs=1e-9)


def toytown(count=3):
    return datasets.load("toytown", "val", count=count, annotation="objects")


def truth_of(example):
    return {"boxes": example["boxes"], "scores": np.full(len(example["labels"]), 0.9), **{
        word: example[word] for word in ("labels", "masks")}}  # fmt: skip


def test_the_truth_itself_scores_1():
    town = toytown()
    metric, made = Metric(town.info), Metric(town.info)
    for i in range(len(town)):
        example = town.annotations(i)
        metric.update(truth_of(example), example)
        words = {
            word: value for word, value in example.items() if word not in ("truth", "segments", "image_id", "size")
        }
        made.update(truth_of(example), words)
    result = metric.result()
    assert result["AP"] == result["mask_AP"] == result["AP50"] == pytest.approx(1)
    assert result["pictures"] == 3
    other = made.result()
    assert {name: other[f"{kind}{name}"] for kind in ("", "mask_") for name in FIGURES} == pytest.approx(
        {name: result[f"{kind}{name}"] for kind in ("", "mask_") for name in FIGURES}
    )


def test_nothing_found_scores_0_and_pictures_without_objects_count():
    town = toytown()
    metric = Metric(town.info)
    nothing = {"boxes": np.zeros((0, 4)), "scores": np.zeros(0), "labels": np.zeros(0, np.int32)}
    metric.update(nothing, town.annotations(0))
    result = metric.result()
    assert result["AP"] == result["AR100"] == 0 and "mask_AP" not in result and result["objects"] == 0
    assert "-" in table(result)
    example = town.annotations(1)
    metric.update(truth_of(example), example)
    before = metric.result()
    box = {"boxes": [[1, 1, 9, 9]], "scores": [1.0], "labels": [int(example["labels"][0])]}
    metric.update(box, {"name": "empty", "truth": [], "size": SIZE})
    after = metric.result()
    assert after["pictures"] == 3 and after["AP50"] < before["AP50"]  # a false one in a picture without any


def test_classes_that_the_set_lacks_do_not_count():
    metric = Metric(DatasetInfo("two", ("cat", "dog")))
    example = {"name": "a", "boxes": [[0, 0, 9, 9]], "labels": [1]}
    metric.update({"boxes": [[0, 0, 9, 9]] * 2, "scores": [0.9, 0.8], "labels": [2, 1]}, example)
    result = metric.result()
    assert result["class_AP"] == {"cat": -1, "dog": pytest.approx(1)} and result["objects"] == 1


OBJECT = {"id": 5, "bbox": [0, 0, 9, 9], "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}
FOUND = {"boxes": np.array([[0.0, 0, 9, 9]]), "scores": np.ones(1), "labels": np.zeros(1, np.int32)}


def test_polygons_of_two_points_beside_others_are_left_out():
    """pycocotools ends with a TypeError where an outline begins with one."""
    masks = np.zeros((1, *SIZE), bool)
    masks[0, :20, :20] = True
    square = [0, 0, 20, 0, 20, 20, 0, 20]
    entry = {"id": 5, "bbox": [0, 0, 20, 20], "category_id": 1, "segmentation": [[3, 3, 4, 4], square]}
    metric = Metric(DatasetInfo("own", ("cat",)))
    result = {**FOUND, "boxes": np.array([[0, 0, 20, 20]]), "masks": masks}
    metric.update(result, {"name": "street", "size": SIZE, "segments": (), "truth": [entry]})
    assert metric.result()["mask_AP"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("result", "example", "message"),
    [
        ({"boxes": np.array([[0, np.nan, 9, 9]])}, {}, "street: the answer's boxes are no finite numbers"),
        ({"scores": np.array([np.inf])}, {}, "street: the answer's scores are no finite numbers"),
        ({"boxes": np.zeros((1, 5))}, {}, r"street: boxes of shape \(1, 5\), scores \(1,\), labels \(1,\): expected"),
        ({"scores": np.ones(2)}, {}, r"street: boxes of shape \(1, 4\), scores \(2,\)"),
        ({"masks": np.ones((2, *SIZE))}, {}, r"street: .*masks \(2, 40, 60\): expected"),
        ({"labels": np.array([-1])}, {}, "street: label -1: expected class ids, 0 or more"),
        ({"masks": np.ones((1, 60, 40))}, {}, r"street: masks of 40x60: the picture is 60x40 \(width x height\)"),
        (
            {"masks": np.ones((1, *SIZE))},
            {"segmentation": None},
            "street: annotation 5: has no outline: expected polyg",
        ),
        (
            {"masks": np.ones((1, *SIZE))},
            {"segmentation": {"size": [60, 40], "counts": [2400]}},
            "street: annotation 5: run lengths of 40x60, the picture is 60x40",
        ),
    ],
)
def test_what_cannot_be_is_named(result, example, message):
    metric = Metric(DatasetInfo("own", ("cat",), category_ids=(1,)))
    example = {"name": "street", "size": SIZE, "segments": (), "truth": [{**OBJECT, **example}]}
    with pytest.raises(ValueError, match=message):
        metric.update({**FOUND, **result}, example)
    assert metric.result()["pictures"] == 0


def test_what_else_is_named(monkeypatch):
    with pytest.raises(ValueError, match="data set 'own' has no class_names"):
        Metric(DatasetInfo("own"))
    metric = Metric(DatasetInfo("own", ("cat",)))
    with pytest.raises(ValueError, match="street: no truth to score against"):
        metric.update(FOUND, {"name": "street"})
    metric.update(FOUND, {"name": "street", "truth": [OBJECT], "image_id": 7})
    with pytest.raises(ValueError, match="a picture with image_id 7 has been scored already"):
        metric.update(FOUND, {"name": "road", "truth": [OBJECT], "image_id": 7})
    for module in ("faster_coco_eval", "pycocotools.coco"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install pycocotools faster-coco-eval"):
        Metric(DatasetInfo("own", ("cat",)))


def test_model_gardens_evaluator_has_the_same_figures(golden, tmp_path):
    """Of tf-models-official, whose users compare with it."""
    pytest.importorskip("official", reason="needs the extra detection (tf-models-official)")
    import tensorflow as tf
    from official.vision.evaluation.coco_evaluator import COCOEvaluator

    meta, _ = golden("detection", "det_coco")
    files = meta["annotations"]
    categories = [one for one in files["categories"] if one["id"] != 12]
    path = tmp_path / "truth.json"
    known = [one for one in files["annotations"] if one["category_id"] != 12]
    path.write_text(json.dumps({**files, "annotations": known, "categories": categories, "info": {}, "licenses": []}))
    evaluator = COCOEvaluator(annotation_file=str(path), include_mask=False, need_rescale_bboxes=False)
    for picture in files["images"]:
        found = [one for one in meta["detections"] if one["image_id"] == picture["id"]]
        rows = np.zeros((1, 100, 6), np.float32)  # all pictures have as many; category 0 is none
        for row, one in zip(rows[0], found, strict=False):
            left, top, wide, high = one["bbox"]
            row[:] = top, left, top + high, left + wide, one["score"], one["category_id"]
        answer = {
            "source_id": [picture["id"]], "num_detections": [len(found)], "detection_boxes": rows[..., :4],
            "detection_scores": rows[..., 4], "detection_classes": rows[..., 5].astype(np.int32),
        }  # fmt: skip
        tensors = {word: tf.constant(values) for word, values in answer.items()}
        evaluator.update_state({"source_id": tensors["source_id"]}, tensors)
    theirs = evaluator.result()
    ours = scored(files, meta["detections"], categories).result()
    words = ("AP", "AP50", "AP75", "APs", "APm", "APl", "ARmax1", "ARmax10", "ARmax100", "ARs", "ARm", "ARl")
    # Its boxes and scores are float32.
    np.testing.assert_allclose([theirs[word] for word in words], [ours[name] for name in FIGURES], atol=1e-6)

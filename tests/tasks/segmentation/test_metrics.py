"""The official protocol's figures (goldens), and what it refuses."""

import numpy as np
import pytest

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.tasks.segmentation.metrics import Metric, table


def score(predictions, labels):
    """`predictions`: `(n, classes, height, width)` scores."""
    metric = Metric(DatasetInfo("golden", class_names=tuple(f"c{i}" for i in range(predictions.shape[1]))))
    for scores, truth in zip(predictions, labels, strict=True):
        metric.update({"label_map": scores.argmax(0).astype(np.uint8)}, {"label_map": truth, "name": "x"})
    return metric


def test_pytorch_11_branch(golden):
    meta, arrays = golden("segmentation", "seg_metrics")
    metric = score(arrays["in_pred"], arrays["in_label"])
    np.testing.assert_array_equal(metric.confusion, arrays["out_confusion"])
    result, expected = metric.result(), meta["result"]
    assert result["mIoU"] == pytest.approx(expected["mean_IoU"], rel=1e-12)
    assert result["pixel_accuracy"] == pytest.approx(expected["pixel_acc"], rel=1e-12)
    assert result["mean_accuracy"] == pytest.approx(expected["mean_acc"], rel=1e-12)
    np.testing.assert_allclose(list(result["IoU"].values()), expected["IoU_array"], rtol=1e-12)


def test_second_golden_set(golden):
    meta, arrays = golden("segmentation", "seg_num_metrics")
    metric = score(arrays["scores"], arrays["label"])
    np.testing.assert_array_equal(metric.confusion, meta["confusion_rows_are_truth"])
    result = metric.result()
    assert result["mIoU"] == pytest.approx(meta["mean_iou"], rel=1e-12)
    assert result["pixel_accuracy"] == pytest.approx(meta["pixel_acc"], rel=1e-12)
    assert result["mean_accuracy"] == pytest.approx(meta["mean_acc"], rel=1e-12)


def test_pictures_of_mixed_sizes_add_up():
    metric = Metric(DatasetInfo("two", class_names=("a", "b")))
    metric.update({"label_map": np.zeros((2, 3), int)}, {"label_map": np.zeros((2, 3), int), "name": "small"})
    metric.update({"label_map": np.ones((4, 5), int)}, {"label_map": np.zeros((4, 5), int), "name": "large"})
    np.testing.assert_array_equal(metric.confusion, [[6, 20], [0, 0]])
    assert metric.result()["accuracy"] == {"a": pytest.approx(6 / 26), "b": 0}
    assert "pixel accuracy" in table(metric.result())


def test_refuses_other_shapes_and_strange_classes():
    metric = Metric(DatasetInfo("two", class_names=("a", "b")))
    with pytest.raises(ValueError, match=r"street: truth has shape \(2, 2\), the answer \(2, 3\)"):
        metric.update({"label_map": np.zeros((2, 3), int)}, {"label_map": np.zeros((2, 2), int), "name": "street"})
    with pytest.raises(ValueError, match=r"street: class id 7, expected 0\.\.1 or 255"):
        metric.update({"label_map": np.full((2, 2), 7)}, {"label_map": np.zeros((2, 2), int), "name": "street"})


def test_absent_classes_count_as_officially_and_are_marked():
    """Four classes: a half right, b wholly, c predicted without being there, d nowhere."""
    metric = Metric(DatasetInfo("four", class_names=("a", "b", "c", "d")))
    truth, found = np.array([[0, 0, 1, 1, 255]]), np.array([[0, 2, 1, 1, 3]])
    metric.update({"label_map": found}, {"label_map": truth, "name": "x"})
    result = metric.result()
    assert result["IoU"] == {"a": 0.5, "b": 1.0, "c": 0.0, "d": 0.0}
    assert result["mIoU"] == 1.5 / 4 and result["mIoU_present"] == 1.5 / 3 and result["absent"] == ["d"]
    lines = table(result).splitlines()
    assert [line for line in lines if "absent: no pixel" in line] == [line for line in lines if line.startswith("d ")]
    assert lines[-3].split()[:2] == ["mean", "0.375"] and "1 absent counted 0" in lines[-3]
    assert lines[-2].split() == ["mean", "of", "the", "present", "0.500"]


def test_where_every_class_is_there_the_means_are_one_and_nothing_is_marked():
    metric = Metric(DatasetInfo("two", class_names=("a", "b")))
    metric.update({"label_map": np.array([[0, 1]])}, {"label_map": np.array([[0, 0]]), "name": "x"})
    result = metric.result()
    assert result["mIoU"] == result["mIoU_present"] and result["absent"] == []
    assert "absent" not in table(result) and "present" not in table(result)


def test_pixels_of_no_class_are_refused():
    metric = Metric(DatasetInfo("two", class_names=("a", "b")))
    found = {"label_map": np.array([[0, 1], [255, 1]], np.uint8)}
    with pytest.raises(ValueError, match="street: the model's logits are no finite numbers"):
        metric.update(found, {"label_map": np.zeros((2, 2), np.uint8), "name": "street"})

"""Mean intersection over union and pixel accuracies, as the official evaluation counts them."""

import numpy as np

from hrnet_keras.tasks.finite import REASON, NotFiniteError, no_class


class Metric:
    """Counts a confusion matrix over pictures of any sizes.

    mIoU is the mean over all classes of tp / max(1, tp + fp + fn), so that a class absent from truth and prediction
    counts 0, as in the official code; pixels of the ignore label are left out.

    Args:
        info: of the data set: `class_names`, `ignore_label`.

    Source: `get_confusion_matrix` and `testval` of the official segmentation repository.
    """

    main = "mIoU"  # the figure that decides which model is kept

    def __init__(self, info):
        self.names = tuple(info.class_names)
        self.ignore_label = info.ignore_label
        self.confusion = np.zeros((len(self.names), len(self.names)), np.int64)  # rows: truth, columns: prediction

    def update(self, result, example):
        """Adds one picture.

        Args:
            result: dict with `label_map` `(height, width)`.
            example: dict with `label_map` of the same shape, and `name`.

        Raises:
            ValueError: other shapes, class ids beyond the classes, or pixels whose logits were no finite numbers; names
                the picture.
        """
        truth = example["label_map"]
        label_map = result["label_map"]
        if truth.shape != label_map.shape:
            raise ValueError(f"{example['name']}: truth has shape {truth.shape}, the answer {label_map.shape}")
        if (label_map == no_class(len(self.names))).any():
            raise NotFiniteError(f"{example['name']}: the model's logits are no finite numbers: {REASON}")
        counted = truth != self.ignore_label
        truth = truth[counted].astype(np.int64)
        labels = label_map[counted].astype(np.int64)
        classes = len(self.names)
        highest = max(truth.max(initial=0), labels.max(initial=0))
        if highest >= classes:
            raise ValueError(f"{example['name']}: class id {highest}, expected 0..{classes - 1} or {self.ignore_label}")
        self.confusion += np.bincount(truth * classes + labels, minlength=classes**2).reshape(classes, classes)

    def result(self):
        """Returns a dict: `mIoU`, `pixel_accuracy`, `mean_accuracy` (0..1), and per class `IoU` and `accuracy`.

        `absent` lists the classes that have a pixel neither in truth nor in prediction; `mIoU_present` is the mean
        without them, as mmsegmentation takes it (0 where all are absent).
        """
        hits = np.diag(self.confusion).astype(np.float64)
        truth = self.confusion.sum(1)
        answered = self.confusion.sum(0)
        # The official evaluation divides by 1 at least: a class that is nowhere counts 0 in the mean.
        iou = hits / np.maximum(1, truth + answered - hits)
        accuracy = hits / np.maximum(1, truth)
        present = truth + answered > 0
        return {
            "mIoU": float(iou.mean()),
            "mIoU_present": float(iou[present].mean()) if present.any() else 0.0,
            "pixel_accuracy": float(hits.sum() / max(1, truth.sum())),
            "mean_accuracy": float(accuracy.mean()),
            "IoU": dict(zip(self.names, iou.tolist(), strict=True)),
            "accuracy": dict(zip(self.names, accuracy.tolist(), strict=True)),
            "absent": [name for name, is_there in zip(self.names, present, strict=True) if not is_there],
        }


def table(result):
    """A result as readable text: a row per class, absent ones marked, then the means."""
    absent = set(result.get("absent", ()))
    beside = "mean of the present"
    width = max(map(len, (*result["IoU"], "pixel accuracy", *([beside] if absent else []))))
    lines = [f"{'class':<{width}}    IoU  accuracy"]
    for name, iou in result["IoU"].items():
        note = "  absent: no pixel in truth or prediction" if name in absent else ""
        lines.append(f"{name:<{width}}  {iou:.3f}  {result['accuracy'][name]:8.3f}{note}")
    note = f"  over all, {len(absent)} absent counted 0" if absent else ""
    lines.append(f"{'mean':<{width}}  {result['mIoU']:.3f}  {result['mean_accuracy']:8.3f}{note}")
    if absent:
        lines.append(f"{beside:<{width}}  {result['mIoU_present']:.3f}")
    lines.append(f"{'pixel accuracy':<{width}}         {result['pixel_accuracy']:8.3f}")
    return "\n".join(lines)

"""What a model answers about one picture, in coordinates of that picture: a dataclass per kind of result."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from hrnet_keras.transforms import upright


@dataclass(frozen=True)
class Result:
    """One picture's result. Fields that are `None` were not asked for, or mean nothing there."""

    def to_dict(self) -> dict[str, Any]:
        """The fields that are not `None`, in the words of an example: what metrics, drawings and files are made of."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def turned(self, orientation: int, size: tuple[int, int]) -> Self:
        """The result about the picture turned by `transforms.upright.turned`, of `size` (height, width) before it."""
        del orientation, size
        return self


@dataclass(frozen=True)
class Classes(Result):
    """The most probable classes of a picture.

    Attributes:
        labels: class ids, best first, int32 `(5,)`, fewer where there are fewer classes.
        scores: their probabilities, float32 of the same shape.
    """

    labels: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class LabelMap(Result):
    """The class of every pixel.

    Attributes:
        label_map: class ids `(height, width)`, uint8 up to 255 classes, else int32.
        scores: probability of that class, float32 `(height, width)`, where it was asked for.
        shown_size: (height, width) at which the net saw the picture, where that is not its own size.
    """

    label_map: np.ndarray
    scores: np.ndarray | None = None
    shown_size: tuple[int, int] | None = None

    def turned(self, orientation: int, size: tuple[int, int]) -> Self:
        del size
        scores = self.scores
        if scores is not None:
            scores = upright.turned(scores, orientation)
        return replace(self, label_map=upright.turned(self.label_map, orientation), scores=scores)


@dataclass(frozen=True)
class Points(Result):
    """Points of the faces or persons of a picture.

    Attributes:
        points: float64 `(n, k, 2)` as (x, y) in pixels.
        scores: `(n, k)`, the height of the heat maps' peaks.
        boxes: float64 `(n, 4)` xyxy: of persons those that were given; of faces the squares that were cut last, without
            their padding.
        areas: of persons: square pixels of the crops `(n,)`.
        box_scores: `(n,)`, where the boxes were detected.
    """

    points: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray | None = None
    box_scores: np.ndarray | None = None

    def turned(self, orientation: int, size: tuple[int, int]) -> Self:
        if orientation == upright.STORED:
            return self
        points = upright.turned_points(self.points, orientation, size)
        return replace(self, points=points, boxes=upright.turned_boxes(self.boxes, orientation, size))


@dataclass(frozen=True)
class Objects(Result):
    """The objects found in a picture, best first.

    Attributes:
        boxes: float64 `(n, 4)` xyxy in pixels.
        scores: `(n,)`, 0..1.
        labels: class ids, int32 `(n,)`.
        masks: bool `(n, height, width)`, where the model has them.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None = None

    def turned(self, orientation: int, size: tuple[int, int]) -> Self:
        if orientation == upright.STORED:
            return self
        masks = self.masks
        if masks is not None:
            turned_size = upright.turned(np.empty((*size, 0)), orientation).shape[:2]
            masks = np.array([upright.turned(mask, orientation) for mask in masks], bool).reshape(-1, *turned_size)
        return replace(self, boxes=upright.turned_boxes(self.boxes, orientation, size), masks=masks)

    def to_coco(self, image_id: int | str, category_ids: Sequence[int] = ()) -> list[dict[str, Any]]:
        """The objects as entries of COCO's json files of results.

        Args:
            image_id: what the picture is called in the annotations.
            category_ids: what every class is called there (`DatasetInfo.category_ids`); default: class id + 1.

        Returns:
            A list of dicts with `image_id`, `category_id`, `bbox` (left, top, width, height), `score` and, where there
            are masks, `segmentation`, compressed run lengths as text.

        Raises:
            ValueError: a class id without category.
            ImportError: there are masks, and pycocotools is not installed.

        Source: the format of results at https://cocodataset.org/#format-results.
        """
        boxes = np.asarray(self.boxes, np.float64)
        sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
        scores = np.asarray(self.scores, np.float64).tolist()
        entries = []
        for box, score, label in zip(sides, scores, np.asarray(self.labels).tolist(), strict=True):
            category = {"image_id": image_id, "category_id": category_of(label, category_ids)}
            entries.append({**category, "bbox": box, "score": score})
        if self.masks is not None:
            for entry, segmentation in zip(entries, run_lengths(self.masks), strict=True):
                entry["segmentation"] = segmentation
        return entries

    def to_record(self) -> np.ndarray:
        """A NumPy record array `(n,)` of `left`, `top`, `right`, `bottom`, `score`, `label`, for tables; no masks."""
        words = ("left", "top", "right", "bottom", "score")
        record = np.recarray(len(self.boxes), [*((word, np.float64) for word in words), ("label", np.int32)])
        for word, values in zip(words, (*np.asarray(self.boxes).T, self.scores), strict=True):
            record[word] = values
        record["label"] = self.labels
        return record

    def to_supervision(self, class_names: Sequence[str] = ()) -> Any:
        """The objects as `supervision.Detections`, for its trackers, zones and annotators.

        Args:
            class_names: of the model (`prediction.info.class_names`): supervision's annotators write them.

        Raises:
            ImportError: supervision is not installed.
        """
        try:
            from supervision import Detections
        except ImportError as error:
            raise ImportError("supervision's Detections need it: pip install supervision") from error
        labels = np.asarray(self.labels, int)
        names = {}
        if class_names:
            names = {"class_name": np.array(class_names)[labels]}
        return Detections(
            xyxy=np.asarray(self.boxes, np.float32), mask=self.masks, class_id=labels, data=names,
            confidence=np.asarray(self.scores, np.float32),
        )  # fmt: skip


def category_of(label: int, category_ids: Sequence[int] = ()) -> int:
    """What COCO's files call a class id; without `category_ids` one more. Raises `ValueError` where it has no name."""
    if not category_ids:
        return label + 1
    if not 0 <= label < len(category_ids):
        raise ValueError(f"label {label}: the data set has {len(category_ids)} categories: expected one of their ids")
    return category_ids[label]


def run_lengths(masks: np.ndarray) -> list[dict[str, Any]]:
    """Masks `(n, height, width)` as COCO's compressed run lengths: dicts of `size` and `counts`, as json takes them.

    Raises:
        ImportError: pycocotools is not installed.
    """
    try:
        from pycocotools import mask as coder
    except ImportError as error:
        raise ImportError("masks as run lengths need pycocotools: pip install pycocotools") from error
    encoded = [coder.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]
    return [{"size": list(one["size"]), "counts": one["counts"].decode("ascii")} for one in encoded]

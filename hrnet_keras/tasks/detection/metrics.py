"""Average precision and recall of boxes and masks, as COCO measures them."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.objects import as_truth
from hrnet_keras.datasets.outlines import checked_segment
from hrnet_keras.tasks import cocoeval
from hrnet_keras.tasks.detection.files import write_coco
from hrnet_keras.tasks.finite import check_finite
from hrnet_keras.tasks.results import Objects, category_of, run_lengths

FIGURES = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L", "AR1", "AR10", "AR100", "AR_S", "AR_M", "AR_L")
MASK = "mask_"  # begins the names of the figures of masks
CLASS_FIGURES = ("class_AP", "class_AP50")

Example = dict[str, Any]


class Metric:
    """COCO's figures: of boxes, and of masks where the results have some and the data set has outlines.

    Args:
        info: of the data set: `class_names` and, where its files call classes by other numbers than 1, 2, ...,
            `category_ids`.

    Attributes:
        main: the figure that decides which model is kept, `"AP"`.

    Raises:
        ValueError: no class names.
        ImportError: no evaluator is installed.

    Source: `COCOeval` of pycocotools. As in mmdet, areas of found objects are those of what is scored: of masks their
    pixels.
    """

    main = "AP"
    lower_is_better = False

    def __init__(self, info: DatasetInfo) -> None:
        self.names = info.class_names
        if not self.names:
            raise ValueError(f"data set {info.name!r} has no class_names: expected a name per class")
        self.category_ids = info.category_ids
        self.class_ids = [category_of(i, self.category_ids) for i in range(len(self.names))]
        self.categories = [{"id": i, "name": name} for i, name in zip(self.class_ids, self.names, strict=True)]
        cocoeval.library()  # what lacks is said before hours of work, not after
        self.pictures: dict[Any, dict[str, Any]] = {}
        self.truth: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self._found_masks, self._compares_masks = False, True

    def update(self, result: Mapping[str, Any], example: Example) -> None:
        """Adds one picture, also one without objects.

        Args:
            result: dict with `boxes` `(n, 4)` xyxy in pixels of the picture, `scores` `(n,)`, `labels` `(n,)` and
                perhaps `masks` `(n, height, width)`. Objects of classes that the data set lacks don't count.
            example: dict with `name` and either `truth`, the picture's annotations as COCO's files store them, or
                `boxes`, `labels`, `crowd` and perhaps `areas` (default: of the masks, else of the boxes) and `masks`;
                `image_id` (default: the name) and, with polygons, `size` `(height, width)`.

        Raises:
            ValueError: shapes that do not belong together, values that are no finite numbers (evaluators take a NaN for
                a hit), a picture that comes twice, no truth, or masks to be scored against an object without an
                outline; names the picture.
        """
        name = example["name"]
        found = _checked(result, name, len(self.names))
        image_id: Any = example.get("image_id", name)
        if image_id in self.pictures:
            raise ValueError(f"{name}: a picture with image_id {image_id!r} has been scored already")
        truth = _truth_of(example, image_id, self.category_ids)
        size = _size_of(example)
        has_outlines = "masks" in example or "segments" in example
        if found.masks is not None and has_outlines:
            truth = _with_outlines(truth, found.masks, size, name)
            self._found_masks = True
        elif len(found.boxes) or not all(entry.get("segmentation") for entry in truth):
            self._compares_masks = False
        entries = found.to_coco(image_id, self.class_ids)
        self.pictures[image_id] = {"id": image_id}
        if size is not None:
            self.pictures[image_id] |= {"height": size[0], "width": size[1]}
        self.truth += truth
        self.results += entries

    @property
    def has_masks(self) -> bool:
        """Whether masks can be scored: all pictures so far have outlines and, where something was found, masks."""
        return self._found_masks and self._compares_masks

    def result(self) -> dict[str, Any]:
        """Returns a dict: COCO's twelve figures by the names `FIGURES` (0..1), per class `class_AP` and `class_AP50`.

        Where masks were scored, also all of that with `mask_` before its name. -1 stands where the truth has nothing to
        measure. `pictures` and `objects` count what was scored.
        """
        figures = self._figures("bbox", "")
        if self.has_masks:
            figures |= self._figures("segm", MASK)
        return {**figures, "pictures": len(self.pictures), "objects": len(self.results)}

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes what was found so far as `results.bbox.json` and, with masks, `results.segm.json` into a folder.

        They are in the form that COCO's evaluator and server take, category ids those of the data set's files.
        """
        write_coco(self._entries("bbox"), os.path.join(folder, "results.bbox.json"))
        if self.has_masks:
            write_coco(self._entries("segm"), os.path.join(folder, "results.segm.json"))

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        """The results with what is compared alone: with a box beside a mask, evaluators take the box's area."""
        word = {"bbox": "bbox", "segm": "segmentation"}[kind]
        kept = ("image_id", "category_id", "score", word)
        return [{key: entry[key] for key in kept} for entry in self.results if word in entry]

    def _figures(self, kind: str, prefix: str) -> dict[str, Any]:
        measured = cocoeval.evaluate(
            kind, list(self.pictures.values()), self.truth, self._entries(kind), self.categories
        )
        of_class = {category: place for place, category in enumerate(measured.category_ids)}
        places = [of_class[class_id] for class_id in self.class_ids]
        per_class = (
            [measured.average_precision(category=place) for place in places],
            [measured.average_precision(0, category=place) for place in places],
        )
        figures: dict[str, Any] = dict(zip(FIGURES, coco_figures(measured), strict=True))
        for word, values in zip(CLASS_FIGURES, per_class, strict=True):
            figures[word] = dict(zip(self.names, values, strict=True))
        return {f"{prefix}{word}": value for word, value in figures.items()}


def coco_figures(measured: cocoeval.Evaluation) -> list[float]:
    """COCO's twelve figures of objects, in the order of `FIGURES`."""
    precision, recall = measured.average_precision, measured.average_recall
    areas = (1, 2, 3)
    return [
        precision(), precision(0), precision(5), *(precision(area=area) for area in areas),
        *(recall(limit=limit) for limit in range(3)), *(recall(area=area) for area in areas),
    ]  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """A result as readable text: a row per class, then COCO's figures, of masks beside those of boxes."""
    kinds = {"box": ""}
    if MASK + "AP" in result:
        kinds["mask"] = MASK
    width = max(map(len, (*result["class_AP"], *FIGURES)))
    columns = [f"{kind} {figure}" for kind in kinds for figure in ("AP", "AP50")]
    lines = [f"{'class':<{width}}  " + "  ".join(f"{column:>9}" for column in columns)]
    for name in result["class_AP"]:
        figures = [result[prefix + word][name] for prefix in kinds.values() for word in CLASS_FIGURES]
        lines.append(f"{name:<{width}}  " + "  ".join(f"{_shown(figure):>9}" for figure in figures))
    lines.append(f"{'all':<{width}}  " + "  ".join(f"{kind:>9}" for kind in kinds))
    for figure in FIGURES:
        figures = [result[prefix + figure] for prefix in kinds.values()]
        lines.append(f"{figure:<{width}}  " + "  ".join(f"{_shown(value):>9}" for value in figures))
    return "\n".join([*lines, f"({result['objects']} objects found in {result['pictures']} pictures)"])


def _shown(figure: float) -> str:
    return "-" if figure == cocoeval.NOTHING else f"{figure:.3f}"


def _checked(result: Mapping[str, Any], name: str, classes: int) -> Objects:
    """A result whose arrays belong together, without objects of classes that the data set lacks."""
    boxes = np.asarray(result["boxes"], np.float64)
    scores, labels = np.asarray(result["scores"], np.float64), np.asarray(result["labels"])
    masks = result.get("masks")
    if not len(boxes):
        boxes = boxes.reshape(-1, 4)
    count = len(boxes)
    fits = boxes.shape == (count, 4) and scores.shape == labels.shape == (count,)
    if not fits or (masks is not None and (np.ndim(masks) != 3 or len(masks) != count)):
        shapes = f"boxes of shape {boxes.shape}, scores {scores.shape}, labels {labels.shape}"
        if masks is not None:
            shapes += f", masks {np.shape(masks)}"
        raise ValueError(f"{name}: {shapes}: expected (n, 4), (n,), (n,) and, if any, masks (n, height, width)")
    check_finite(name, boxes=boxes, scores=scores)
    if count and labels.min() < 0:
        raise ValueError(f"{name}: label {labels.min()}: expected class ids, 0 or more")
    kept = labels < classes
    if masks is not None:
        masks = np.asarray(masks)[kept]
    return Objects(boxes[kept], scores[kept], labels[kept], masks)


def _truth_of(example: Example, image_id: Any, category_ids: tuple[int, ...]) -> list[dict[str, Any]]:
    """The annotations of a picture as COCO's files store them, with all that an evaluation reads."""
    if "truth" in example:
        return [_whole(entry, image_id) for entry in example["truth"]]
    if "boxes" not in example or "labels" not in example:
        raise ValueError(f"{example['name']}: no truth to score against: choose a split with annotations")
    boxes = np.asarray(example["boxes"], np.float64).reshape(-1, 4)
    row = {**example, "boxes": boxes, "image_id": image_id}
    row["areas"] = example.get("areas", np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    row["crowd"] = example.get("crowd", np.zeros(len(boxes), bool))
    if "masks" in example:
        row["segments"] = tuple(run_lengths(example["masks"]))
        row["areas"] = example.get("areas", np.sum(example["masks"], axis=(1, 2)))
    return as_truth(row, category_ids)


def _whole(entry: dict[str, Any], image_id: Any) -> dict[str, Any]:
    """An annotation of a file, in which a set of one's own may leave something out."""
    width, height = entry["bbox"][2:]
    return {"area": width * height, "iscrowd": 0, **entry, "image_id": image_id}


def _size_of(example: Example) -> tuple[int, int] | None:
    """(height, width) of the picture, where that is known."""
    if "size" in example:
        height, width = example["size"]
    elif "masks" in example:
        height, width = np.shape(example["masks"])[1:]
    else:
        return None
    return int(height), int(width)


def _with_outlines(
    truth: list[dict[str, Any]], masks: np.ndarray, size: tuple[int, int] | None, name: str
) -> list[dict[str, Any]]:
    """The truth with outlines that evaluators can draw; raises `ValueError` where masks can't be compared with them."""
    if size is None:
        raise ValueError(f"{name}: outlines without the picture's size: expected size (height, width)")
    drawn = []
    for entry in truth:
        where = f"{name}: annotation {entry.get('id')}"
        outline = checked_segment(entry.get("segmentation"), size, where, lenient=True)
        if outline is None:
            raise ValueError(f"{where}: has no outline: expected polygons or run lengths of every object")
        drawn.append({**entry, "segmentation": outline})
    if len(masks) and masks.shape[1:] != size:
        shape = f"{masks.shape[2]}x{masks.shape[1]}"
        raise ValueError(f"{name}: masks of {shape}: the picture is {size[1]}x{size[0]} (width x height)")
    return drawn

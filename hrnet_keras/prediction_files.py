"""Pictures -> files of drawn predictions, label maps, points and boxes, one picture at a time."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image

from hrnet_keras.datasets.boxes import boxes_for
from hrnet_keras.prediction import Finder, Prediction, check_takes_boxes, pictures_of, predict_pictures
from hrnet_keras.predictor import open_predictor
from hrnet_keras.tasks import task_named
from hrnet_keras.tasks.processing import PredictOptions
from hrnet_keras.transforms.upright import STORED
from hrnet_keras.writing import check_targets, stems_for

logger = logging.getLogger("hrnet_keras")


@dataclass(frozen=True)
class WrittenFile:
    """A file that has been written.

    Attributes:
        path: of it.
        remarks: what it does not show by itself.
    """

    path: str
    remarks: tuple[str, ...] = ()


def write_predictions(
    model: str, images: list[str], output: str = "predictions", *, boxes: str | None = None, label_maps: bool = False,
    points: bool = False, size: int | tuple[int, int] | None = None, min_score: float | None = None,
    people: str | None = None,
) -> Iterator[WrittenFile]:  # fmt: skip
    """Writes the drawn prediction about every picture; what is written stays, whatever comes after.

    Args:
        model: a `.keras` file, SavedModel directory, checkpoint or published name.
        images: paths and glob patterns.
        output: folder of the files: they keep the pictures' tree below their common folder. Of one picture also the
            file that is to be drawn.
        boxes: json text or file of the boxes to look at (`datasets.boxes.boxes_for`).
        label_maps: also writes the class ids as `<name>_labels.png`.
        points: also writes the points, scores and boxes, or the boxes, scores, labels, names and masks (as COCO's run
            lengths), as `<name>.json`.
        size, people: as in `prediction.predict`.
        min_score: for detection: objects of a lower score are left out; default 0.3.

    Yields:
        Every file once it is written.

    Raises:
        ValueError: other files are asked for than the model's task has; files could not be told apart or would
            overwrite what was given (before anything is predicted); at the end, where pictures could not be read: each
            was logged as an error.
    """
    predictor = open_predictor(model, PredictOptions(size=size, min_score=min_score))
    finder = None
    if people is not None:
        finder = Finder.of(people, predictor.info)
    task = task_named(predictor.info.task)
    _check_asked(task, boxes, label_maps, points)
    pictures = _different(pictures_of(images))
    boxes_of_pictures = None
    keep = []
    if boxes is not None:
        boxes_of_pictures = boxes_for(pictures, boxes)
        keep = [boxes] * os.path.isfile(boxes)
    endings = ["_labels.png"] * label_maps + [".json"] * points
    drawings, stems = _places(pictures, output, endings, keep)
    for path in drawings:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    places = dict(zip(pictures, zip(drawings, stems, strict=True), strict=True))
    unread = []

    def log_unread(path, error):
        unread.append(path)
        logger.error("%s", error)

    # A single picture's error is the caller's own: it needs no account at the end.
    unreadable = log_unread if len(pictures) > 1 else None
    for prediction in predict_pictures(
        predictor, pictures, boxes_of_pictures, finder=finder, one_by_one=True, unreadable=unreadable
    ):  # fmt: skip
        drawing, stem = places[prediction.path]
        remarks = _remarks(prediction, asked_size=size is not None, looked_for=boxes is None)
        yield WrittenFile(str(prediction.save(drawing)), tuple(remarks))
        yield from _write_numbers(prediction, stem, label_maps, points)
    if unread:
        raise ValueError(f"{len(unread)} of {len(pictures)} pictures could not be answered; the others are in {output}")


def _write_numbers(prediction: Prediction, stem: str, label_maps: bool, points: bool) -> Iterator[WrittenFile]:
    """Writes the files of numbers that are asked for."""
    write = task_named(prediction.info.task).module("inference").write
    remarks: tuple[str, ...] = ()
    if prediction.orientation != STORED:
        remarks = ("of the pixels as stored, not turned by EXIF",)
    if label_maps:
        write({"label_map": prediction.label_map}, f"{stem}_labels")
        yield WrittenFile(f"{stem}_labels.png", remarks)
    if points:
        write(_numbers(prediction), stem)
        yield WrittenFile(f"{stem}.json", remarks)


def _numbers(prediction: Prediction) -> dict[str, Any]:
    """What the file of a prediction's numbers holds, each a row per face, person or object."""
    words = prediction.result.to_dict()
    written = ("points", "scores", "boxes", "labels", "masks")
    numbers: dict[str, Any] = {word: words[word] for word in written if word in words}
    if "labels" in words:
        numbers["names"] = [prediction.info.class_names[label] for label in words["labels"]]
    return numbers


def _check_asked(task, boxes, label_maps, points):
    """Raises `ValueError` where other files are asked for than a model of the task has."""
    if label_maps and task.saved_as != ".png":
        hint = f": --json writes its {_rows_of(task)}" if task.saved_as == ".json" else ""
        raise ValueError(f"--label-maps: a model of task {task.name!r} answers none{hint}")
    if points and task.saved_as != ".json":
        raise ValueError(f"--json: writes points and boxes, a model of task {task.name!r} answers none")
    if boxes is not None:
        check_takes_boxes(task.name, "--boxes")


def _rows_of(task):
    """What a model of a task answers that goes into a file of numbers."""
    return "points" if task.is_of_points else "boxes"


def _different(pictures):
    """The pictures without those that were named before, by an overlapping pattern for example."""
    different = {}
    for path in pictures:
        different.setdefault(os.path.abspath(path), path)
    return list(different.values())


def _places(pictures, output, endings, keep):
    """Of every picture the file to draw, and the path without ending of the other files; `endings` are theirs."""
    if not _is_file(output, pictures):
        stems = stems_for(pictures, output, [".png", *endings], keep=keep)
        return [f"{stem}.png" for stem in stems], stems
    stem = os.path.splitext(output)[0]
    check_targets([output, *(stem + ending for ending in endings)], os.path.dirname(output) or ".", [*pictures, *keep])
    return [output], [stem]


def _is_file(output, pictures):
    """Whether the output is a file to draw; raises `ValueError` where it is one and can't be."""
    Image.init()
    is_picture = Image.registered_extensions().get(os.path.splitext(output)[1].lower()) in Image.SAVE
    if os.path.isdir(output) or not (is_picture or os.path.exists(output)):
        return False
    if len(pictures) > 1:
        raise ValueError(
            f"--output {output}: names a file: expected a folder for the answers of {len(pictures)} pictures"
        )
    if not is_picture:
        raise ValueError(f"--output {output}: is a file and no picture: expected a folder, or a name such as out.png")
    return True


def _remarks(prediction: Prediction, *, asked_size: bool, looked_for: bool) -> Iterator[str]:
    """What a drawing does not show by itself."""
    nothing_found = task_named(prediction.info.task).nothing_found
    if looked_for and nothing_found is not None and not len(prediction.boxes):
        yield nothing_found
    if not asked_size and hasattr(prediction, "shown_size"):
        height, width = prediction.shown_size
        yield f"shown to the net at {width}x{height} (width x height; --size chooses another)"

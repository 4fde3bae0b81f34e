"""What the command `predict` does: pictures -> files of answers, one picture at a time."""

import os
import sys

from PIL import Image

from hrnet_keras.datasets.boxes import boxes_for
from hrnet_keras.loading import load
from hrnet_keras.prediction import answers, open_model, pictures_of
from hrnet_keras.tasks import TASKS, task_named
from hrnet_keras.transforms.upright import STORED
from hrnet_keras.writing import check_targets, stems_for


def answer_files(model, images, output="predictions", *, boxes=None, label_maps=False, points=False, size=None):
    """Writes the drawn answer about every picture, and prints its path; what is written stays, whatever comes after.

    Args:
        model: a `.keras` file, SavedModel directory, checkpoint or published name.
        images: paths and glob patterns.
        output: folder of the answers: they keep the pictures' tree below their common folder. Of one picture also the
            file that is to be drawn.
        boxes: json text or file of the boxes to look at (`datasets.boxes.boxes_for`).
        label_maps: also writes the class ids as `<name>_labels.png`.
        points: also writes points, scores and boxes as `<name>.json`.
        size: as in `prediction.predict`.

    Raises:
        ValueError: other answers are asked for than the model gives; answers could not be told apart or would overwrite
            what was given (before anything is answered); at the end, where pictures could not be read: each was named
            on standard error.
    """
    model = model if os.path.isdir(model) else load(model)
    answer, info = open_model(model, size=size)
    _check_asked(info.task, boxes, label_maps, points)
    pictures = _different(pictures_of(images))
    told = None if boxes is None else boxes_for(pictures, boxes)
    inference = task_named(info.task).module("inference")
    more = (["_labels.png"] if label_maps else []) + ([TASKS[info.task].saved_as] if points else [])
    keep = [boxes] if boxes is not None and os.path.isfile(boxes) else []
    drawings, stems = _places(pictures, output, more, keep)
    for path in drawings:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    places = dict(zip(pictures, zip(drawings, stems, strict=True), strict=True))
    unread = []

    def name_unread(path, error):
        unread.append(path)
        print(f"hrnet-keras: {error}", file=sys.stderr, flush=True)

    # A single picture's error is the command's own: it needs no account at the end.
    for found in answers(answer, info, pictures, told, unreadable=name_unread if len(pictures) > 1 else None):
        drawing, stem = places[found.path]
        remarks = _remarks(found, asked_size=size is not None, looked_for=boxes is None)
        _say(found.save(drawing), *remarks)
        if label_maps:
            inference.write({"label_map": found.label_map}, f"{stem}_labels")
            _say(f"{stem}_labels.png", *_stored(found))
        if points:
            inference.write({"points": found.points, "scores": found.scores, "boxes": found.boxes}, stem)
            _say(f"{stem}{TASKS[info.task].saved_as}", *_stored(found))
    if unread:
        raise ValueError(f"{len(unread)} of {len(pictures)} pictures could not be answered; the others are in {output}")


def _check_asked(task, boxes, label_maps, points):
    """Raises `ValueError` where other answers are asked for than a model of the task gives."""
    written = TASKS[task].saved_as  # label maps as pictures, points as json
    if label_maps and written != ".png":
        more = ": --json writes its points" if written == ".json" else ""
        raise ValueError(f"--label-maps: a model of task {task!r} answers none{more}")
    if points and written != ".json":
        raise ValueError(f"--json: writes points, a model of task {task!r} answers none")
    if boxes is not None and "boxes" not in TASKS[task].input_keys:
        raise ValueError(f"--boxes: a model of task {task!r} looks at whole pictures: expected none")


def _different(pictures):
    """The pictures without those that were named before, by an overlapping pattern for example."""
    different = {}
    for path in pictures:
        different.setdefault(os.path.abspath(path), path)
    return list(different.values())


def _places(pictures, output, more, keep):
    """Of every picture the file to draw, and the path without ending of the other files; `more` are their endings."""
    if not _is_file(output, pictures):
        stems = stems_for(pictures, output, [".png", *more], keep=keep)
        return [f"{stem}.png" for stem in stems], stems
    stem = os.path.splitext(output)[0]
    check_targets([output, *(stem + ending for ending in more)], os.path.dirname(output) or ".", [*pictures, *keep])
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


def _remarks(found, *, asked_size, looked_for):
    """What a drawing does not show by itself."""
    nobody = TASKS[found.info.task].nothing_found
    if looked_for and nobody is not None and not len(found.points):
        yield nobody
    if not asked_size and hasattr(found, "shown_size"):
        height, width = found.shown_size
        yield f"shown to the net at {width}x{height} (width x height; --size chooses another)"


def _stored(found):
    """What files of numbers say of a photograph that is stored turned."""
    if found.orientation != STORED:
        yield "of the pixels as stored, not turned by EXIF"


def _say(path, *remarks):
    print(f"{path}: {'; '.join(remarks)}" if remarks else path, flush=True)

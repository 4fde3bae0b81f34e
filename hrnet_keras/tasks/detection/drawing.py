"""Objects drawn over the picture that they were found in: boxes, what they are, masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hrnet_keras.datasets import distinct_colour
from hrnet_keras.datasets.objects import masks_of
from hrnet_keras.tasks.lettering import lettering

Colour = tuple[int, int, int]
Place = tuple[float, float, float, float]  # xyxy

OPACITY = 0.45  # of masks
LEAST_LETTERS, MOST_LETTERS = 10, 32  # pixels


def draw(
    image: np.ndarray, result: dict[str, Any], info: Any, *, threshold: float = 0.3, masks: bool = True,
    names: bool = True, enlarge: int = 1,
) -> np.ndarray:  # fmt: skip
    """Draws the objects of a picture, every class in a colour of its own; the best lie on top.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        result: dict with `boxes` `(n, 4)` xyxy and `labels` `(n,)`, perhaps `scores` `(n,)` and `masks` `(n, height,
            width)` or outlines (`segments`, see `datasets.objects`): of a result or an example. Crowds of an example
            (`crowd`) are drawn by a thin box.
        info: `class_names` and `palette` (RGB per class) as attributes, where it has them.
        threshold: score from which an object is drawn.
        masks: draws the masks, too.
        names: writes what it is, and the score, at every box.
        enlarge: shows a pixel as a square of so many, that names have room in a small picture.

    Returns:
        uint8 RGB `(height * enlarge, width * enlarge, 3)`.
    """
    boxes, labels = np.asarray(result["boxes"], float).reshape(-1, 4) * enlarge, np.asarray(result["labels"], int)
    scores = result.get("scores")
    order = list(range(len(boxes)))
    if scores is not None:
        order = [int(i) for i in np.argsort(scores, kind="stable") if scores[i] >= threshold]
    colours = [_colour(info, labels[i]) for i in range(len(boxes))]
    if masks and ("masks" in result or "segments" in result):
        image = _with_masks(image, masks_of(result), order, colours)
    image = image.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    shorter = min(image.shape[:2])
    width = max(1, round(shorter / 250))
    crowds = result.get("crowd")
    for i in order:
        is_crowd = crowds is not None and bool(crowds[i])
        _draw_box(pen, boxes[i], colours[i], 1 if is_crowd else width)
    if names:
        _write_names(pen, boxes, labels, scores, order, colours, info)
    return np.array(picture)


def _colour(info: Any, label: int) -> Colour:
    palette = getattr(info, "palette", None) or ()
    return tuple(palette[label]) if label < len(palette) else distinct_colour(int(label))


def _name(info: Any, label: int) -> str:
    names = getattr(info, "class_names", None) or ()
    return names[label].replace("_", " ") if label < len(names) else f"class {label}"


def _with_masks(image: np.ndarray, masks: Any, order: Sequence[int], colours: Sequence[Colour]) -> np.ndarray:
    mixed = image.copy()
    for i in order:
        mask = np.asarray(masks[i], bool)
        mixed[mask] = np.round((1 - OPACITY) * mixed[mask] + OPACITY * np.array(colours[i])).astype(np.uint8)
    return mixed


def _draw_box(pen: ImageDraw.ImageDraw, box: np.ndarray, colour: Colour, width: int) -> None:
    """A box inside its edges, with a dark line around it that shows it on grounds of its own colour."""
    left, top, right, bottom = (round(float(edge)) for edge in box)
    right, bottom = max(right - 1, left), max(bottom - 1, top)
    if width > 1:
        pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline="black")
    pen.rectangle((left, top, right, bottom), outline=colour, width=width)


def _write_names(
    pen: ImageDraw.ImageDraw, boxes: np.ndarray, labels: np.ndarray, scores: Any, order: Sequence[int],
    colours: Sequence[Colour], info: Any,
) -> None:  # fmt: skip
    """What everything is, the best on top; these choose their places first."""
    size = int(np.clip(min(pen.im.size) / 32, LEAST_LETTERS, MOST_LETTERS))
    signs: list[tuple[Place, str, Any, Colour]] = []
    for i in reversed(order):
        font, text = lettering(_name(info, labels[i]), int(labels[i]), size)
        if scores is not None:
            text = f"{text} {scores[i]:.2f}"
        sides = pen.textlength(text, font=font) + 4, size + 4
        place = _place(boxes[i], sides, pen.im.size, [other for other, *_ in signs])
        signs.append((place, text, font, colours[i]))
    for sign in reversed(signs):
        _write(pen, *sign)


def _place(
    box: np.ndarray, sides: tuple[float, float], size: tuple[int, int], taken: Sequence[Place]
) -> Place:  # fmt: skip
    """Where a name of sides (width, height) goes in a picture of `size` (width, height), as xyxy.

    Above its box, inside it at the top, below it, or inside at the bottom: the first place where it covers no other
    name; never beyond the picture's edge.
    """
    left, top, _, bottom = map(float, box)
    wide, high = sides
    x = max(0.0, min(left, size[0] - wide))
    places = []
    for y in (top - high, top, bottom, bottom - high):
        y = max(0.0, min(y, size[1] - high))
        places.append((x, y, x + wide, y + high))
    return next((place for place in places if not any(_overlap(place, other) for other in taken)), places[0])


def _overlap(a: Place, b: Place) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _write(pen: ImageDraw.ImageDraw, place: Place, text: str, font: Any, colour: Colour) -> None:
    """Letters on a ground of their object's colour."""
    pen.rectangle(place, fill=colour)
    brightness = np.dot(colour, (0.299, 0.587, 0.114))
    pen.text((place[0] + 2, place[1] + 1), text, fill="black" if brightness > 140 else "white", font=font)

"""Points and the lines between them, drawn over the picture that they were found in."""

import numpy as np
from PIL import Image, ImageDraw

from hrnet_keras.datasets import distinct_colour


def draw(image, result, info, *, threshold=0.0, boxes=False):
    """Draws points and limbs of every face or person.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        result: dict with `points` `(n, k, 2)`, and `scores` or `visible` `(n, k)`; `boxes` `(n, 4)` if they are to be
            drawn. Of a result or an example.
        info: `edges` as attribute, where lines are wanted.
        threshold: score above which a point is drawn.
        boxes: draws the boxes, too.

    Returns:
        uint8 RGB `(height, width, 3)`.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    if "visible" in result:
        are_shown = np.asarray(result["visible"]) > 0
    else:
        are_shown = np.asarray(result["scores"]) > threshold
    edges = getattr(info, "edges", None) or ()
    for points, shown in zip(result["points"], are_shown, strict=True):
        _draw_one(pen, points, shown, edges)
    if boxes:
        for i, box in enumerate(result["boxes"]):
            pen.rectangle(tuple(map(float, box)), outline=distinct_colour(i), width=2)
    return np.array(picture)


def _draw_one(pen, points, shown, edges):
    """Lines and dots of one face or person."""
    extent = np.ptp(points[shown], axis=0).max() if shown.any() else 0
    radius = float(np.clip(extent / (120 if len(points) > 20 else 50), 1, 6))
    for number, (a, b) in enumerate(edges):
        if shown[a] and shown[b]:
            line = (*map(float, points[a]), *map(float, points[b]))
            pen.line(line, fill=distinct_colour(number), width=max(1, round(radius)))
    for x, y in points[shown]:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill="white", outline="black")

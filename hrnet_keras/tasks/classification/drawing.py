"""The most probable classes, written under the picture."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hrnet_keras.tasks.lettering import lettering

LINE = 18


def draw(image, result, info, *, count=5):
    """Writes names and probabilities under a picture.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        result: dict with `labels`, best first, and `scores`; or an example with `label`.
        info: `class_names` as attribute.
        count: how many classes.

    Returns:
        uint8 RGB `(height + a line per class, width, 3)`.
    """
    if "label" in result:
        labels = [result["label"]]
    else:
        labels = [label for label in result["labels"] if label >= 0][:count]
    scores = result.get("scores", [None] * len(labels))
    strip = Image.new("RGB", (image.shape[1], LINE * len(labels) + 4), "white")
    pen = ImageDraw.Draw(strip)
    plain = ImageFont.load_default(12)
    for i, (label, score) in enumerate(zip(labels, scores, strict=False)):
        percent = "" if score is None else f"{100 * float(score):5.1f} %  "
        font, name = lettering(info.class_names[int(label)], int(label), 12)
        pen.text((4, 3 + LINE * i), percent, fill="black", font=plain)
        pen.text((4 + plain.getlength(percent), 3 + LINE * i), name, fill="black", font=font)
    return np.concatenate([image, np.asarray(strip)])

"""Label maps drawn over their pictures, with a legend."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hrnet_keras.tasks.lettering import lettering

OPACITY = 0.55


def draw(image, result, info, *, legend=True):
    """Colours a picture by the classes found in it; unlabelled pixels stay as they are.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        result: dict with `label_map` `(height, width)`: of a result or an example.
        info: `palette` (RGB per class) and `class_names` as attributes.
        legend: adds a strip that names the colours of the classes present (`lettering`: by their ids, where no font
            here has the letters).

    Returns:
        uint8 RGB `(height, width, 3)`, taller by the legend.
    """
    labels = result["label_map"]
    colours = np.zeros((max(256, len(info.palette)), 3), np.float32)
    colours[: len(info.palette)] = info.palette
    is_class = (labels < len(info.palette))[..., None]
    mixed = (1 - OPACITY) * image + OPACITY * colours[labels]
    drawn = np.where(is_class, mixed, image).round().astype(np.uint8)
    if not legend:
        return drawn
    present = [int(i) for i in np.unique(labels) if i < len(info.palette)]
    return np.concatenate([drawn, _legend(present, info, image.shape[1])])


def grid(rows, *, titles=(), gap=4):
    """Puts pictures of one size side by side: one row per list, a title over every column.

    Args:
        rows: lists of uint8 RGB pictures `(height, width, 3)`.
        titles: a text per column.
        gap: white pixels between pictures.
    """
    parts = []
    if titles:
        parts.append(_titles(titles, [picture.shape[1] for picture in rows[0]], gap))
    for row in rows:
        height = max(picture.shape[0] for picture in row)
        padded = [np.pad(p, ((0, height - p.shape[0] + gap), (0, gap), (0, 0)), constant_values=255) for p in row]
        parts.append(np.concatenate(padded, axis=1))
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=255) for p in parts])


def _legend(present, info, width):
    boxes, x, y = [], 4, 3
    for i in present:
        font, name = lettering(info.class_names[i].replace("_", " "), i, 12)
        length = 18 + int(font.getlength(name)) + 10
        if x + length > width and x > 4:
            x, y = 4, y + 18
        boxes.append((x, y, i, name, font))
        x += length
    strip = Image.new("RGB", (width, y + 18), "white")
    pen = ImageDraw.Draw(strip)
    for x, y, i, name, font in boxes:
        pen.rectangle([x, y, x + 12, y + 12], fill=tuple(info.palette[i]), outline="black")
        pen.text((x + 17, y - 1), name, fill="black", font=font)
    return np.asarray(strip)


def _titles(titles, widths, gap):
    strip = Image.new("RGB", (sum(widths) + gap * len(widths), 20), "white")
    pen = ImageDraw.Draw(strip)
    x = 0
    for title, width in zip(titles, widths, strict=True):
        pen.text((x + 4, 2), title, fill="black", font=ImageFont.load_default(13))
        x += width + gap
    return np.asarray(strip)

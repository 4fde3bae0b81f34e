"""The same three pictures with the same boxes in the layouts that tools write."""

import json

from PIL import Image

SIZES = {"a.jpg": (96, 80), "b.png": (64, 120), "sub/c.jpg": (100, 100)}  # width, height
BOXES = {"a.jpg": [(10, 10, 60, 70), (20.5, 5, 96, 40)], "b.png": [], "sub/c.jpg": [(0, 0, 100, 50)]}
CLASSES = {"a.jpg": ["dog", "cat"], "b.png": [], "sub/c.jpg": ["dog"]}
NAMES = ("dog", "cat")


def pictures(folder, flat=False):
    for name, size in SIZES.items():
        path = folder / (name.replace("/", "_") if flat else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (90, 20, 20)).save(path)
    return folder


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def coco_json():
    images = [
        {"id": i, "file_name": name, "width": width, "height": height}
        for i, (name, (width, height)) in enumerate(SIZES.items())
    ]
    entries = [(i, box) for i, boxes in enumerate(BOXES.values()) for box in boxes]
    annotations = [
        {"id": j, "image_id": i, "category_id": 3 + 4 * (j % 2), "bbox": [x, y, right - x, bottom - y],
         "area": (right - x) * (bottom - y), "iscrowd": 0}
        for j, (i, (x, y, right, bottom)) in enumerate(entries)
    ]  # fmt: skip
    categories = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_json(path, whole):
    return write(path, json.dumps(whole))


XML = """<annotation><folder>x</folder><filename>{name}</filename>
<size><width>{width}</width><height>{height}</height><depth>3</depth></size>
{objects}</annotation>"""
OBJECT = """<object><name>{name}</name><difficult>{difficult}</difficult>
<bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""


def voc_xml(name, size=None, difficult=0):
    """Corners count from 1, and the last pixel is inside."""
    width, height = size or SIZES[name]
    objects = [
        OBJECT.format(box[0] + 1, box[1] + 1, box[2], box[3], name=label, difficult=difficult)
        for box, label in zip(BOXES[name], CLASSES[name], strict=True)
    ]
    return XML.format(name=name.replace("/", "_"), width=width, height=height, objects="".join(objects))


def voc(folder, **options):
    for name in SIZES:
        write(folder / f"{name.replace('/', '_').rsplit('.', 1)[0]}.xml", voc_xml(name, **options))
    return folder


def yolo_lines(name):
    width, height = SIZES[name]
    lines = []
    for (left, top, right, bottom), label in zip(BOXES[name], CLASSES[name], strict=True):
        numbers = ((left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width,
                   (bottom - top) / height)  # fmt: skip
        lines.append(f"{NAMES.index(label)} {' '.join(map(repr, numbers))}\n")
    return "".join(lines)


def yolo(folder):
    for name in SIZES:
        if BOXES[name]:
            write(folder / f"{name.rsplit('.', 1)[0]}.txt", yolo_lines(name))
    return folder


def csv_rows(form="{name},{width},{height},{label},{0},{1},{2},{3}"):
    rows = []
    for name, (width, height) in SIZES.items():
        for box, label in zip(BOXES[name], CLASSES[name], strict=True):
            left, top, right, bottom = box
            rows.append(form.format(*box, name=name, width=width, height=height, label=label,
                                    w=right - left, h=bottom - top))  # fmt: skip
    return rows

"""One smooth picture in the formats that people have, and how Pillow reads them."""

import io

import numpy as np
from PIL import Image

SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)).resize((171, 147))


def encode(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


FILES = {
    "jpeg": encode(SMOOTH, "JPEG"),
    "jpeg, progressive": encode(SMOOTH, "JPEG", progressive=True),
    "jpeg, grey": encode(SMOOTH.convert("L"), "JPEG"),
    "jpeg, no subsampling": encode(SMOOTH, "JPEG", subsampling=0),
    "png": encode(SMOOTH, "PNG"),
    "png, palette": encode(SMOOTH.convert("P"), "PNG"),
    "png, grey": encode(SMOOTH.convert("L"), "PNG"),
    "png, transparent": encode(SMOOTH.convert("RGBA"), "PNG"),
}


def pillows(contents):
    return np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))

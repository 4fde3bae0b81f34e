"""Writes the tables of docs/models.md: parameters and multiply-accumulates of every net, beside the published figures.

python docs/make_models.py [models] [detectors]
"""

import sys
from pathlib import Path

import keras

from hrnet_keras.architecture import ARCHITECTURES
from hrnet_keras.builders import hrnet
from hrnet_keras.counting import count_macs, count_parameters
from hrnet_keras.tasks.detection import frameworks

PAGE = Path(__file__).parent / "models.md"
MODELS, DETECTORS = "models", "detectors"  # comments around the tables
SMALLEST = "W18SmallV1"
LINEAGES = {"fcos_6l": "official", "centernet": "official"}  # the only ones there
HEADS = {
    "cls, 1000 classes": ("V2", "cls", {}, (224, 224)),
    "seg, 19 classes": ("V2", "seg", {}, (1024, 2048)),
    "seg with OCR, 19 classes": ("V2", "seg", {"head": "ocr"}, (1024, 2048)),
    "landmark, 68 points": ("V2", "landmark", {}, (256, 256)),
    "pose, 17 joints": ("V1", "pose", {}, (256, 192)),
    "V2p, the pyramid": ("V2p", None, {}, (800, 1280)),
}
# (parameters, GFLOPs) as the official tables quote them: multiply-accumulates / 2^30. Classification: HRNet-Image-
# Classification; seg: HRNet-Semantic-Segmentation; landmark: HRNet-Facial-Landmark-Detection; pose: deep-high-
# resolution-net.
PUBLISHED = {
    ("cls", "W18SmallV1"): ("13.2M", "1.49"), ("cls", "W18SmallV2"): ("15.6M", "2.42"),
    ("cls", "W18"): ("21.3M", "3.99"),
    ("cls", "W30"): ("37.7M", "7.55"), ("cls", "W32"): ("41.2M", "8.31"), ("cls", "W40"): ("57.6M", "11.8"),
    ("cls", "W44"): ("67.1M", "13.9"), ("cls", "W48"): ("77.5M", "16.1"), ("cls", "W64"): ("128.1M", "26.9"),
    ("seg", "W18SmallV1"): ("1.5M", "31.1"), ("seg", "W18SmallV2"): ("3.9M", "71.6"),
    ("seg", "W48"): ("65.8M", "696.2"),
    ("landmark", "W18"): ("9.3M", "4.3"), ("pose", "W32"): ("28.5M", "7.1"), ("pose", "W48"): ("63.6M", "14.6"),
}  # fmt: skip


def row(head, width):
    """One line of the table."""
    representation, task, options, size = HEADS[head]
    ours, plain = (hrnet(representation, width, task, reference_form=form, **options) for form in (False, True))
    parameters, macs = PUBLISHED.get((task, width), ("", "")) if "head" not in options else ("", "")
    counts = f"{count_macs(plain, size) / 2**30:.2f} | {macs} | {count_macs(ours, size) / 2**30:.2f}"
    return f"| {width} | {head} | {size[0]}x{size[1]} | {count_parameters(ours):,} | {parameters} | {counts} |"


def table():
    """The table of all nets but detectors."""
    lines = [
        "| net | head | input | parameters | published | GMACs of the reference graph | published | GMACs of ours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(lines + [row(head, width) for head in HEADS for width in ARCHITECTURES])


def detector_table():
    """The parameters behind the pyramid of every framework, counted on the smallest net: they are alike on all."""
    lines = ["| framework | parameters behind the pyramid |", "|---|---|"]
    pyramid = count_parameters(hrnet("V2p", SMALLEST))
    for name in frameworks.MODULES:
        net = hrnet("V2p", SMALLEST, "det", framework=name, lineage=LINEAGES.get(name))
        lines.append(f"| `{name}` | {count_parameters(net) - pyramid:,} |")
        keras.utils.clear_session()
    return "\n".join(lines)


def replaced(text, name, content):
    """The text with what stands between two comments replaced."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, after = text.split(start)[0], text.split(end)[1]
    return f"{before}{start}\n{content}\n{end}{after}"


if __name__ == "__main__":
    wanted = sys.argv[1:] or [MODELS, DETECTORS]
    for name, make in ((MODELS, table), (DETECTORS, detector_table)):
        if name in wanted:
            PAGE.write_text(replaced(PAGE.read_text(), name, make()))

"""What every framework of detection learns of drawn streets in the same steps, and what it then finds in one of them.

.venv/bin/python benchmarks/toytown.py --write
"""

import argparse
from dataclasses import replace
from pathlib import Path

from PIL import Image
from speed import HERE, machine, replace_between

import hrnet_keras as hk
from hrnet_keras import datasets
from hrnet_keras.tasks.detection.drawing import draw
from hrnet_keras.tasks.detection.frameworks import MODULES
from hrnet_keras.tasks.segmentation.drawing import grid

RECIPE = "det/toytown_faster_rcnn_w18_small_v1"
MASKS = ("mask_rcnn", "cascade_mask_rcnn", "htc")
SCENES, COLUMNS = (2, 5), 3
HEADER = """\
| framework | AP50 | AP | mask AP50 | mask AP |
|---|---|---|---|---|"""


def recipe_of(framework, folder):
    """The demo's recipe with another framework, and what it learns from."""
    recipe = hk.Recipe.load(RECIPE)
    augment = replace(recipe.augment, masks=framework in MASKS, semantic=framework == "htc")
    model = replace(recipe.model, framework=framework)
    return replace(recipe, model=model, augment=augment, output=str(folder))


def row_of(framework, result):
    """A line of Markdown from the twelve figures of boxes and, where there are some, of masks."""
    words = ("AP50", "AP", "mask_AP50", "mask_AP")
    return f"| {framework} | " + " | ".join(f"{result[word]:.3f}" if word in result else "" for word in words) + " |"


def picture_of(scenes, drawn):
    """The scenes with their truth and what every framework finds, `COLUMNS` beside each other."""
    rows = []
    for i in range(len(scenes)):
        cells = [(name, pictures[i]) for name, pictures in drawn.items()]
        for start in range(0, len(cells), COLUMNS):
            names, pictures = zip(*cells[start : start + COLUMNS], strict=True)
            rows.append(grid([list(pictures)], titles=names))
    return grid([[row] for row in rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frameworks", nargs="*", default=list(MODULES))
    parser.add_argument("--folder", type=Path, default=Path("runs/toytown"), help="of the runs; ended ones are kept")
    parser.add_argument("--write", action="store_true", help="write the table here and the picture into docs/")
    options = parser.parse_args()
    unseen = datasets.load("toytown", "test", **hk.Recipe.load(RECIPE).data.options)
    scenes = [unseen.example(i) for i in SCENES]
    drawn = {"truth": [draw(scene["image"], scene, unseen.info, enlarge=3) for scene in scenes]}
    lines = [HEADER]
    for framework in options.frameworks:
        folder = options.folder / framework
        if not (folder / "last.keras").exists():
            hk.train(recipe_of(framework, folder))
        model = hk.load(folder / "last.keras")
        lines.append(row_of(framework, hk.evaluate(model, unseen)))
        found = [hk.predict(model, scene["image"])[0].result.to_dict() for scene in scenes]
        drawn[framework] = [
            draw(scene["image"], one, unseen.info, enlarge=3) for scene, one in zip(scenes, found, strict=True)
        ]
        print("\n".join(lines), flush=True)
    if options.write:
        replace_between("toytown", "\n".join([machine(), "", *lines]), HERE / "README.md")
        Image.fromarray(picture_of(scenes, drawn)).save(HERE.parent / "docs/frameworks.png", optimize=True)


if __name__ == "__main__":
    main()

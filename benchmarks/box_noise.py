"""How far a network's points move when the box that a face is cropped by is off, and what a second pass mends.

make demo TASK=landmark && .venv/bin/python benchmarks/box_noise.py runs/demo/landmark/last.keras --write
"""

import argparse
from pathlib import Path

import numpy as np

from hrnet_keras.tasks.landmark.faces import points_to_centers_scales

AMOUNTS = (0.05, 0.10, 0.20)
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))


def measure(locate, examples, *, amounts=AMOUNTS, crop_box="tight"):
    """Compares points found from disturbed boxes with those from the true ones.

    Every face's box is moved right, left, down and up, made larger and smaller, and both at once; the results of one
    kind of disturbance are averaged. The second pass crops around the points of the first.

    Args:
        locate: called with an image `(height, width, 3)`, centres `(n, 2)` and scales `(n,)` without the factor 1.25;
            returns points `(n, k, 2)` in pixels of the image.
        examples: dicts with `image`, `centers`, `scales`, `points` and `visible`, a row per face.
        amounts: how far boxes are off, as shares of their side (moved by that, larger and smaller by that).
        crop_box: of the crops, as in `hrnet_keras.tasks.landmark.faces`.

    Returns:
        A list of dicts, the first for true boxes: `amount`, `kind` (`"true"`, `"moved"`, `"resized"`, `"both"`), and in
        percent of the face's side (200 * scale): `moved` and `moved_again`, mean distance after the first and second
        pass from the points that the true box gives, `error` and `error_again`, from the truth, over labelled points.

    Raises:
        ValueError: examples without a face.
    """
    cases = [("true", 0.0), *((kind, amount) for amount in amounts for kind in ("moved", "resized", "both"))]
    sums, faces = np.zeros((len(cases), 4)), 0
    for example in examples:
        sums += [_of_case(locate, example, kind, amount, crop_box) for kind, amount in cases]
        faces += len(example["centers"])
    if not faces:
        raise ValueError("no faces: expected examples with centers, scales, points and visible")
    names = ("moved", "moved_again", "error", "error_again")
    return [
        {"kind": kind, "amount": amount, **dict(zip(names, (100 * row / faces).tolist(), strict=True))}
        for (kind, amount), row in zip(cases, sums, strict=True)
    ]


def disturbed(centers, scales, kind, amount):
    """Yields the boxes `(centers, scales)` of one kind of disturbance, see `measure`."""
    moves = [(0, 0)] if kind in ("true", "resized") else DIRECTIONS
    sizes = [1.0] if kind in ("true", "moved") else [1 + amount, 1 - amount]
    for move in moves:
        for size in sizes:
            yield centers + 200 * scales[:, None] * amount * np.array(move), scales * size


def table(rows):
    """The rows of `measure` as a Markdown table, in percent of the face's side."""
    lines = [
        "| box off by | how | points move | after a second pass | error | after a second pass |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        numbers = (f"{row[name]:.2f}" for name in ("moved", "moved_again", "error", "error_again"))
        lines.append(f"| {100 * row['amount']:.0f} % | {row['kind']} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def _of_case(locate, example, kind, amount, crop_box):
    """Sums over the faces of one picture: moved, moved again, error, error again, over the face's side."""
    image, truth, labelled = example["image"], np.asarray(example["points"]), np.asarray(example["visible"]) > 0
    centers, scales = (np.asarray(example[word], np.float64) for word in ("centers", "scales"))
    if not len(centers):
        return np.zeros(4)
    undisturbed = locate(image, centers, scales)
    found = []
    for box in disturbed(centers, scales, kind, amount):
        first = locate(image, *box)
        second = locate(image, *points_to_centers_scales(first, crop_box))
        moved = [_distance(points, undisturbed, np.ones_like(labelled)) for points in (first, second)]
        errors = [_distance(points, truth, labelled) for points in (first, second)]
        found.append(np.stack([*moved, *errors]) / (200 * scales))
    return np.mean(found, 0).sum(-1)


def _distance(points, others, counted):
    """Mean distance of every face's counted points `(n,)`; 0 where a face has none."""
    distances = np.linalg.norm(np.asarray(points, np.float64) - others, axis=-1)
    return np.sum(distances * counted, -1) / np.maximum(np.sum(counted, -1), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="of landmarks: a .keras file, checkpoint or published name")
    parser.add_argument("dataset", nargs="?", default="toytown", help="a set of faces")
    parser.add_argument("--root", help="folder of its files")
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=100, help="pictures")
    parser.add_argument("--write", action="store_true", help="write the table into docs/points.md")
    options = parser.parse_args()
    from speed import replace_between

    from hrnet_keras import datasets
    from hrnet_keras.predictor import open_predictor
    from hrnet_keras.tasks.processing import PredictOptions

    faces = {"annotation": "faces"} if options.dataset == "toytown" else {}
    dataset = datasets.load(options.dataset, options.split, options.root, **faces)
    predictor = open_predictor(options.model, PredictOptions(data=dataset.info))

    def locate(image, centers, scales):
        return predictor.predict_one(image, centers=centers, scales=scales).points

    count = min(options.limit, len(dataset))
    text = table(measure(locate, (dataset.example(i) for i in range(count)), crop_box=dataset.info.crop_box))
    print(text)
    if options.write:
        replace_between("noise", text, Path(__file__).parent.parent / "docs" / "points.md")


if __name__ == "__main__":
    main()

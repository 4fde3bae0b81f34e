"""What is true of every picture of a data set: names, colours, mirror pairs, how it is scored, where it comes from."""

import colorsys
from dataclasses import dataclass

from hrnet_keras.datasets.sides import mirror_order


@dataclass(frozen=True)
class DatasetInfo:
    """What is true of every picture of a data set.

    Raises:
        ValueError: a point or class stands in two pairs.

    Attributes:
        name: of the data set.
        class_names: in the order of the class ids.
        palette: RGB of every class, 0..255.
        ignore_label: id in a label map that is neither trained on nor scored.
        class_weights: of the training loss, or None where all count alike.
        point_names: of the `k` points of an example.
        flip_pairs: indices of points that change places when a picture is mirrored.
        edges: pairs of points joined by a line in a drawing.
        source: where the data comes from.
        terms: what it may be used for.
        label_flip_pairs: class ids that change places when a picture is mirrored (left arm, right arm), in label maps
            and of whole pictures.
        metric: how points are scored: `"nme"` (landmark), `"oks"`, `"pckh"` or `"pck"` (pose).
        normaliser: what the normalised mean error divides by: two points whose distance it is, or `"size"`, the length
            that the example states in `sizes`.
        sigmas: of every point, for object keypoint similarity.
        upper_body: points that make up the upper half of a body; the others make up the lower.
        crop_drop: of a set that states centre and scale of persons: how far below the centre the middle of their crop
            lies, in pixels per unit of scale (MPII: 15); `None`: persons are cropped by their boxes.
        stretch_first: whether the official crop of a face stretches the grey levels of a large picture before it
            shrinks it (300W, AFLW and WFLW, which the official code reads as floats; COFW it does not).
        crop_box: which box of a face its centre and scale are of: `"tight"` around the points, `"aflw"`, `"cofw"`
            (`hrnet_keras.tasks.landmark.faces.BOXES`).
        category_ids: of every class in the files and results of a set in COCO's layout; `()`: class id + 1.
    """

    name: str
    class_names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    ignore_label: int = 255
    class_weights: tuple[float, ...] | None = None
    point_names: tuple[str, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    source: str = ""
    terms: str = ""
    label_flip_pairs: tuple[tuple[int, int], ...] = ()
    metric: str = ""
    normaliser: tuple[int, int] | str = ""
    sigmas: tuple[float, ...] = ()
    upper_body: tuple[int, ...] = ()
    crop_drop: float | None = None
    stretch_first: bool = True
    crop_box: str = "tight"
    category_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for word, pairs in (("flip_pairs", self.flip_pairs), ("label_flip_pairs", self.label_flip_pairs)):
            mirror_order(None, pairs, f"data set {self.name!r}: {word}")


def distinct_colour(i: int) -> tuple[int, int, int]:
    """RGB 0..255 of class `i` where nobody chose one: hues a golden angle apart, in three strengths by turns."""
    hue, value = i * 0.618034 % 1, (0.9, 0.6, 0.75)[i % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, value)
    return round(255 * red), round(255 * green), round(255 * blue)

"""Toytown as a set of points: its faces with 68 points (as 300W's), or its figures with 17 (as COCO's)."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hrnet_keras.datasets.coco_keypoints import SIGMAS, UPPER_BODY
from hrnet_keras.datasets.dataset import Example
from hrnet_keras.datasets.face_300w import OUTER_EYE_CORNERS
from hrnet_keras.datasets.points import PointSet, centers_and_scales, own_arrays, square_box, tight_boxes
from hrnet_keras.datasets.published import published_info
from hrnet_keras.datasets.toytown.classes import PERSON
from hrnet_keras.datasets.toytown.scene import draw_scene

if TYPE_CHECKING:
    from hrnet_keras.datasets.toytown import Toytown


def open_people(town: "Toytown", annotation: str, smallest: float) -> "People":
    """The faces or figures of scenes.

    With `"faces"` someone stands close by in every scene. All points are labelled alike (1); `centers` and `scales` are
    those of the tight box around them, `boxes` the squares of both, as in 300W.

    With `"figures"` a joint is 2 where it shows, 1 where something hides it, and 0, its point (0, 0), outside the
    picture, as in COCO; `boxes` are drawn tightly around what shows. There are no `centers`, `scales` or `sizes`.

    Someone of whom less than half of the points in the picture show (faces: of whom less than half lie in the picture),
    or whose box is too small, is left out; a scene may end up with nobody.

    Args:
        town: `Toytown`.
        annotation: `"faces"` or `"figures"`.
        smallest: least length, in pixels, of a box's longer side.

    Returns:
        A `PointSet`; `annotations(i)` draws the scene when it is first asked for.

    Raises:
        ValueError: another annotation, or a `smallest` of no length.
    """
    if annotation not in ("faces", "figures"):
        raise ValueError(f"annotation={annotation!r}: expected 'objects', 'faces' or 'figures', or none")
    if not smallest >= 1:
        raise ValueError(f"smallest={smallest!r}: expected a length of 1 pixel or more")
    return People(town, annotation, smallest)


class People(PointSet):
    """Scenes with the points of the people in them."""

    per_example = (*PointSet.per_example, "scenes")

    def __init__(self, town: "Toytown", annotation: str, smallest: float) -> None:
        self.scenes = tuple((seed, town.size) for seed in town.seeds)
        self.of_faces = annotation == "faces"
        self.smallest = smallest
        if self.of_faces:
            info = replace(published_info("300w"), metric="nme", normaliser=OUTER_EYE_CORNERS)
        else:
            info = replace(published_info("coco"), class_names=(), metric="pck", sigmas=SIGMAS, upper_body=UPPER_BODY)
        info = replace(info, name="toytown", source=town.info.source, terms=town.info.terms)
        super().__init__(info, town.split, town.names, (), (), "toytown")
        self._drawn: dict[str, Example] = {}

    def annotations(self, i: int) -> Example:
        """What is known of scene `i` without its pixels, see `open_people`; drawn once and remembered."""
        name = self.names[i]
        if name not in self._drawn:
            points_of = _faces if self.of_faces else _figures
            self._drawn[name] = points_of(self._scene(i), self.scenes[i][1], self.smallest)
        return {**own_arrays(self._drawn[name]), "name": name}

    def image(self, i: int) -> np.ndarray:
        """Scene `i`, uint8 RGB `(height, width, 3)`."""
        return self._scene(i)["image"]

    def _scene(self, i: int) -> Example:
        seed, size = self.scenes[i]
        return draw_scene(seed, size, portrait=True if self.of_faces else None)


def _faces(scene: Example, size: tuple[int, int], smallest: float) -> Example:
    points = scene["faces"].astype(np.float64)
    visible = np.ones(points.shape[:2], np.int8)
    tight = tight_boxes(points, visible)
    kept = (_inside(points, size).mean(1) >= 0.5) & ((tight[:, 2:] - tight[:, :2]).max(1) >= smallest)
    centers, scales = centers_and_scales(tight[kept])
    boxes = [square_box(center, scale) for center, scale in zip(centers, scales, strict=True)]
    return {
        "points": points[kept], "visible": visible[kept], "boxes": np.array(boxes, np.float64).reshape(-1, 4),
        "centers": centers, "scales": scales,
    }  # fmt: skip


def _figures(scene: Example, size: tuple[int, int], smallest: float) -> Example:
    points = scene["points"].astype(np.float64)
    shown = scene["visible"]
    boxes = scene["boxes"][scene["labels"] == PERSON].astype(np.float64)
    inside = _inside(points, size)
    visible = np.where(shown, 2, np.where(inside, 1, 0)).astype(np.int8)
    num_inside = np.maximum(inside.sum(1), 1)
    kept = (shown.sum(1) >= 0.5 * num_inside) & inside.any(1) & ((boxes[:, 2:] - boxes[:, :2]).max(1) >= smallest)
    points = np.where(visible[..., None] > 0, points, 0.0)
    return {"points": points[kept], "visible": visible[kept], "boxes": boxes[kept]}


def _inside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Whether points `(n, k, 2)` lie in a picture of `size` `(height, width)`; bool `(n, k)`."""
    return np.all((points >= 0) & (points < np.array(size[::-1])), axis=-1)

"""Heat maps of crops -> points: what the processors of faces and persons have in common; results as files."""

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from hrnet_keras.tasks.keypoints import affine
from hrnet_keras.tasks.keypoints.spec import KeypointSpec
from hrnet_keras.tasks.processing import Arrays, only_output
from hrnet_keras.writing import whole


class HeatmapProcessor:
    """Decodes heat maps of crops, of mirrored ones too where the spec says so.

    Args:
        spec: of the model.
        decode_heatmaps: the task's `decoding.decode`.

    Attributes:
        flip: see `tasks.processing.Processor`.
    """

    def __init__(self, spec: KeypointSpec, decode_heatmaps: Callable):
        self.spec = spec
        self.decode_heatmaps = decode_heatmaps

    @property
    def flip(self) -> bool:
        return self.spec.flip

    def decode(self, raw: Arrays, mirrored: Arrays | None) -> Arrays:
        """`points` `(n, k, 2)` in pixels of the crops and `scores` `(n, k)`."""
        maps = only_output(raw)
        if mirrored is not None:
            maps = self.spec.merged(maps, only_output(mirrored))
        decoded = self.decode_heatmaps(maps, codec=self.spec.codec, input_size=self.spec.size)
        return {name: np.asarray(values) for name, values in decoded.items()}

    def affine_crops(self, image: np.ndarray, centers: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Upright crops of a picture.

        Args:
            image: uint8 RGB `(height, width, 3)`.
            centers: `(n, 2)` as (x, y).
            scales: `(n, 2)` (width, height) in units of 200 px, padded, of the aspect ratio of the input.

        Returns:
            Crops uint8 `(n, *size, 3)`, and the maps from their pixels to the picture's, float64 `(n, 2, 3)`.
        """
        steps, begins = affine.upright_maps(centers, scales * affine.UNIT, self.spec.size, unbiased=self.spec.unbiased)
        backs = np.zeros((len(centers), 2, 3))
        backs[:, 0, 0] = steps[:, 0]
        backs[:, 1, 1] = steps[:, 1]
        backs[:, :, 2] = begins
        crops = np.empty((len(centers), *self.spec.size, 3), np.uint8)
        for crop, back in zip(crops, backs, strict=True):
            crop[:] = affine.warp(image, back, self.spec.size, is_inverse=True)
        return crops, backs


def points_in_picture(points: np.ndarray, backs: np.ndarray) -> np.ndarray:
    """Points `(n, k, 2)` of crops in pixels of the picture, float64; `backs` as `affine_crops` gives them."""
    moved = [affine.transform(points_of_crop, back) for points_of_crop, back in zip(points, backs, strict=True)]
    return np.stack(moved)


def write(result: dict[str, Any], path: str, to_file: Callable | None = None) -> None:
    """Writes a result as `<path>.json`: `points`, `scores`, `boxes`, lists with an entry per face or person.

    Args:
        result: dict of arrays.
        path: of the file without its suffix; folders are made.
        to_file: of no meaning here: no data set with points has a coding of its own.

    Raises:
        ValueError: the file can't be written.
    """
    del to_file
    lists = {name: np.asarray(values).round(4).tolist() for name, values in result.items()}
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with whole(f"{path}.json") as scratch, open(scratch, "w", encoding="utf-8") as file:
            json.dump(lists, file)
    except OSError as error:
        raise ValueError(f"{path}.json: can't be written ({error.strerror or error})") from error

"""Objects found in pictures, as files."""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from hrnet_keras.tasks.results import run_lengths
from hrnet_keras.writing import whole


def write(result: dict[str, Any], path: str, to_file: Callable | None = None) -> None:
    """Writes a result as `<path>.json`: lists with an entry per object, best first.

    Args:
        result: dict with `boxes` (xyxy), `scores`, `labels`, perhaps `masks`, which are written as COCO's run lengths,
            and lists of words, such as `names`.
        path: of the file without its suffix; folders are made.
        to_file: of no meaning here: no data set with boxes has a coding of its own.

    Raises:
        ValueError: the file can't be written.
        ImportError: there are masks, and pycocotools is not installed.
    """
    del to_file
    write_json({word: _listed(word, values) for word, values in result.items()}, f"{path}.json")


def write_coco(entries: Iterable[dict[str, Any]], path: str) -> None:
    """Writes a file of results as COCO's evaluator and server take it; entries as `Objects.to_coco` makes them.

    Raises:
        ValueError: the file can't be written.
    """
    write_json(list(entries), path)


def write_json(value: Any, path: str) -> None:
    """Writes json, whole or not at all; raises `ValueError` where it can't be written."""
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with whole(path) as scratch, open(scratch, "w", encoding="utf-8") as file:
            json.dump(value, file)
    except OSError as error:
        raise ValueError(f"{path}: can't be written ({error.strerror or error})") from error


def _listed(word: str, values: Any) -> list:
    if word == "masks":
        return run_lengths(values)
    array = np.asarray(values)
    if array.dtype.kind == "f":
        array = array.astype(np.float64).round(4)  # of float32, 0.9 would be written as 0.8999999762
    return array.tolist()

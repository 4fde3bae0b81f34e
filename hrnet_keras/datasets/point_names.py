"""What the points of people's own data sets are called, and what follows from the names: mirror pairs and lines."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hrnet_keras.datasets import DataError, DatasetInfo
from hrnet_keras.datasets.matching import difference, places_in, say_nothing
from hrnet_keras.datasets.reading import FilePath
from hrnet_keras.datasets.sides import mirror_pairs as guessed_pairs
from hrnet_keras.datasets.text import read_text

KEYWORDS = {"flip": 2, "line": 2, "normaliser": 2}


def named_info(
    name: str, point_names: Sequence[str], edges: Sequence[tuple[int, int]] = (), source: str = ""
) -> DatasetInfo:
    """The `DatasetInfo` of points of these names: pairs are guessed, scores are over the longer side of the box.

    Args:
        name: of the data set.
        point_names: one per point.
        edges: pairs of indices of points to join in drawings.
        source: where the data comes from.
    """
    return DatasetInfo(
        name, point_names=tuple(point_names), flip_pairs=guessed_pairs(point_names), edges=tuple(edges), source=source,
        metric="pck", normaliser="size",
    )  # fmt: skip


def read_names(file: FilePath, info: DatasetInfo) -> DatasetInfo:
    """`info` with the points, pairs and lines that a plain file says; what it leaves out stays as it was.

    A line of one word names a point; all of them, in their order: where the csv or json names its points, too, they
    are brought into this order. `flip a b` says that points a and b change places when a picture is
    mirrored, and where there is such a line the pairs aren't guessed. `line a b` joins two points in drawings,
    `normaliser a b` makes their distance what the mean error is divided by. Lines that begin with # are comments.

    Args:
        file: its path.
        info: known already, for example from a csv's header.

    Raises:
        DataError: no text, a line of another kind, an unknown or repeated name, a point in two lines `flip`.
    """
    lines = _lines_of(file)
    names = tuple(words[0] for _, words in lines if len(words) == 1) or info.point_names
    _check_different(names, file)
    pairs: dict[str, list[tuple[int, int]]] = {keyword: [] for keyword in KEYWORDS}
    lines_of: dict[int, int] = {}
    for number, words in lines:
        if len(words) == 1:
            continue
        where = f"{file}, line {number}"
        pair = _points_of(words, names, where)
        if words[0] == "flip":
            _check_pair(pair, names, lines_of, where)
            lines_of |= dict.fromkeys(pair, number)
        pairs[words[0]].append(pair)
    normaliser = pairs["normaliser"][-1] if pairs["normaliser"] else info.normaliser
    return replace(
        info,
        point_names=names,
        flip_pairs=tuple(pairs["flip"]) or guessed_pairs(names),
        edges=tuple(pairs["line"]) or info.edges,
        normaliser=normaliser,
    )


def _check_different(names: Sequence[str], file: FilePath) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise DataError(f"{file}: names {name!r} twice: expected every point once")


def _lines_of(file: FilePath) -> list[tuple[int, list[str]]]:
    """Number and words of every line that is neither empty nor a comment."""
    lines = []
    for number, line in enumerate(read_text(file).splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            lines.append((number, words))
    return lines


def places_of(given: Sequence[str], file: Path, names: Sequence[str], names_file: Path) -> list[int]:
    """Where the points of an annotation file stand in the order of `points.txt`, a list of indices.

    Args:
        given, file: the annotation file's names, and its path.
        names, names_file: those of points.txt, and its path.

    Raises:
        DataError: another number, or other names, unless those given were made up by counting.
    """
    if len(given) != len(names):
        raise DataError(f"{names_file}: names {len(names)} points, {file} has {len(given)}")
    if say_nothing(given) or say_nothing(names):
        return list(range(len(names)))
    places = [place for place in places_in(given, names) if place is not None]
    if len(places) < len(names):
        raise DataError(f"{difference(str(names_file), names, str(file), given)}: expected the same points in both")
    return places


def _check_pair(pair: tuple[int, int], names: Sequence[str], lines_of: dict[int, int], where: str) -> None:
    """Raises `DataError` where a point of a line `flip` has one already; `lines_of`: {point: its line}."""
    for point in pair:
        if point in lines_of:
            raise DataError(
                f"{where}: {names[point]!r} changes places with another point already, by line {lines_of[point]}: "
                "expected every point in one line flip"
            )


def _points_of(line: list[str], names: Sequence[str], where: str) -> tuple[int, int]:
    keyword, *points = line
    if len(points) != KEYWORDS.get(keyword):
        raise DataError(
            f"{where}: {' '.join(line)!r}: expected the name of a point (one word), or flip, line or normaliser and "
            "two points"
        )
    unknown = [point for point in points if point not in names]
    if unknown or points[0] == points[1]:
        raise DataError(f"{where}: {' '.join(points)!r}: expected two of the points {', '.join(names)}")
    return names.index(points[0]), names.index(points[1])

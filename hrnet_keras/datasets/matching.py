"""Classes and points of two lists are the same where they are called the same, wherever they stand."""

import re
import unicodedata
from collections.abc import Callable, Sequence

SEPARATORS = re.compile(r"[\s_.-]+")
MADE_UP = re.compile(r"(?:class|label|category|point|keypoint|landmark|joint)[\s_-]*(\d+)", re.IGNORECASE)
SHOWN = 6  # names of a long list in a message


def places_in(names: Sequence[str], among: Sequence[str]) -> list[int | None]:
    """Where each of `names` stands in `among`.

    Upper and lower case, spaces, underscores, hyphens and dots make no difference (`traffic light`, `Traffic_Light`),
    unless two names of a list differ by them alone.

    Args:
        names, among: lists of names.

    Returns:
        A list of indices, as long as `names`; `None` for a name that is not in `among`.
    """
    # This also holds where a name is there twice, as "crane" is in ImageNet.
    if list(names) == list(among):
        return list(range(len(among)))
    spellings: tuple[Callable[[str], str], ...] = (_letters, _words, str)
    for spelling in spellings:
        own = [spelling(name) for name in names]
        others = [spelling(name) for name in among]
        if len(set(own)) == len(own) and len(set(others)) == len(others):
            places = {name: i for i, name in enumerate(others)}
            return [places.get(name) for name in own]
    return [None] * len(names)


def say_nothing(names: Sequence[str]) -> bool:
    """Whether names are none, or were made up by counting (`point_0`, `point_1`, ...; from 0 or from 1)."""
    matches = [match for match in map(MADE_UP.fullmatch, names) if match]
    if len(matches) < len(names):
        return False
    counted = [int(match.group(1)) for match in matches]
    return counted in (list(range(len(names))), list(range(1, len(names) + 1)))


def difference(mine: str, own: Sequence[str], yours: str, others: Sequence[str]) -> str:
    """Two lists of names in words, and what each has that the other lacks.

    Args:
        mine, yours: whose lists they are, such as "the model" and "data set 'street'".
        own, others: their names.
    """
    parts = [f"{mine} has {in_words(own)}", f"{yours} has {in_words(others)}"]
    for whose, names, among in ((mine, own, others), (yours, others, own)):
        lonely = [name for name, place in zip(names, places_in(names, among), strict=True) if place is None]
        if lonely and len(lonely) < len(names):
            parts.append(f"only {whose} has {in_words(lonely)}")
    return "; ".join(parts)


def in_words(names: Sequence[str]) -> str:
    """Names with commas between them; of a long list the first, and how many there are."""
    if len(names) <= SHOWN:
        return ", ".join(names) or "none"
    return f"{', '.join(names[:SHOWN])}, ... ({len(names)} in all)"


def _words(name: str) -> str:
    return SEPARATORS.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


def _letters(name: str) -> str:
    return _words(name).replace(" ", "")

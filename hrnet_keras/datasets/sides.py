"""Left and right in the names of points and classes: which of them change places when a picture is mirrored."""

import re
from collections.abc import Callable, Iterable, Sequence

OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}
GLUED = re.compile("left|right", re.IGNORECASE)
LEAST_REST = 2  # letters beside a glued side: "topright" has one, "bright" none
MANY_LETTERS = 4  # single letters, other than l and r, from which on a letter is a letter and no side
# Runs of capitals before a capitalised word (the L of LEye), words, runs of letters of other scripts.
WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_]+")


def mirror_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pairs of indices whose names are each other with left and right exchanged, everywhere in the name.

    `left_eye`, `LeftEye`, `eye.L`, `l eye`, `EYE-LEFT` and `lefteye` all have a side. Sides are exchanged wherever they
    stand, since a mirror does so: the partner of `LeftEyeRightCorner` is `RightEyeLeftCorner`. A lone l or r is a side
    unless many letters stand in its place in the other names (an alphabet).

    Args:
        names: a list of different names.

    Returns:
        Tuple of pairs, each name in one at most, the one whose first side is left in front; in the order of the names.

    Example:
        >>> mirror_pairs(("nose", "left_eye", "right_eye"))
        ((1, 2),)
    """
    partners = [_partner(name, names) for name in names]
    pairs = []
    for i, other in enumerate(partners):
        if other is not None and partners[other] == i and _begins_left(names[i]) and other != i:
            pairs.append((i, other))
    return tuple(pairs)


def without_partner(names: Sequence[str], pairs: Iterable[Sequence[int]]) -> list[str]:
    """Names with left or right in them, as a word, that stand in none of the `pairs` of indices.

    What they name has a side, but nothing is called as it would be in a mirrored picture.
    """
    paired = {i for pair in pairs for i in pair}
    return [name for i, name in enumerate(names) if i not in paired and _has_side(name, names)]


def mirror_order(count: int | None, pairs: Sequence[Sequence[int]], what: str = "flip_pairs") -> list[int]:
    """Which of `count` things stands where after those of every pair changed places: a list of indices.

    Args:
        count: of points or classes; `None`: as many as the pairs need.
        pairs: of indices; a pair may be given twice, also the other way round.
        what: the word for the pairs, for messages.

    Raises:
        ValueError: a pair names what there isn't, or something stands in two pairs.
    """
    if count is None:
        count = 1 + max((max(pair) for pair in pairs), default=-1)
    order = list(range(count))
    for a, b in pairs:
        if not 0 <= min(a, b) <= max(a, b) < count:
            raise ValueError(f"{what} names points {a} and {b}: expected 0..{count - 1}")
        for one, other in ((a, b), (b, a)):
            if order[one] not in (one, other):
                raise ValueError(
                    f"{what}: {one} is paired with {order[one]} and with {other}: expected every one in one pair"
                )
        order[a] = b
        order[b] = a
    return order


def _partner(name: str, names: Sequence[str]) -> int | None:
    """The index of the name with its sides exchanged, spelt alike or else in another case or with other separators."""

    def other(word: re.Match) -> str:
        if _is_letter(word, names):
            return word.group()
        return _other_word(word.group())

    mirrored = WORDS.sub(other, name)
    if mirrored == name:
        return None
    spellings: tuple[Callable[[str], str], ...] = (str, str.casefold, _letters)
    for spelling in spellings:
        partners = [i for i, candidate in enumerate(names) if spelling(candidate) == spelling(mirrored)]
        if len(partners) == 1:
            return partners[0]
    return None


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _other_word(word: str) -> str:
    """The word with its sides exchanged, in its own case; as it is where it has none."""
    if word.lower() in OTHER_SIDE:
        return _in_case_of(OTHER_SIDE[word.lower()], word)
    if len(GLUED.sub("", word)) < LEAST_REST:
        return word
    return GLUED.sub(lambda side: _in_case_of(OTHER_SIDE[side.group().lower()], side.group()), word)


def _in_case_of(new: str, old: str) -> str:
    if old.isupper():
        return new.upper()
    if old[:1].isupper():
        return new.capitalize()
    return new


def _is_letter(word: re.Match, names: Sequence[str]) -> bool:
    """Whether a matched word is a lone l or r, and one of many letters in this place of the names."""
    if word.group().lower() not in ("l", "r"):
        return False
    before = word.string[: word.start()].lower()
    after = word.string[word.end() :].lower()
    letters = set()
    for low in map(str.lower, names):
        middle = low[len(before) : len(low) - len(after)]
        if len(middle) == 1 and middle.isalpha() and low == before + middle + after:
            letters.add(middle)
    return len(letters - {"l", "r"}) > MANY_LETTERS


def _begins_left(name: str) -> bool:
    """Whether the first side in a name is left."""
    for word in WORDS.findall(name):
        if word.lower() in OTHER_SIDE:
            return word.lower() in ("left", "l")
        side = GLUED.search(word)
        if side and len(GLUED.sub("", word)) >= LEAST_REST:
            return side.group().lower() == "left"
    return False


def _has_side(name: str, names: Sequence[str]) -> bool:
    words = list(WORDS.finditer(name))
    outer = [word.group().lower() for word in (*words[:1], *words[-1:]) if not _is_letter(word, names)]
    return any(word.group().lower() in ("left", "right") for word in words) or "l" in outer or "r" in outer

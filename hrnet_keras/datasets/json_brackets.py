"""Where the entries of a list of json objects begin and end, found by its brackets and quotes alone."""

from dataclasses import dataclass

import numpy as np

QUOTE, BACKSLASH = 0x22, 0x5C
OPENING, CLOSING = 0x02, 0x04  # bits that "[" and "{", or "]" and "}", alone have
KEPT_DEPTH = 2  # an entry's own brackets are 1, those of its lists and objects 2; of deeper ones nothing is kept


@dataclass(frozen=True)
class Brackets:
    """Where entries of a list begin and end in a part of its text, and what lies too deep in them.

    Attributes:
        begins, ends: int64 `(n,)`: of whole entries; the byte after the last for ends.
        holes: int64 `(m, 2)`: ranges of bytes that lie too deep.
        closed: where the list itself ends, or None: in a later part.
    """

    begins: np.ndarray
    ends: np.ndarray
    holes: np.ndarray
    closed: int | None

    def shallow(self, part: bytes) -> bytes:
        """The text of the entries without the holes."""
        view = memoryview(part)
        begins = [0, *self.holes[:, 1].tolist()]
        ends = [*self.holes[:, 0].tolist(), int(self.ends[-1])]
        return b"".join([view[begin:end] for begin, end in zip(begins, ends, strict=True)])


def brackets_in(part: bytes) -> Brackets:
    """Reads the inside of a list, from behind its bracket or behind an entry."""
    positions, opens = _outside_strings(part)
    depth = np.cumsum(np.where(opens, 1, -1).astype(np.int8), dtype=np.int32)
    closing = np.flatnonzero(depth < 0)
    closed = None
    if closing.size:
        closed = int(positions[closing[0]])
        positions, opens, depth = (array[: closing[0]] for array in (positions, opens, depth))
    ends = np.flatnonzero(~opens & (depth == 0))
    whole = int(ends[-1]) + 1 if ends.size else 0
    positions, opens, depth = (array[:whole] for array in (positions, opens, depth))
    hole_begins = positions[opens & (depth == KEPT_DEPTH + 1)] + 1
    hole_ends = positions[~opens & (depth == KEPT_DEPTH)]
    return Brackets(
        positions[opens & (depth == 1)], positions[~opens & (depth == 0)] + 1,
        np.stack([hole_begins, hole_ends], axis=1), closed,
    )  # fmt: skip


def _outside_strings(part: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Positions of brackets that stand in no string, int64 `(n,)`, and whether each opens, bool `(n,)`."""
    text = np.frombuffer(part, np.uint8)
    # With this bit set, "[", "\\" and "]" are "{", "|" and "}", which are three neighbours.
    marked = (text | np.uint8(0x20)) - np.uint8(0x7B) <= 2
    marked |= text == QUOTE
    positions = np.flatnonzero(marked)
    characters = text[positions]
    quotes = characters == QUOTE
    backslashes = positions[characters == BACKSLASH]
    if backslashes.size:
        quotes &= ~np.isin(positions, _escaped(backslashes), assume_unique=True)
    count = np.cumsum(quotes)
    is_bracket = (characters & (OPENING | CLOSING) != 0) & (characters | 0x20 != 0x7C) & (characters != QUOTE)
    is_bracket &= count % 2 == 0
    return positions[is_bracket], characters[is_bracket] & OPENING != 0


def _escaped(backslashes: np.ndarray) -> np.ndarray:
    """Positions behind a backslash that is not itself behind one, and so on."""
    begins_run = np.diff(backslashes, prepend=-2) > 1
    run_begin = backslashes[begins_run][np.cumsum(begins_run) - 1]
    escapes = (backslashes - run_begin) % 2 == 0
    return backslashes[escapes] + 1

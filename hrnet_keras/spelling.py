"""What a user most likely meant by a misspelt name."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """`"did you mean 'x'?"`, or the whole list where no name is near; the end of a message about an unknown name."""
    words = list(words)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean {near}?"
    if not words:
        return "there are none"
    return f"expected one of {', '.join(words)}"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The name that is spelt most like `word`; `None` where none is near."""
    by_spelling = {_plain(name): name for name in words}
    matches = difflib.get_close_matches(_plain(word), by_spelling, n=1, cutoff=0.7)
    return by_spelling[matches[0]] if matches else None


def _plain(word):
    return str(word).lower().replace("-", "_")

"""What a user most likely meant by a misspelt name."""

import difflib


def did_you_mean(word, words):
    """`"did you mean 'x'?"`, or the whole list where no name is near; the end of a message about an unknown name."""
    words = list(words)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean {near}?"
    return f"expected one of {', '.join(words)}" if words else "there are none"


def nearest(word, words):
    """The name that is spelt most like `word`; `None` where none is near."""
    plain = {_plain(name): name for name in words}
    found = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else None


def _plain(word):
    return str(word).lower().replace("-", "_")

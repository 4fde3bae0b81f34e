"""Values as people write them, in YAML files and on command lines: read by kind, refused in plain words."""

import math
import numbers
import os
import re
import types
from typing import Any, Literal, Union, get_args, get_origin

import yaml

NOUNS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", dict: "{name: value, ...}"}
PLURALS = {int: "whole numbers", float: "numbers", str: "words"}
COUNTS = {2: "two", 3: "three", 4: "four"}


class _NotFiniteError(ValueError):
    """NaN or an infinity, which YAML writes as .nan and .inf."""


def in_words(kind: Any, parts: str = "") -> str:
    """A kind of value as a reader of a message knows it.

    Args:
        kind: `int`, `float`, `bool`, `str`, `dict`, `Any`, a `Literal`, tuple, list or dict of these, or one of them or
            `None`.
        parts: what the places of a tuple hold, such as `"height, width"`.
    """
    inner, takes_none = _without_none(kind)
    return f"{_in_words(inner, parts)} or null" if takes_none else _in_words(inner, parts)


def _in_words(kind, parts):
    origin = get_origin(kind)
    inner = get_args(kind)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is tuple:
        count = f"{COUNTS.get(len(inner), len(inner))} {PLURALS[inner[0]]}"
        return f"{count} ({parts})" if parts else count
    if origin is list:
        if get_origin(inner[0]) is tuple:
            return f"a list of [{_in_words(inner[0], parts)}]"
        return f"a list of {PLURALS[inner[0]]}"
    if origin is dict and inner[1] is not Any:
        return "{name: number, ...}"
    return NOUNS.get(origin or kind, "a value")


def read_value(value: Any, kind: Any, name: str, parts: str = "") -> Any:
    """A value of the asked kind, from what a YAML file or a Python caller gave.

    Args:
        value: anything.
        kind, parts: as in `in_words`.
        name: of the value, for messages.

    Raises:
        ValueError: another kind, or a number that is not finite.
    """
    inner, takes_none = _without_none(kind)
    if value is None and takes_none:
        return None
    try:
        return _read(value, inner)
    except (TypeError, ValueError) as error:
        expected = in_words(kind, parts)
        given = shown(value)
        hint = ""
        if isinstance(error, _NotFiniteError):
            expected = "finite numbers"
        if isinstance(value, str):
            given = repr(value)
        if inner is str and isinstance(value, numbers.Real):
            hint = ": put it in quotes"
        raise ValueError(f"{name}: expected {expected}, given {given}{hint}") from None


def read_text(text: str, kind: Any, name: str, parts: str = "") -> Any:
    """A value of the asked kind, from a word of a command line: text as it stands, anything else as in YAML."""
    inner, takes_none = _without_none(kind)
    if inner is str:
        return None if takes_none and text == "null" else text
    try:
        value = load_yaml(text)
    except ValueError:
        value = text
    if value is None and not takes_none:
        value = text
    return read_value(value, kind, name, parts)


def _read(value, kind):
    """`value` as this kind; raises `TypeError` or `ValueError` where it is none."""
    origin = get_origin(kind) or kind
    inner = get_args(kind)
    if origin is Literal:
        return inner[inner.index(value)]
    if origin in (tuple, list):
        return _read_sequence(value, origin, inner)
    if origin is dict:
        of = inner[1] if inner else Any
        return {_read_name(name): _read(one, of) for name, one in _checked(value, dict).items()}
    return _SCALARS[origin](value)


def _read_sequence(value, origin, kinds):
    if isinstance(value, str) or not hasattr(value, "__len__"):
        raise TypeError
    if origin is tuple and len(value) != len(kinds):
        raise ValueError
    if origin is list:
        kinds = kinds * len(value)
    return origin(_read(one, of) for one, of in zip(value, kinds, strict=True))


def _read_name(name):
    return str(_checked(name, (str, int)))


def _read_whole(value):
    if isinstance(value, bool):
        raise TypeError
    return int(_checked(value, numbers.Integral))


def _read_number(value):
    if isinstance(value, bool):
        raise TypeError
    number = float(_checked(value, numbers.Real))
    if not math.isfinite(number):
        raise _NotFiniteError
    return number


def _read_text(value):
    return os.fspath(value)  # text, or a path


def _read_any(value):
    """Whatever it is, without numbers that are not finite, at any depth."""
    if isinstance(value, numbers.Real) and not math.isfinite(value):
        raise _NotFiniteError
    if isinstance(value, dict):
        return {_read_name(name): _read_any(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_read_any(one) for one in value)
    return value


def _read_bool(value):
    return _checked(value, bool)


_SCALARS = {
    int: _read_whole, float: _read_number, bool: _read_bool, str: _read_text, Any: _read_any,
}  # fmt: skip


def _checked(value, kinds):
    if not isinstance(value, kinds):
        raise TypeError
    return value


def _without_none(kind):
    """The kind without the choice of `None`, and whether that was one."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind, False
    (inner,) = (one for one in get_args(kind) if one is not types.NoneType)
    return inner, True


def shown(value: Any) -> str:
    """A value as YAML would write it, cut where it is long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        value = list(value)
    text = repr(value) if isinstance(value, list | dict) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class _Loader(yaml.SafeLoader):
    """YAML in which a key stands once in its mapping, and `1e-3` is a number (YAML 1.1 wants `1.0e-3`)."""

    def construct_mapping(self, node, deep=False):
        first = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and first.setdefault(key.value, key) is not key:
                before = first[key.value].start_mark.line + 1
                raise ValueError(f"line {line}: {key.value} is given twice, first in line {before}")
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def load_yaml(text: str | bytes) -> Any:
    """What a YAML text or its bytes say.

    Raises:
        ValueError: not YAML, or a key twice in one mapping; says the line.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{place}{', '.join(filter(None, (error.context, error.problem)))}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"parsing failed: {' '.join(str(error).split())}") from None

"""The keys of a recipe: dotted names (`train.epochs`), where their values come from, and what is wrong with them."""

import os
import re
import textwrap
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import get_origin

from hrnet_keras.recipe.values import in_words, load_yaml, read_text, read_value, shown
from hrnet_keras.spelling import nearest

_BESIDE = Path(__file__).parents[1]  # in the package a link to the folder at the top, which not every system keeps
SHIPPED = next((top / "recipes" for top in (_BESIDE, _BESIDE.parent) if (top / "recipes").is_dir()), _BESIDE)


def keys_of(cls):
    """`{"section.key": dataclass field}` of a dataclass of dataclasses; plain fields have no section."""
    found = {}
    for one in fields(cls):
        if is_dataclass(one.type):
            found |= {f"{one.name}.{inner.name}": inner for inner in fields(one.type)}
        else:
            found[one.name] = one
    return found


def sections_of(cls):
    """`{name: dataclass}` of a recipe's sections."""
    return {one.name: one.type for one in fields(cls) if is_dataclass(one.type)}


def flat(cls, mapping):
    """Sections within sections as one dict with dotted keys.

    Args:
        cls: the recipe's dataclass.
        mapping: what a file or a caller said, such as `{"train": {"epochs": 3}, "data.root": "/data"}`.

    Raises:
        ValueError: an unknown key (with the nearest one), a section that holds no keys, a key in both ways.
    """
    keys, sections, found = keys_of(cls), sections_of(cls), {}
    for name, value in mapping.items():
        if name in sections:
            if not isinstance(value, dict | None):
                raise ValueError(f"{name}: expected keys and values, given {value!r}")
            pairs = {f"{name}.{key}": one for key, one in (value or {}).items()}
        else:
            pairs = {str(name): value}
        for key, one in pairs.items():
            if key not in keys:
                raise ValueError(f"{key}: no such key: {_suggestion(key, keys, sections)}")
            if key in found:
                raise ValueError(f"{key} is given twice")
            found[key] = one
    return found


def find_recipe(name):
    """The file that a recipe is read from.

    Args:
        name: path of a file, or the name of a recipe that comes with the package, with or without `.yaml`: its place
            among them (`seg/camvid_hrnetv2_w18_small_v1`, also as `recipes/seg/...`), or its last part alone.

    Raises:
        ValueError: there is neither; says the nearest name.
    """
    if os.path.isfile(name):
        return name
    shipped = {file.relative_to(SHIPPED).with_suffix("").as_posix(): str(file) for file in SHIPPED.glob("*/*.yaml")}
    asked = name.removeprefix("recipes/").removesuffix(".yaml")
    last_parts = [place for place in shipped if place.rpartition("/")[2] == asked]
    if asked not in shipped and len(last_parts) == 1:
        asked = last_parts[0]
    if asked in shipped:
        return shipped[asked]
    near = nearest(asked, shipped)
    hint = (
        f": did you mean {near}?" if near else " nor one of the package's recipes, such as folder_hrnetv2_w18_small_v1"
    )
    raise ValueError(f"recipe {name}: no such file{hint}")


def read_file(cls, path):
    """What a YAML file says, with dotted keys; raises `ValueError` where it can't be read or has unknown keys."""
    path = os.fspath(path)
    file = find_recipe(path)
    try:
        with open(file, "rb") as file:
            said = load_yaml(file.read())
        if not isinstance(said, dict):
            raise ValueError(f"expected the sections {', '.join(sections_of(cls))}")
        return flat(cls, said)
    except ValueError as error:
        raise ValueError(f"recipe {path}: {error}") from None
    except OSError as error:
        raise ValueError(f"recipe {path}: {error.strerror}") from None


def read_words(cls, words):
    """What the words of a command line say: `--recipe FILE`, `--section.key VALUE` or `--section.key=VALUE`.

    Returns:
        Values by dotted key; options replace what the file says.

    Raises:
        ValueError: unknown option (with the nearest one), a missing value, a word too many, another kind of value.
    """
    keys, said, given = keys_of(cls), {}, {}
    for name, text in _options(words):
        key, _, inner = _split(name, keys)
        if name == "recipe":
            said = read_file(cls, text)
        elif key is None:
            raise ValueError(f"--{name}: no such option: {_suggestion(name, keys, sections_of(cls), '--')}")
        elif inner:  # one entry of a dict, such as data.options.count
            given[key] = {**(given.get(key) or said.get(key) or {}), inner: load_yaml(text)}
        else:
            given[key] = read_text(text, keys[key].type, f"--{name}", keys[key].metadata.get("parts", ""))
    return said | given


def _options(words):
    """The pairs `(name, text)` of command-line words."""
    words = list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            raise ValueError(f"{word!r} is one word too many: expected --section.key VALUE")
        name, equals, text = word[2:].partition("=")
        if not equals:
            if not words or re.match(r"--[a-z]", words[0]):
                raise ValueError(f"--{name}: expected a value behind it")
            text = words.pop(0)
        yield name, text


def _split(name, keys):
    """The key that an option names, and the entry of its dict where it goes on (`data.options.count`)."""
    if name in keys:
        return name, "", ""
    key, dot, inner = name.rpartition(".")
    if key in keys and get_origin(keys[key].type) is dict:
        return key, dot, inner
    return None, "", ""


def _suggestion(name, keys, sections, prefix=""):
    """What was meant by an unknown key: the nearest of its section, else of all, else what there is."""
    section, _, last = name.rpartition(".")
    section = nearest(section, sections) if section else None
    inside = {key.rpartition(".")[2]: key for key in keys if section and key.startswith(f"{section}.")}
    everywhere = {key.rpartition(".")[2]: key for key in [*keys, *sections]}
    for names in (inside, everywhere):
        near = nearest(last, names)
        if near is not None:
            return f"did you mean {prefix}{names[near]}?"
    choices = inside.values() or [*sections, *(key for key in keys if "." not in key)]
    return f"expected one of {', '.join(prefix + key for key in choices)}"


def set_values(cls, values):
    """The recipe with these values by dotted key, the rest at their defaults.

    Raises:
        ValueError: a value of another kind, or one that has no default is missing.
    """
    keys, parts = keys_of(cls), {name: {} for name in sections_of(cls)}
    own = {}
    for key, value in values.items():
        one = keys[key]
        section, _, name = key.rpartition(".")
        (parts[section] if section else own)[name] = read_value(value, one.type, key, one.metadata.get("parts", ""))
    for key, one in keys.items():
        if one.default is MISSING and one.default_factory is MISSING and key not in values:
            raise ValueError(f"{key} is missing: expected {in_words(one.type)}")
    return cls(**{name: kind(**parts[name]) for name, kind in sections_of(cls).items()}, **own)


def describe(cls):
    """Every key with its kind, meaning and default, as text for `--help`; meanings come from the docstrings."""
    lines = []
    own = {one.name: one for one in fields(cls) if not is_dataclass(one.type)}
    lines += _describe(own, _meanings(cls), "")
    for section, kind in sections_of(cls).items():
        lines += ["", f"{section}: {kind.__doc__.splitlines()[0]}"]
        lines += _describe({one.name: one for one in fields(kind)}, _meanings(kind), f"{section}.")
    return "\n".join(lines)


def _describe(named, meanings, prefix):
    lines = []
    for name, one in named.items():
        lines.append(f"  --{prefix}{name}  {in_words(one.type, one.metadata.get('parts', ''))}{_default(one)}")
        lines += textwrap.wrap(meanings[name], 110, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return lines


def _default(one):
    if one.default is MISSING:
        return "" if one.default_factory is not MISSING else " (must be given)"
    return "" if one.default is None else f" (default: {shown(one.default)})"


def _meanings(cls):
    """`{argument: what it means}` from a docstring's `Args:`."""
    text = textwrap.dedent(cls.__doc__.split("Args:")[1])
    found = re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", textwrap.indent(textwrap.dedent(text), "    "), re.S | re.M)
    return {name: " ".join(meaning.split()) for name, meaning in found}

"""The keys of a recipe: dotted names (`train.epochs`), where their values come from, and what is wrong with them."""

import os
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_origin

from hrnet_keras.docstrings import argument_texts
from hrnet_keras.recipe.renamed import new_key, new_value
from hrnet_keras.recipe.values import in_words, load_yaml, read_text, read_value, shown
from hrnet_keras.spelling import nearest
from hrnet_keras.tasks import DEFAULT_TASK, TASKS, Task, task_named

_BESIDE = Path(__file__).parents[1]  # in the package a link to the folder at the top, which not every system keeps
SHIPPED = next((top / "recipes" for top in (_BESIDE, _BESIDE.parent) if (top / "recipes").is_dir()), _BESIDE)


def sections_of(cls: type, task: Task) -> dict[str, type]:
    """`{name: dataclass}` of a recipe's sections; those that are the task's own are taken from it."""
    sections = {}
    for part in fields(cls):
        if part.metadata.get("of_task"):
            sections[part.name] = getattr(task, part.name)
        elif is_dataclass(part.type):
            sections[part.name] = part.type
    return sections


def keys_of(cls: type, task: Task) -> dict[str, Field]:
    """`{"section.key": dataclass field}` of a recipe for a task; what stands in no section has no dot."""
    keys = {}
    sections = sections_of(cls, task)
    for part in fields(cls):
        if part.name not in sections:
            keys[part.name] = part
            continue
        for inner in fields(sections[part.name]):
            keys[f"{part.name}.{inner.name}"] = inner
    return keys


def keys_of_all_tasks(cls: type) -> dict[str, Field]:
    """As `keys_of`, of every task; the fields of a key that several have are of one kind."""
    keys: dict[str, Field] = {}
    for task in TASKS.values():
        keys = keys_of(cls, task) | keys
    return keys


def flatten(cls: type, said: dict[str, Any]) -> dict[str, Any]:
    """Sections within sections as one dict with dotted keys, under the names that somebody wrote.

    Args:
        cls: the recipe's dataclass.
        said: what a file or a caller said, such as `{"train": {"epochs": 3}, "data.root": "/data"}`.

    Raises:
        ValueError: a section that holds no keys, a key in both ways.
    """
    flat: dict[str, Any] = {}
    sections = sections_of(cls, TASKS[DEFAULT_TASK])
    for name, value in said.items():
        pairs = {str(name): value}
        if name in sections:
            if not isinstance(value, dict | None):
                raise ValueError(f"{name}: expected keys and values, given {value!r}")
            pairs = {f"{name}.{key}": inner for key, inner in (value or {}).items()}
        for key, inner in pairs.items():
            if key in flat:
                raise ValueError(f"{key} is given twice")
            flat[key] = inner
    return flat


def translated(
    cls: type, said: dict[str, Any], task: Task, *, of_run: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """Values under the names that keys have now.

    Old keys of other tasks are left out where they have their default.

    Args:
        cls: the recipe's dataclass.
        said: values by dotted key, old or new.
        task: whose recipe it is.
        of_run: a run was trained by it: an old key of another task had no effect there, whatever its value.

    Returns:
        Values by dotted key of this task, and `{old key: new key}` of those that were renamed.

    Raises:
        ValueError: an unknown key (with the nearest one), one of another task, an old and a new name of one key.
    """
    keys = keys_of(cls, task)
    everywhere = keys_of_all_tasks(cls)
    values: dict[str, Any] = {}
    spelling: dict[str, str] = {}
    for name, value in said.items():
        key = new_key(name, keys)
        if key in spelling:
            raise ValueError(f"{name} and {spelling[key]} are one key: leave the old name out")
        if key not in keys:
            # Old recipes for one task held keys of the others, too.
            if key != name and (of_run or _is_default(value, everywhere[key])):
                continue
            raise ValueError(f"{name}{_unknown(key, keys, everywhere, task)}")
        spelling[key] = name
        values[key] = new_value(key, value)
        if (name, value) == ("train.loss", None):  # once meant: the task's own
            values[key] = keys[key].default
    return values, {name: key for key, name in spelling.items() if name != key}


def _is_default(value: Any, field: Field) -> bool:
    try:
        return read_value(value, field.type, field.name) == field.default
    except ValueError:
        return False


def _unknown(key: str, keys: dict[str, Field], everywhere: dict[str, Field], task: Task, prefix: str = "") -> str:
    """What is wrong with a key that a task does not have, as the end of a message."""
    if key not in everywhere:
        return f": no such {'option' if prefix else 'key'}: {_suggestion(key, keys, prefix)}"
    section = key.partition(".")[0]
    choices = [f"{prefix}{one}" for one in keys if one.startswith(f"{section}.")]
    return f" does not belong to task {task.name!r}: expected {', '.join(choices)}"


def find_recipe(name: str) -> str:
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
    same_end = [place for place in shipped if place.rpartition("/")[2] == asked]
    if asked not in shipped and len(same_end) == 1:
        asked = same_end[0]
    if asked in shipped:
        return shipped[asked]
    near = nearest(asked, shipped)
    hint = " nor one of the package's recipes, such as folder_hrnetv2_w18_small_v1"
    if near is not None:
        hint = f": did you mean {near}?"
    raise ValueError(f"recipe {name}: no such file{hint}")


def read_file(cls: type, path: "str | os.PathLike[str]") -> dict[str, Any]:
    """What a YAML file says, as it stands there; raises `ValueError` where it can't be read or holds no sections."""
    path = os.fspath(path)
    file = find_recipe(path)
    try:
        with open(file, "rb") as opened:
            said = load_yaml(opened.read())
    except ValueError as error:
        raise ValueError(f"recipe {path}: {error}") from None
    except OSError as error:
        raise ValueError(f"recipe {path}: {error.strerror}") from None
    if not isinstance(said, dict):
        sections = ", ".join(sections_of(cls, TASKS[DEFAULT_TASK]))
        raise ValueError(f"recipe {path}: expected the sections {sections}")
    return said


def read_words(cls: type, words: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the words of a command line say: `--recipe FILE`, `--section.key VALUE` or `--section.key=VALUE`.

    Returns:
        What the file says, as it stands there, and the options' values by the dotted keys that were written.

    Raises:
        ValueError: unknown option (with the nearest one), a missing value, a word too many, another kind of value.
    """
    options = list(_options(words))
    said: dict[str, Any] = {}
    for name, text in options:
        if name == "recipe":
            said = read_file(cls, text)
    file_values = flatten(cls, said)
    task = task_named(dict(options).get("model.task", file_values.get("model.task", DEFAULT_TASK)))
    keys = keys_of(cls, task)
    file_values = {new_key(name, keys): value for name, value in file_values.items()}
    given: dict[str, Any] = {}
    for name, text in options:
        if name == "recipe":
            continue
        written, entry = _split(name, keys)
        key = new_key(written, keys)
        if key not in keys:
            raise ValueError(f"--{name}{_unknown(key, keys, keys_of_all_tasks(cls), task, '--')}")
        if entry:  # one of a dict, such as data.options.count
            given[written] = {**(given.get(written) or file_values.get(key) or {}), entry: load_yaml(text)}
        elif (written, text) == ("train.loss", "null"):  # the new name of the key can't be null
            given[written] = None
        else:
            parts = keys[key].metadata.get("parts", "")
            given[written] = read_text(new_value(key, text), keys[key].type, f"--{name}", parts)
    return said, given


def _options(words: Iterable[str]) -> Iterator[tuple[str, str]]:
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


def _split(name: str, keys: dict[str, Field]) -> tuple[str, str]:
    """The key that an option names, and the entry of its dict where it goes on (`data.options.count`)."""
    if new_key(name, keys) in keys:
        return name, ""
    head, _, entry = name.rpartition(".")
    field = keys.get(new_key(head, keys))
    if field is not None and get_origin(field.type) is dict:
        return head, entry
    return name, ""


def _suggestion(key: str, keys: dict[str, Field], prefix: str = "") -> str:
    """What was meant by an unknown key: the nearest of its section, else of all, else what there is."""
    sections = list(dict.fromkeys(one.partition(".")[0] for one in keys))
    given, _, last = key.rpartition(".")
    section = nearest(given, sections)
    inside = {one.rpartition(".")[2]: one for one in keys if section and one.startswith(f"{section}.")}
    everywhere = {one.rpartition(".")[2]: one for one in [*keys, *sections]}
    for names in (inside, everywhere):
        near = nearest(last, names)
        if near is not None:
            return f"did you mean {prefix}{names[near]}?"
    choices = inside.values() or sections
    return f"expected one of {', '.join(prefix + one for one in choices)}"


def set_values(cls: type, values: dict[str, Any], task: Task) -> Any:
    """The recipe with these values by dotted key, the rest at their defaults.

    Raises:
        ValueError: a value of another kind, or one that has no default is missing.
    """
    sections = sections_of(cls, task)
    keys = keys_of(cls, task)
    arguments: dict[str, dict[str, Any]] = {name: {} for name in ("", *sections)}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        field = keys[key]
        arguments[section][name] = read_value(value, field.type, key, field.metadata.get("parts", ""))
    for key, field in keys.items():
        if key not in values and _must_be_given(field):
            raise ValueError(f"{key} is missing: expected {in_words(field.type)}")
    made = {name: kind(**arguments[name]) for name, kind in sections.items()}
    return cls(**made, **arguments[""])


def _must_be_given(field: Field) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def describe(cls: type) -> str:
    """Every key with its kind, meaning and default, as text for `--help`; meanings come from the docstrings."""
    plain = [part for part in fields(cls) if part.name not in sections_of(cls, TASKS[DEFAULT_TASK])]
    lines = _describe(plain, _meanings(cls), "")
    of_task = [part.name for part in fields(cls) if part.metadata.get("of_task")]
    for name, kind in sections_of(cls, TASKS[DEFAULT_TASK]).items():
        if name not in of_task:
            lines += _describe_section(name, kind)
    for task in TASKS.values():
        lines += ["", f"for task {task.name}:"]
        for name in of_task:
            lines += _describe_section(name, getattr(task, name))
    return "\n".join(lines)


def _describe_section(name: str, kind: type) -> list[str]:
    summary, _, _ = (kind.__doc__ or "").partition("\n")
    return ["", f"{name}: {summary}", *_describe(fields(kind), _meanings(kind), f"{name}.")]


def _describe(described: Iterable[Field], meanings: dict[str, str], prefix: str) -> list[str]:
    lines = []
    for field in described:
        kind = in_words(field.type, field.metadata.get("parts", ""))
        lines.append(f"  --{prefix}{field.name}  {kind}{_default(field)}")
        indent = " " * 8
        lines += textwrap.wrap(meanings[field.name], 110, initial_indent=indent, subsequent_indent=indent)
    return lines


def _default(field: Field) -> str:
    if _must_be_given(field):
        return " (must be given)"
    if field.default is MISSING or field.default is None:
        return ""
    return f" (default: {shown(field.default)})"


def _meanings(cls: type) -> dict[str, str]:
    """`{argument: what it means}` from the docstrings of a class and of those that it inherits from."""
    meanings: dict[str, str] = {}
    for kind in cls.__mro__:
        meanings = argument_texts(kind.__doc__ or "") | meanings
    return meanings

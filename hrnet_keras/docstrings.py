"""What a function's signature and docstring say, read from its source without importing it."""

import ast
import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any, NamedTuple

# The types in signatures that an option of a command can have; any other argument is text on a command line.
KINDS = {
    "str": str, "int": int, "float": float, "bool": bool, "dict[str, Any]": dict, "tuple[int, int]": tuple[int, int],
}  # fmt: skip


class Argument(NamedTuple):
    """One argument of a function.

    Attributes:
        kind: its type.
        is_switch: whether it is `False` where nothing is said.
        text: what the docstring says of it, on one line and in plain words.
    """

    kind: Any
    is_switch: bool
    text: str


class Verb(NamedTuple):
    """A function: the first sentence of its docstring, and its arguments by name."""

    summary: str
    arguments: dict[str, Argument]


def argument_texts(docstring: str) -> dict[str, str]:
    """`{argument: what it means}` from the `Args:` of a docstring, every text on one line."""
    _, _, rest = inspect.cleandoc(docstring).partition("Args:\n")
    section = re.split(r"^\S", rest, maxsplit=1, flags=re.M)[0]
    entries = re.findall(r"^    (\w[\w, ]*): (.*?)(?=^    \S|\Z)", section, re.S | re.M)
    return {name: " ".join(text.split()) for names, text in entries for name in names.split(", ")}


def verb_of(function: str) -> Verb:
    """What the source of a function says; it is not imported, as that would load TensorFlow.

    Args:
        function: where it is defined, such as `"hrnet_keras.converting.convert"`.

    Raises:
        LookupError: there is no such function.
    """
    module, _, name = function.rpartition(".")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"no module {module}")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _verb_of(node)
    raise LookupError(f"{module} has no function {name}")


def _verb_of(node):
    docstring = ast.get_docstring(node) or ""
    texts = argument_texts(docstring)
    arguments = [*node.args.args, *node.args.kwonlyargs]
    defaults = [None] * (len(node.args.args) - len(node.args.defaults)) + node.args.defaults + node.args.kw_defaults
    verb = Verb(docstring.partition("\n")[0], {})
    for argument, default in zip(arguments, defaults, strict=True):
        kind = str
        if argument.annotation is not None:
            kind = KINDS.get(ast.unparse(argument.annotation).removesuffix(" | None"), str)
        is_switch = isinstance(default, ast.Constant) and default.value is False
        verb.arguments[argument.arg] = Argument(kind, is_switch, texts.get(argument.arg, "").replace("`", ""))
    return verb

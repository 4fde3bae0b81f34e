"""What a function's signature and docstring say of its arguments, read from its source without importing it."""

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
    """The type of an argument, and what the docstring says of it, on one line."""

    kind: Any
    text: str


def argument_texts(docstring: str) -> dict[str, str]:
    """`{argument: what it means}` from the `Args:` of a docstring, every text on one line."""
    _, _, rest = inspect.cleandoc(docstring).partition("Args:\n")
    section = re.split(r"^\S", rest, maxsplit=1, flags=re.M)[0]
    entries = re.findall(r"^    (\w[\w, ]*): (.*?)(?=^    \S|\Z)", section, re.S | re.M)
    return {name: " ".join(text.split()) for names, text in entries for name in names.split(", ")}


def arguments_of(function: str) -> dict[str, Argument]:
    """The arguments of a function of this package, which is not imported: that would load TensorFlow.

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
            texts = argument_texts(ast.get_docstring(node) or "")
            arguments = [*node.args.args, *node.args.kwonlyargs]
            return {one.arg: Argument(_kind_of(one.annotation), texts.get(one.arg, "")) for one in arguments}
    raise LookupError(f"{module} has no function {name}")


def _kind_of(annotation):
    if annotation is None:
        return str
    return KINDS.get(ast.unparse(annotation).removesuffix(" | None"), str)

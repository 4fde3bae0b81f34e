"""Arguments as signatures and docstrings state them, beside what importing the function shows."""

import inspect

import pytest

from hrnet_keras.converting import convert
from hrnet_keras.docstrings import argument_texts, verb_of


def test_arguments_are_those_of_the_imported_function():
    summary, arguments = verb_of("hrnet_keras.converting.convert")
    assert inspect.getdoc(convert).startswith(summary)
    assert list(arguments) == list(inspect.signature(convert).parameters)
    assert all(argument.text for argument in arguments.values())
    assert arguments["align_corners"].kind is bool and arguments["source"].kind is str


def test_texts_end_with_their_section():
    args = "    Args:\n        one, two: both\n            of them.\n        three: it.\n\n"
    texts = argument_texts(f"What.\n\n{args}    Returns:\n        x: y.")
    assert texts == {"one": "both of them.", "two": "both of them.", "three": "it."}


def test_functions_that_are_not_there():
    with pytest.raises(LookupError, match="has no function nothing"):
        verb_of("hrnet_keras.converting.nothing")
    with pytest.raises(LookupError, match=r"no module hrnet_keras\.gone"):
        verb_of("hrnet_keras.gone.convert")

"""Numbers that a user may set, checked against the range in which they mean something."""

import math


def above_zero(**numbers: float | None) -> None:
    """Raises `ValueError` where a number, by its name, is not above 0 and finite; `None` is no number."""
    for name, number in numbers.items():
        if number is not None and not 0 < number < math.inf:
            raise ValueError(f"{name}: expected a number above 0, given {number}")


def zero_or_more(**numbers: float | None) -> None:
    """Raises `ValueError` where a number is below 0 or not finite; `None` is no number."""
    for name, number in numbers.items():
        if number is not None and not 0 <= number < math.inf:
            raise ValueError(f"{name}: expected 0 or more, given {number}")


def probability(**numbers: float | None) -> None:
    """Raises `ValueError` where a number is not from 0 to 1; `None` is no number."""
    for name, number in numbers.items():
        if number is not None and not 0 <= number <= 1:
            raise ValueError(f"{name}: expected a probability, given {number}")

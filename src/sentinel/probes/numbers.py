"""Numbers in Prometheus' text formats, written many at a time: one call of ``%`` for a whole result."""

from __future__ import annotations

from typing import Final

NUMBER: Final = "%.15g"  # Ten microseconds in a time stamp; `1` for a whole number, as Go writes it.
PLAIN_MAX: Final = 1e15
ZERO_OR_ONE: Final = frozenset({0.0, 1.0})
NO_NUMBERS: Final = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}


def fill(form: str, numbers: tuple[float, ...]) -> str:
    """Put numbers into a form: lines that end in a space, ``NUMBER`` and a line's end, with any other ``%`` doubled.

    What ``NUMBER`` cannot write is rare, and is written one by one: no number, an endless one, a very large one.
    """
    if -PLAIN_MAX < sum(numbers) < PLAIN_MAX:
        return form % numbers
    return form.replace(f" {NUMBER}\n", " %s\n") % tuple(map(write, numbers))


def write(value: float) -> str:
    """Write one number, with all its digits."""
    if value in ZERO_OR_ONE:  # What most are.
        return "1" if value else "0"
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    return NO_NUMBERS.get(text, text)

"""Label matchers and silences: which signals they speak of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

# From here on a silence hides so much that it must say why (threat T29).
WIDE_TARGETS: Final = 20
LONG: Final = timedelta(hours=8)
SIGNS: Final = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}

# Tells whether the whole of a text fits a regular expression: the core is handed one that takes linear time.
Fits = Callable[[str, str], bool]


def without_patterns(_text: str, pattern: str) -> bool:
    """Refuse regular expressions, where nobody can have written one."""
    raise AssertionError(f"nobody said how to read the regular expression {pattern!r}")


class Matcher(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on one label; a label that is absent counts as empty.

    ``how`` says how the value is meant: ``*`` in it stands for anything, it stands for itself, or it is a regular
    expression in RE2's dialect that must fit the whole.
    """

    label: str
    value: str
    equal: bool = True
    how: Literal["like", "exact", "regex"] = "like"

    @property
    def text(self) -> str:
        """Write it as people do: LABEL=VALUE, LABEL!=VALUE, LABEL=~PATTERN, LABEL!~PATTERN."""
        return f"{self.label}{SIGNS[self.how == 'regex', self.equal]}{self.value}"

    def holds(self, labels: Mapping[str, str], fits: Fits = without_patterns) -> bool:
        """Tell whether the labels meet the condition."""
        text = labels.get(self.label, "")
        match self.how:
            case "like":
                return like(text, self.value) == self.equal
            case "exact":
                return (text == self.value) == self.equal
            case "regex":
                return fits(text, self.value) == self.equal


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which matching signals open nothing and page nobody; it always ends."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    by: str
    comment: str
    updated_at: datetime | None = None
    origin: str = ""  # The entry of the configuration that makes it again and again.
    ended_by: str = ""  # Who ended it before its time.

    def fits(self, labels: Mapping[str, str], fits: Fits = without_patterns) -> bool:
        """Tell whether it speaks of a signal with these labels, at whatever moment."""
        return all(matcher.holds(labels, fits) for matcher in self.matchers)

    def needs_reason(self, targets: int) -> bool:
        """Tell whether it must say why, given how many targets it speaks of: it is long or wide (threat T29)."""
        return targets >= WIDE_TARGETS or self.ends_at - self.starts_at > LONG

    def covers(self, labels: Mapping[str, str], now: datetime, fits: Fits = without_patterns) -> bool:
        """Tell whether a signal with these labels is silenced at that moment."""
        return self.starts_at <= now < self.ends_at and self.fits(labels, fits)


def written(text: str) -> Matcher:
    """Read a matcher as people write it.

    Raises:
        ValueError: it is none; the text says what one looks like.
    """
    for sign, equal in (("!=", False), ("=", True)):
        label, found, value = text.partition(sign)
        if found and label.strip() and "=" not in label:
            return Matcher(label=label.strip(), value=value.strip(), equal=equal)
    raise ValueError(f"'{text}' is not a matcher; write LABEL=VALUE or LABEL!=VALUE")


def like(text: str, pattern: str) -> bool:
    """Tell whether a text fits a pattern, with ``*`` for anything, in linear time."""
    head, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, tail = rest
    if not text.startswith(head) or len(text) < len(head) + len(tail) or not text.endswith(tail):
        return False
    at, end = len(head), len(text) - len(tail)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True

"""Label matchers and silences: which signals they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec


class Matcher(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on one label; a label that is absent counts as empty. ``*`` in a value stands for anything."""

    label: str
    value: str
    equal: bool = True

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the labels meet the condition."""
        return like(labels.get(self.label, ""), self.value) == self.equal


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which matching signals open nothing and page nobody; it always ends."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    by: str
    comment: str

    def covers(self, labels: Mapping[str, str], now: datetime) -> bool:
        """Tell whether a signal with these labels is silenced at that moment."""
        return self.starts_at <= now < self.ends_at and all(matcher.holds(labels) for matcher in self.matchers)


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

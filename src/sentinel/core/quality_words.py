"""Facts of a change as people write them, in words ``LABEL=VALUE``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from typing import Any, Final, get_args, get_type_hints

from sentinel.core.quality import Facts

TEST_SETS_MAX: Final = 1_000
NOTICE_MAX: Final = timedelta(days=366)
# What is written otherwise in a configuration, and means the same.
ALSO: Final = {
    "kind": {"functional": "feature", "bug": "fix"},
    "data": {"transforms": "global"},
    "changes_work": {"yes": "radically"},
    "moves_elements": {"true": "yes", "false": "no"},
    "validated": {"true": "yes", "false": "no"},
    "calendar": {"true": "yes", "false": "no"},
    "maintenance": {"true": "yes", "false": "no"},
}
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(choice for choice in get_args(hint) if choice)
    for name, hint in get_type_hints(Facts).items()
    if all(isinstance(choice, str) for choice in get_args(hint)) and get_args(hint)
}
LABELS: Final = tuple(Facts.__struct_fields__)

_LENGTH = re.compile(r"(?:(\d{1,4})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,8})s)?", re.ASCII)


def read_words(words: Iterable[str], zone: tzinfo) -> Facts:
    """Read ``LABEL=VALUE`` words; a moment without an offset is one of ``zone``.

    Raises:
        ValueError: a word is no fact of a change; the text names the label and what may be written.
    """
    given: dict[str, str] = {}
    for word in words:
        label, sign, value = word.partition("=")
        if not sign or not label:
            raise ValueError(f"'{word}' is not LABEL=VALUE")
        if label in given:
            raise ValueError(f"`{label}` is said twice")
        given[label] = value
    return read(given, zone)


def read(given: Mapping[str, str], zone: tzinfo) -> Facts:
    """Read facts by their labels.

    Raises:
        ValueError: a label or value is none of a change; the text names it and what may be written.
    """
    return Facts(**{label: _value(label, str(value), zone) for label, value in given.items()})


def _value(label: str, value: str, zone: tzinfo) -> Any:
    if label not in LABELS:
        near = get_close_matches(label, LABELS, n=1)
        meant = f"did you mean `{near[0]}`?" if near else f"one of {', '.join(LABELS)}"
        raise ValueError(f"a change has no label '{label}'; {meant}")
    if label == "test_sets":
        return _count(value)
    if label == "notice":
        return _notice(value)
    if label == "at":
        return moment(label, value, zone)
    known = ALSO.get(label, {}).get(value, value)
    if known not in CHOICES[label]:
        raise ValueError(f"'{value}' is no value of `{label}`; one of {', '.join(CHOICES[label])}")
    return known


def _count(value: str) -> int:
    if not re.fullmatch(r"\d{1,4}", value, re.ASCII) or int(value) > TEST_SETS_MAX:
        raise ValueError(f"'{value}' is no value of `test_sets`; a whole number up to {TEST_SETS_MAX}")
    return int(value)


def _notice(value: str) -> timedelta:
    if value == "none":
        return timedelta(0)
    found = _LENGTH.fullmatch(value)
    if not value or not found:
        raise ValueError(f"'{value}' is no value of `notice`; a duration such as 2h or 5d, or none")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if length > NOTICE_MAX:
        raise ValueError(f"'{value}' is no value of `notice`; at most {NOTICE_MAX.days}d")
    return length


def moment(label: str, value: str, zone: tzinfo) -> datetime:
    """Read a moment; without an offset it is one of ``zone``.

    Raises:
        ValueError: it is none; the text names the label.
    """
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'{value}' is no value of `{label}`; a moment such as 2026-12-05T20:00") from None

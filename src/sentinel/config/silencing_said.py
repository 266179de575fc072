"""Silences that somebody wants again and again, as a command says it: ``sat-sun 00:00-24:00``, or a cron."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from sentinel.config.silencing import Recurring, SilenceEntry, recurring_of
from sentinel.core.model import Refused

EVERY_MAX_CHARS: Final = 500
_HOURS: Final = re.compile(r"\s*([a-zA-Z]{3}(?:-[a-zA-Z]{3})?)\s+(.+:.+)")


def recurring_said(name: str, matchers: Sequence[str], every: str, lasts_s: float, **more: str) -> Recurring:
    """Return what comes again, as the configuration would make it of the same words.

    ``every`` is ``DAYS HH:MM-HH:MM``, several with semicolons between, or five fields of cron; ``more`` may hold the
    ``timezone``, the ``comment`` and ``by``.

    Raises:
        Refused: it makes no sense; the reason is a sentence.
    """
    if len(every) > EVERY_MAX_CHARS:
        raise Refused(f"`every` is longer than {EVERY_MAX_CHARS} characters.")
    by = more.pop("by", "")
    said: dict[str, Any] = {"match": list(matchers), **{key: text for key, text in more.items() if text}}
    hours = _hours(every)
    if hours and lasts_s:
        raise Refused("Hours of the week say themselves how long it lasts: leave the length out.")
    if hours:
        said["hours"] = hours
    else:
        said["cron"] = every
        said["lasts"] = f"{lasts_s:.0f}s" if lasts_s else None
        if not lasts_s:
            raise Refused("A cron says when it begins: say how long it lasts, too.")
    try:
        entry = SilenceEntry.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        suggestion = first.get("ctx", {}).get("suggestion", "")
        raise Refused(f"{first['msg']}{f'; {suggestion}' if suggestion else ''}.") from error
    (found,) = recurring_of({name: entry}, more.get("timezone", "UTC"))
    return replace(found, by=by) if by else found


def _hours(every: str) -> dict[str, list[str]]:
    """Return hours by days; nothing when it is none."""
    found: dict[str, list[str]] = {}
    for part in every.split(";"):
        match = _HOURS.fullmatch(part)
        if match is None:
            return {}
        found.setdefault(match[1].lower(), []).extend(one.strip() for one in match[2].split(","))
    return found

"""The section ``rules``: what a failure or a report means."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sentinel.config.base import TEXT_MAX_CHARS, LevelField, Section, Text
from sentinel.config.fields import Duration, Flag, OneOrMany, write_duration, wrong
from sentinel.config.readings import When
from sentinel.core.model import Priority, Severity
from sentinel.rules.words import CAUSES


def whole_days(value: timedelta) -> timedelta:
    """Refuse a part of a day: dates have none."""
    if value % timedelta(days=1):
        raise wrong(f"'{write_duration(value)}' is not a number of days", "write it as `5d`")
    return value


Days = Annotated[Duration, AfterValidator(whole_days)]
Grade = Literal["high", "medium", "low", ""]


class RuleMatch(Section):
    """What a rule asks for: all of it must hold; within one line one value is enough; ``""`` is what is not given."""

    kind: OneOrMany[Literal["incident", "request"]] = ()
    probe: OneOrMany[str] = ()
    type: OneOrMany[str] = ()
    service: OneOrMany[str] = ()
    reason: OneOrMany[str] = ()
    target: OneOrMany[str] = ()
    source: OneOrMany[Literal["probe", "person", "alert"]] = ()
    functional: Flag | None = None
    asset: OneOrMany[str] = ()
    category: OneOrMany[str] = ()
    scope: OneOrMany[Literal["company", "site", "department", "management", "user", ""]] = ()
    symptom: OneOrMany[Literal["down", "degraded", "unreachable", ""]] = ()
    impact: OneOrMany[Grade] = ()
    urgency: OneOrMany[Grade] = ()
    wanted_after: Days | None = None
    during: OneOrMany[str] = ()
    labels: dict[str, OneOrMany[str]] = {}


Cause = Literal["intrinsic", "extrinsic", *CAUSES]  # type: ignore[valid-type]  # mypy knows no unpacking here


class RuleEntry(Section):
    """What a failure means."""

    name: Text | None = None
    match: RuleMatch = RuleMatch()
    when: When | None = None
    for_: Duration = Field(timedelta(0), alias="for")
    level: LevelField | None = None
    severity: Severity | None = None
    priority: Priority | None = None
    cause: Cause | None = None
    group: str = ""
    title: str = Field("", max_length=TEXT_MAX_CHARS)
    dedup: str = Field("", max_length=TEXT_MAX_CHARS)

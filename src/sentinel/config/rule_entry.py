"""The section ``rules``: what a failure or a report means."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from sentinel.config.base import TEXT_MAX_CHARS, LevelField, Section, Text
from sentinel.config.fields import Duration, Flag, OneOrMany, quoted, read_duration, write_duration, wrong
from sentinel.config.readings import When
from sentinel.config.words import read_text, scalar
from sentinel.core.model import Priority, Severity
from sentinel.rules.words import CAUSES

QUIET_MIN: Final = timedelta(minutes=1)
QUIET_MAX: Final = timedelta(days=31)


def whole_days(value: timedelta) -> timedelta:
    """Refuse a part of a day: dates have none."""
    if value % timedelta(days=1):
        raise wrong(f"'{write_duration(value)}' is not a number of days", "write it as `5d`")
    return value


def read_dedup(value: object) -> timedelta | str:
    """Read `24h` as the time in which a finding is not raised anew, and any other text as the name of the fault."""
    text = read_text(value, "the name of a fault or a duration", "write `{probe}` or `24h`")
    if len(text) > TEXT_MAX_CHARS:
        raise wrong(f"the name of the fault is longer than {TEXT_MAX_CHARS} characters")
    try:
        quiet = read_duration(text)
    except PydanticCustomError:
        return text
    if not QUIET_MIN <= quiet <= QUIET_MAX:
        limits = f"`{write_duration(QUIET_MIN)}` to `{write_duration(QUIET_MAX)}`"
        raise wrong(f"{quoted(value)} is not possible here", limits)
    return quiet


Dedup = Annotated[
    timedelta | str,
    BeforeValidator(read_dedup),
    scalar("the name of the fault, or how long it is not raised anew", "", "24h"),
]
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
    level: OneOrMany[LevelField] = ()
    labels: dict[str, OneOrMany[str]] = {}


Cause = Literal["intrinsic", "extrinsic", *CAUSES]  # type: ignore[valid-type]  # mypy knows no unpacking here


class RuleEntry(Section):
    """What a failure means."""

    name: Text | None = None
    match: RuleMatch = RuleMatch.defaults()
    when: When | None = None
    for_: Duration = Field(timedelta(0), alias="for")
    level: LevelField | None = None
    severity: Severity | None = None
    priority: Priority | None = None
    cause: Cause | None = None
    group: str = ""
    major: Literal["", "propose", "auto"] = ""
    title: str = Field("", max_length=TEXT_MAX_CHARS)
    dedup: Dedup = ""

    @property
    def unattended(self) -> bool:
        """Tell whether it says what becomes of an incident that nobody takes, rather than what a failure means."""
        return self.when is not None and self.when.unacknowledged

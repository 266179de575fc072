"""The section ``changes``: announcements, the backup before, planned windows, fixes to deliver (CHG-1 to CHG-7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Annotated, Any, Final, Protocol
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sentinel.config.base import Section, Text
from sentinel.config.calendars import BUSINESS, Calendars
from sentinel.config.crons import Cron, begins
from sentinel.config.fields import Count, Duration, Instant, OneOrMany, quoted, wrong
from sentinel.core import quality_words
from sentinel.core.business import OutOfCalendar
from sentinel.core.change_plan import LASTS_MAX, TITLE_MAX_CHARS, Ground, Notices, ServiceTerms, Wanted
from sentinel.core.fixes import Fix
from sentinel.core.model import Refused
from sentinel.core.quality import NOTICE_MIN, Agreed, Facts, QualityLevel

ENTRIES_MAX: Final = 500
FIXES_MAX: Final = 1_000
SERVICES_MAX: Final = 100
ARGUMENTS_MAX: Final = 100
NOTICE_MAX: Final = timedelta(days=60)
BACKUP_MAX: Final = timedelta(hours=24)
CRON_LOOKED_AT: Final = 50  # occurrences of a `cron` that must fit together
CRON_APART_MIN: Final = timedelta(hours=1)
OCCURRENCES_MAX: Final = 400
AHEAD_MIN: Final = timedelta(days=8)
PLACEHOLDER: Final = "{service}"


def _choice(label: str) -> Any:
    """Return the type of a label with a fixed choice of words."""

    def read(value: object) -> str:
        try:
            return str(getattr(quality_words.read({label: _said(value)}, ZoneInfo("UTC")), label))
        except ValueError as error:
            what, _, suggestion = str(error).partition("; ")
            raise wrong(what, suggestion) from None

    words = [*quality_words.CHOICES[label], *quality_words.ALSO.get(label, ())]
    return Annotated[str, BeforeValidator(read), WithJsonSchema({"type": "string", "enum": words})]


def _said(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


Lasts = Annotated[Duration, Field(ge=timedelta(minutes=1), le=LASTS_MAX)]
Ahead = Annotated[Duration, Field(ge=NOTICE_MIN, le=NOTICE_MAX)]
Argument = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]
Title = Annotated[str, Field(min_length=1, max_length=TITLE_MAX_CHARS)]


class NoticeEntry(Section):
    """How long before it begins a change is announced, by stability level; never less than an hour (rule CHG-2)."""

    stability_2: Ahead = timedelta(hours=2)
    stability_3: Ahead = timedelta(days=5)


class BackupEntry(Section):
    """What makes a full backup of a service's user data; it must succeed before a stability-3 change starts (CHG-3)."""

    run: Annotated[tuple[Argument, ...], Field(min_length=1, max_length=ARGUMENTS_MAX)]
    timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=BACKUP_MAX)] = timedelta(hours=2)

    @model_validator(mode="after")
    def _can_run(self) -> BackupEntry:
        if not self.run[0].startswith("/"):
            raise wrong(f"`run` begins with {quoted(self.run[0])}, which is not an absolute path", "write `/usr/…`")
        if any(PLACEHOLDER in argument and argument != PLACEHOLDER for argument in self.run):
            raise wrong(f"`{PLACEHOLDER}` must be an argument by itself", f"write [/usr/…, '{PLACEHOLDER}']")
        return self


class PlannedEntry(Section):
    """A window fixed in advance: once from ``start`` to ``end``, or again and again by ``cron`` for a ``duration``.

    The other keys are the facts that the quality levels ask about; what is not said is taken as promised.
    """

    title: Title
    services: Annotated[OneOrMany[str], Field(min_length=1, max_length=SERVICES_MAX)]
    start: Instant | None = None
    end: Instant | None = None
    cron: Cron | None = None
    duration: Lasts | None = None
    kind: _choice("kind") | None = None  # type: ignore[valid-type]
    data: _choice("data") | None = None  # type: ignore[valid-type]
    reported_by: _choice("reported_by") | None = None  # type: ignore[valid-type]
    component: _choice("component") | None = None  # type: ignore[valid-type]
    changes_work: _choice("changes_work") | None = None  # type: ignore[valid-type]
    moves_elements: _choice("moves_elements") | None = None  # type: ignore[valid-type]
    validated: _choice("validated") | None = None  # type: ignore[valid-type]
    test_sets: Annotated[Count, Field(le=quality_words.TEST_SETS_MAX)] | None = None
    applied: _choice("applied") | None = None  # type: ignore[valid-type]
    maintenance: _choice("maintenance") | None = None  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _has_a_time(self) -> PlannedEntry:
        how = "write `start` and `end`, or `cron` and `duration`"
        if self.cron is None:
            if self.start is None or self.end is None or self.duration is not None:
                raise wrong("nobody knows when it is", how)
            if not timedelta(0) < self.end - self.start <= LASTS_MAX:
                raise wrong("the window must end after it begins, within 7 days", "look at `start` and `end`")
            return self
        if self.duration is None or self.start is not None or self.end is not None:
            raise wrong("nobody knows how long it lasts", how)
        self._apart()
        return self

    def _apart(self) -> None:
        """Refuse windows that run into each other, or come so often that a plan is none."""
        assert self.cron is not None, "it has a time of cron"
        assert self.duration is not None, "it lasts"
        found = list(islice(begins(self.cron, datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))), CRON_LOOKED_AT))
        for one, following in pairwise(found):
            if following - one < max(self.duration, CRON_APART_MIN):
                raise wrong("its next window begins before the last one is over, or within the hour", "look at `cron`")

    @property
    def facts(self) -> Facts:
        """Return what is said of it."""
        said = {label: getattr(self, label) for label in quality_words.LABELS if getattr(self, label, None) is not None}
        return Facts(**said)

    def windows(self, begins_at: datetime, ends_at: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """Yield its windows of which something lies in a time."""
        if self.cron is None or self.duration is None:
            assert self.start is not None, "it has one time or the other"
            assert self.end is not None, "it has one time or the other"
            if self.start < ends_at and self.end > begins_at:
                yield self.start, self.end
            return
        before = (begins_at - self.duration).astimezone(zone)
        for begin in islice(begins(self.cron, before), OCCURRENCES_MAX):
            if begin >= ends_at:
                return
            if begin + self.duration > begins_at:
                yield begin, begin + self.duration


class FixEntry(Section):
    """A validated fix that is not delivered yet (rule CHG-7)."""

    service: str
    title: Title
    component: Text | None = None
    since: Instant


class ChangesSection(Section):
    """How changes are announced and secured, and which are fixed in advance."""

    notice: NoticeEntry = NoticeEntry.defaults()
    backup: BackupEntry | None = None
    planned: Annotated[tuple[PlannedEntry, ...], Field(max_length=ENTRIES_MAX)] = ()
    fixes: Annotated[tuple[FixEntry, ...], Field(max_length=FIXES_MAX)] = ()


@dataclass(frozen=True, slots=True)
class Backup:
    """The program that backs a service up."""

    run: tuple[str, ...]
    timeout_s: float

    def arguments(self, service: str) -> list[str]:
        """Return the program and its arguments for a service."""
        return [service if argument == PLACEHOLDER else argument for argument in self.run]


@dataclass(frozen=True)
class ChangePlans:
    """What the configuration says about changes."""

    services: dict[str, ServiceTerms]
    entries: tuple[PlannedEntry, ...]
    fixes: tuple[Fix, ...]
    notices: Notices
    backup: Backup | None
    zone: ZoneInfo
    calendars: Calendars

    @property
    def ahead(self) -> timedelta:
        """How long before they begin windows become changes: in time for their announcement."""
        return max(AHEAD_MIN, self.notices.stability_3 + timedelta(days=1))

    @property
    def has_backup(self) -> bool:
        """Whether a program backs services up."""
        return self.backup is not None

    def terms(self, services: Iterable[str]) -> tuple[ServiceTerms, ...]:
        """Return what was agreed for services.

        Raises:
            Refused: there is none of that name.
        """
        found = tuple(services)
        for name in found:
            if name not in self.services:
                raise Refused(f"There is no service {name}.")
        return tuple(self.services[name] for name in dict.fromkeys(found))

    def agreed(self, terms: ServiceTerms, at: datetime | None) -> Agreed:
        """Return what is agreed for a service, seen from the moment of a change when that is known."""
        return Agreed(
            service=terms.id,
            stability=terms.stability,
            improvement=terms.improvement,
            notice_2=self.notices.stability_2,
            notice_3=self.notices.stability_3,
            contract=terms.contract,
            inside=None if at is None else self._inside(terms.id, at),
            busy=None if at is None else self._busy(at),
        )

    def ground(self, services: Iterable[str], at: datetime) -> Ground:
        """Return what a plan for services at a moment is judged on.

        Raises:
            Refused: there is none of that name.
        """
        terms = self.terms(services)
        agreed = tuple(self.agreed(one, at) for one in terms)
        return Ground(terms=terms, agreed=agreed, notices=self.notices, backup=self.backup is not None)

    def occurrences(self, begins_at: datetime, ends_at: datetime) -> list[Wanted]:
        """Return the windows of the configuration of which something lies in a time, in order."""
        found = [
            Wanted(
                title=entry.title,
                services=tuple(dict.fromkeys(entry.services)),
                begins_at=begin,
                ends_at=end,
                facts=entry.facts,
                origin=f"{entry.title}|{','.join(sorted(set(entry.services)))}|{begin:%Y%m%dT%H%MZ}|{end:%Y%m%dT%H%MZ}",
            )
            for entry in self.entries
            for begin, end in entry.windows(begins_at, ends_at, self.zone)
        ]
        return sorted(found, key=lambda one: (one.begins_at, one.origin))

    def _inside(self, service: str, at: datetime) -> bool | None:
        entries = [entry for entry in self.entries if service in entry.services]
        if not entries:
            return None
        moment = timedelta(microseconds=1)
        return any(begin <= at < end for one in entries for begin, end in one.windows(at, at + moment, self.zone))

    def _busy(self, at: datetime) -> bool | None:
        try:
            return self.calendars.time(BUSINESS).is_open(at)
        except OutOfCalendar:
            return None


class Agreeing(Protocol):
    """An entry of ``services``, as far as changes concern it."""

    @property
    def stability(self) -> QualityLevel | None:
        """Its level."""

    @property
    def improvement(self) -> QualityLevel | None:
        """Its level."""

    @property
    def sla(self) -> str:
        """Its contract."""

    @property
    def components(self) -> tuple[str, ...]:
        """Those that are listed for improvement 2."""

    @property
    def contacts(self) -> dict[str, tuple[str, ...]]:
        """Audiences by what they do."""


def terms_of(services: Mapping[str, Agreeing]) -> dict[str, ServiceTerms]:
    """Return what was agreed for each service about changes."""
    return {
        name: ServiceTerms(
            id=name,
            stability=entry.stability,
            improvement=entry.improvement,
            contract=bool(entry.sla),
            components=entry.components,
            operations=entry.contacts.get("operations", ()),
            managers=entry.contacts.get("delivery_manager", ()),
            technical=entry.contacts.get("technical", ()),
        )
        for name, entry in services.items()
    }


def plans_of(
    section: ChangesSection, services: dict[str, ServiceTerms], calendars: Calendars, timezone: str
) -> ChangePlans:
    """Return what the daemon is told of the section."""
    return ChangePlans(
        services=services,
        entries=section.planned,
        fixes=tuple(
            Fix(service=one.service, title=one.title, component=one.component or "", since=one.since)
            for one in section.fixes
        ),
        notices=Notices(stability_2=section.notice.stability_2, stability_3=section.notice.stability_3),
        backup=Backup(section.backup.run, section.backup.timeout.total_seconds()) if section.backup else None,
        zone=ZoneInfo(timezone),
        calendars=calendars,
    )

"""Service reports from what is kept: the same for the daemon, its web pages and a command that only looks (SLA-8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from sentinel import change_reports
from sentinel.config.build import ServicePlan, Setup
from sentinel.config.reporting import ReportPlan
from sentinel.core import causes, occasions
from sentinel.core.business import Period
from sentinel.core.model import Directory, Language, Page
from sentinel.core.report.make import service_report
from sentinel.core.report.model import NoService, Report, Section, Sources, Subject, Wanted, Watch, Window
from sentinel.core.report.spells import TURNS, episode
from sentinel.core.state import Incident
from sentinel.engine.report_watch import Due
from sentinel.messages.notice import Attachment, Notice
from sentinel.probes.plan import ProbePlan
from sentinel.reporting import mail, page
from sentinel.reporting.table import BYTE_ORDER_MARK, csv_text
from sentinel.store.base import ResultStore, Store

INCIDENTS_MAX: Final = 20_000
PROBES_MAX: Final = 20  # of a service: the more often they run, the better they tell when nobody watched
MISSED_RUNS: Final = 2  # so many intervals without a run are a time in which nobody watched
SLACK: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """What other subjects add to a report, each asked with a service and a period.

    ``maintenance_of`` gives planned maintenance, ``sections_of`` rows of their own (changes, undelivered fixes of rule
    CHG-7, problems, actions); ``excused`` tells that an incident is neither an outage nor against targets (CHG-1).
    """

    maintenance_of: Callable[[str, datetime, datetime], Sequence[Window]] = lambda _service, _begin, _end: ()
    sections_of: Callable[[str, datetime, datetime], Sequence[Section]] = lambda _service, _begin, _end: ()
    excused: Callable[[Incident], bool] = lambda _incident: False


def additions_of(setup: Setup, store: Store) -> Additions:
    """Return what the other subjects add, for the daemon and for the commands alike.

    Raises:
        StoreUnavailable: the database cannot be read.
    """
    changes = change_reports.read(setup.changes, store)
    return Additions(maintenance_of=changes.maintenance_of, sections_of=changes.sections_of, excused=causes.excused)


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes reports. Every call blocks: it reads the stores."""

    setup: Callable[[], Setup]
    store: Store
    results: ResultStore

    def make(self, wanted: Wanted, now: datetime) -> Report:
        """Return the report of the wanted services.

        Raises:
            NoService: there are none of that name.
            StoreUnavailable: the database cannot be read.
            OutOfCalendar: the period lies outside the years that calendars know.
        """
        setup, period = self.setup(), wanted.period
        services = chosen(setup, wanted)
        additions = additions_of(setup, self.store)
        told = self.store.during(*period, kinds=TURNS, limit=INCIDENTS_MAX)
        episodes = tuple(episode(state, happened, excused=additions.excused(state)) for state, happened in told)
        incidents_from = now - setup.storage.keep.incidents
        known_from = self.store.first_opened()
        made = []
        days = _days(period, ZoneInfo(setup.site.timezone))
        for plan in services:
            sources = Sources(
                days=days,
                episodes=episodes,
                windows=tuple(additions.maintenance_of(plan.id, *period)),
                watch=self._watch(setup, plan.id, wanted, now, (known_from, incidents_from)),
                sections=tuple(additions.sections_of(plan.id, *period)),
                truncated=len(told) == INCIDENTS_MAX,
            )
            made.append(service_report(subject_of(setup, plan), period, now, sources))
        return Report(
            title=wanted.title,
            site=setup.site.name,
            timezone=setup.site.timezone,
            made_at=now,
            begins_at=period.begins_at,
            ends_at=period.ends_at,
            services=tuple(made),
        )

    def _watch(
        self,
        setup: Setup,
        service: str,
        wanted: Wanted,
        now: datetime,
        known: tuple[datetime | None, datetime],
    ) -> Watch:
        """Return what is known of the watching of a service: when its probes ran."""
        first_incident, incidents_from = known
        period = wanted.period
        earlier = incidents_from if incidents_from > period.begins_at else None
        probes = sorted(
            (plan for plan in setup.probes.values() if plan.service == service), key=lambda plan: plan.interval_s
        )[:PROBES_MAX]
        if wanted.quick:
            seen = self._first_day(probes, period, ZoneInfo(setup.site.timezone))
            known_from = min(filter(None, (first_incident, seen)), default=None)
            return Watch(probes=0, known_from=known_from, incidents_from=earlier)
        kept_from = now - setup.storage.keep.results
        since = max(period.begins_at, kept_from)
        observed = [span for plan in probes for span in self._runs(plan, since, period.ends_at)]
        known_from = min(filter(None, (first_incident, *(span.begins_at for span in observed))), default=None)
        return Watch(
            probes=len(probes),
            observed=tuple(observed),
            known_from=known_from,
            samples_from=since if since > period.begins_at else None,
            incidents_from=earlier,
        )

    def _first_day(self, probes: Sequence[ProbePlan], period: Period, zone: ZoneInfo) -> datetime | None:
        """Return the first day of a period in which a probe ran, as far as days are counted."""
        since = period.begins_at.astimezone(zone).toordinal()
        found = self.results.days([plan.name for plan in probes], since)
        first = min((days[0].day for days in found.values()), default=None)
        if first is None:
            return None
        day = date.fromordinal(first)
        return occasions.days(day, day, zone).begins_at

    def _runs(self, plan: ProbePlan, since: datetime, until: datetime) -> Iterable[Period]:
        """Yield the times that the runs of a probe stand for: from each one on until so many should have followed."""
        reach = _reach(plan)
        for target in plan.targets:
            for sample in self.results.samples(plan.name, target, since - reach):
                if sample.at >= until:
                    break
                yield Period(sample.at, min(sample.at + reach, until))


def chosen(setup: Setup, wanted: Wanted) -> list[ServicePlan]:
    """Return the services that are asked for, in the order of the configuration.

    Raises:
        NoService: there are none of that name.
    """
    for name in wanted.services:
        if name not in setup.services:
            raise NoService(f"There is no service {name}; known: {', '.join(setup.services) or 'none'}.")
    found = [
        plan
        for plan in setup.services.values()
        if (not wanted.services or plan.id in wanted.services) and wanted.customer in {"", plan.customer}
    ]
    if not found:
        whose = f" of customer {wanted.customer}" if wanted.customer else ""
        raise NoService(f"There is no service{whose}.")
    return found


def subject_of(setup: Setup, plan: ServicePlan) -> Subject:
    """Return a service and what was agreed about it."""
    return Subject(
        service=plan.id,
        name=plan.name,
        customer=plan.customer,
        contract=setup.contract_of(plan.id),
        hours=setup.calendars[plan.hours],
        hours_name=plan.hours,
        availability_percent=plan.availability_percent,
        outage_tolerated=plan.outage_tolerated,
    )


def _days(period: Period, zone: ZoneInfo) -> tuple[Period, ...]:
    """Return the local days of a period that is made of whole ones."""
    day, found = period.begins_at.astimezone(zone).date(), []
    while (one := occasions.days(day, day, zone)).begins_at < period.ends_at:
        found.append(one)
        day += timedelta(days=1)
    return tuple(found)


def _reach(plan: ProbePlan) -> timedelta:
    """Return for how long a run stands: until so many more should have come."""
    return timedelta(seconds=MISSED_RUNS * plan.interval_s) + SLACK


@dataclass(frozen=True, slots=True)
class ReportPost:
    """Writes the reports that are sent."""

    reporter: Reporter
    directory: Callable[[], Directory]

    def plans(self) -> Sequence[ReportPlan]:
        """Return the reports that are sent."""
        return self.reporter.setup().reports

    def zone(self) -> ZoneInfo:
        """Return where days begin."""
        return ZoneInfo(self.reporter.setup().site.timezone)

    def write(self, due: Due, period: Period, messages: dict[str, Page], now: datetime) -> dict[str, bytes]:
        """Return the bodies of messages: the report in each reader's language."""
        assert isinstance(due, ReportPlan), "only those of the configuration are sent"
        wanted = Wanted(period=period, services=due.services, customer=due.customer, title=due.name)
        report = self.reporter.make(wanted, now)
        written: dict[Language, Notice] = {}
        bodies = {}
        for message, told in messages.items():
            person = self.directory().people[told.person]
            language = due.language or person.language
            if language not in written:
                written[language] = self._notice(report, language, wanted, now)
            bodies[message] = msgspec.json.encode(msgspec.structs.replace(written[language], id=message))
        return bodies

    def _notice(self, report: Report, language: Language, wanted: Wanted, now: datetime) -> Notice:
        site = (self.reporter.setup().site.url or "").rstrip("/")
        zone = ZoneInfo(report.timezone)
        first = wanted.period.begins_at.astimezone(zone).date()
        last = (wanted.period.ends_at.astimezone(zone) - timedelta(days=1)).date()
        asked = [("from", first), ("to", last), *(("service", name) for name in wanted.services), ("lang", language)]
        asked += [("customer", wanted.customer)] if wanted.customer else []
        return Notice(
            id="",
            kind="report",
            at=now,
            title=mail.title(report, language),
            text=mail.text(report, language, f"{site}/reports/sla?{urlencode(asked)}" if site else ""),
            attachments=(
                Attachment(mail.file_name(report, ".html"), "text/html", page.html(report, language, url=site or None)),
                Attachment(mail.file_name(report, ".csv"), "text/csv", BYTE_ORDER_MARK + csv_text(report)),
            ),
        )

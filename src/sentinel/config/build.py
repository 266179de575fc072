"""From what is written to what runs: ``Setup`` is all that the daemon is told of the configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from sentinel import rules
from sentinel.config import model as m
from sentinel.config.budgets import flow_of
from sentinel.config.calendars import BUSINESS, Calendars
from sentinel.config.changing import ChangePlans, plans_of, terms_of
from sentinel.config.checks import DEFAULT_ESCALATION
from sentinel.config.contracts import Contracts
from sentinel.config.crises import CrisisEntry
from sentinel.config.crisis_plans import plan_of as crisis_plan_of
from sentinel.config.dependency_checks import causes_of
from sentinel.config.fields import HostPort
from sentinel.config.handling import NO_LOSS_PERCENT, IncidentRules, Tolerance
from sentinel.config.inhibition import inhibit_of
from sentinel.config.intake import IntakeSection
from sentinel.config.isolation import IsolationRules
from sentinel.config.people import directory_of, listener_of
from sentinel.config.portal import AuthSection
from sentinel.config.quorum import quorum_of
from sentinel.config.reporting import ReportPlan, report_of
from sentinel.config.requests import request_plan
from sentinel.config.reviews import plan_of as review_plan_of
from sentinel.config.ruling import rules_of
from sentinel.config.sections import Config, Kinded
from sentinel.config.silencing import Recurring, recurring_of
from sentinel.config.status_pages import pages_of
from sentinel.config.support import SupportEntry
from sentinel.config.ticketing import Tickets as TicketsEntry
from sentinel.config.timing import confirm_of, timing_of
from sentinel.config.unattended import Unattended, cascading_of, unattended_of
from sentinel.config.watchdog import Watchdog
from sentinel.config.watches import Escalation, Watches, escalation_of
from sentinel.config.ways import address_of
from sentinel.core import review_dates
from sentinel.core.actions import ActionDates
from sentinel.core.flow import Flow
from sentinel.core.inhibition import Inhibit
from sentinel.core.model import Directory, Listener, Plan, Step, Verdict
from sentinel.core.public_wanted import Wanted
from sentinel.core.review_dates import ReviewDates
from sentinel.core.review_plan import ReviewPlan
from sentinel.core.sla import Contract
from sentinel.probes.base import ProbeKind
from sentinel.probes.net import TargetPolicy
from sentinel.probes.plan import ProbePlan
from sentinel.tickets.options import TicketOptions

PASSIVE_INTERVAL: Final = timedelta(seconds=30)
TICKETS: Final = {"builtin": "builtin", "internal": "builtin", "none": ""}


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """One channel, ready to be built."""

    name: str
    kind: str
    options: Any
    address: str
    fallback: str
    providers: tuple[str, ...]
    countries: tuple[str, ...]
    concurrency: int
    flow: Flow | None
    retry_for_s: float
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service."""

    id: str
    name: str
    customer: str
    sla: str
    outage_tolerated: timedelta | None
    restore_within: timedelta | None
    integrity_kept: bool
    hours: str
    availability_percent: float | None
    escalation: str
    runbook: str
    runbook_expected: timedelta | None
    redundancy: bool
    carries: tuple[str, ...]
    depends_on: tuple[str, ...]
    contacts: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Tickets:
    """Which back-end keeps tickets (empty: none), and from which level on; ``mirrors`` follow what it keeps."""

    backend: str
    min_level: int
    within: timedelta | None = None
    mirrors: tuple[TicketOptions, ...] = ()
    required: tuple[str, ...] = ()

    def of(self, service: str) -> tuple[str, ...]:
        """Return the back-ends that keep the tickets of a service, the first one's is the incident's own."""
        following = [one.called for one in self.mirrors if not one.services or service in one.services]
        return (self.backend, *following) if self.backend else tuple(following)


@dataclass(frozen=True, slots=True)
class Setup:
    """The whole configuration as the engine uses it; a reload replaces it as a whole."""

    site: m.Site
    server: m.Server
    storage: m.Storage
    engine: m.EngineLimits
    policy: TargetPolicy
    resolvers: tuple[HostPort, ...]
    probes: dict[str, ProbePlan]
    channels: dict[str, ChannelPlan]
    calendars: Calendars
    contracts: Contracts
    services: dict[str, ServicePlan]
    directory: Directory
    rules: tuple[rules.Rule, ...]
    group_by: tuple[str, ...]
    escalations: dict[str, Escalation]
    watch_at: Watches
    recipients: tuple[Listener, ...]
    crises: dict[str, CrisisEntry]
    reports: tuple[ReportPlan, ...]
    changes: ChangePlans
    status_pages: tuple[Wanted, ...]
    last_resort: tuple[str, ...]
    last_resort_by: tuple[str, ...]
    tickets: Tickets
    watchdog: Watchdog
    unattended: tuple[Unattended, ...]
    incidents: IncidentRules
    isolation: IsolationRules
    support: SupportEntry
    intake: IntakeSection
    auth: AuthSection
    inhibit: tuple[Inhibit, ...]
    silences: tuple[Recurring, ...]
    modules: Path | None
    folder: Path
    hash: str

    @property
    def listen(self) -> HostPort:
        """Return where the server listens."""
        return self.server.listen

    @property
    def retry_for(self) -> dict[str, timedelta]:
        """Return for how long each channel is tried."""
        return {name: timedelta(seconds=channel.retry_for_s) for name, channel in self.channels.items()}

    def close_by(self, resolved_at: datetime) -> datetime:
        """Return when an incident resolved now closes by itself: so many business days later (rule LIF-7)."""
        return self.calendars.time(BUSINESS).add_days(resolved_at, self.incidents.close_after.days)

    def remind_at(self, since: datetime) -> datetime:
        """Return when whom the work waits for since a moment is reminded, in business time (rule LIF-4)."""
        return self.calendars.time(BUSINESS).after(since, self.incidents.remind_pending)

    def contract_of(self, service: str) -> Contract | None:
        """Return the contract of a service; nothing when it has none (rule SLA-9)."""
        entry = self.services.get(service)
        return self.contracts[entry.sla] if entry is not None and entry.sla else None

    def review_of(self, service: str, contacts: Mapping[str, tuple[str, ...]]) -> ReviewPlan:
        """Return what follows an incident of a service: what its crisis says, else what holds for all."""
        crisis = self.crises.get(crisis_plan_of(self.crises, service, contacts).name)
        return review_plan_of(self.incidents.review, crisis.review if crisis else None, contacts)

    def review_dates(self, plan: ReviewPlan, ended_at: datetime) -> ReviewDates:
        """Return when the report on what ended is due, and when its owner is reminded (rule REX-3)."""
        return review_dates.of_report(plan, ended_at, self.calendars.time(self._known(plan.calendar)))

    def action_dates(self, plan: ReviewPlan, due_on: date) -> ActionDates:
        """Return when the owner of an action is reminded, and from when on it is late (rule REX-2)."""
        return review_dates.of_action(plan, due_on, self.calendars.time(self._known(plan.calendar)))

    def _known(self, calendar: str) -> str:
        return calendar if calendar in self.calendars.names else BUSINESS  # A reload may have taken it away.

    def plan_for(self, service: str, verdict: Verdict) -> Plan:
        """Return what is to happen with an incident of a service: who is told when, who listens, which ticket.

        A service without an escalation of its own has the one called ``default``. A group that the rule names is
        told too: at once when there is no escalation, otherwise as a listener.
        """
        entry, incidents = self.services.get(service), self.incidents
        contacts = entry.contacts if entry else {}
        name = (entry.escalation if entry else "") or DEFAULT_ESCALATION
        ladder, ladders = self.escalations.get(name, Escalation())
        listeners = tuple(one for one in self.recipients if not one.services or service in one.services)
        if verdict.kind == "request":
            asked = request_plan(verdict, contacts, listeners)
            return msgspec.structs.replace(asked, restore_within=entry.restore_within if entry else None)
        if verdict.group and not ladder:
            ladder = (Step(after=timedelta(0), to=(verdict.group,), min_level=1),)
        elif verdict.group:
            listeners = (*listeners, Listener(who=verdict.group, min_level=1))
        ticket, *mirrors = self.tickets.of(service) or ("",)
        cascading = cascading_of(service, self.unattended, incidents.cascade_after)
        return Plan(
            ladder=ladder,
            ladders=ladders,
            listeners=listeners,
            last_resort=self.last_resort,
            last_resort_by=self.last_resort_by,
            ticket=ticket if verdict.level >= self.tickets.min_level else "",
            mirrors=tuple(mirrors),
            required=self.tickets.required,
            runbook=entry.runbook if entry else "",
            manager=contacts.get("incident_manager", ()),
            operations=contacts.get("operations", ()) if verdict.level >= incidents.receipt_min_level else (),
            intervention=contacts.get("intervention", contacts.get("technical", ())),
            expected=entry.runbook_expected if entry else None,
            immediate_within=incidents.immediate_within,
            cascade_after=cascading.after,
            cascade_rule=cascading.rule,
            cascade_ticket=ticket,
            problem_after=incidents.problems.after,
            problem_unknown_cause=incidents.problems.unknown_cause,
            flap_changes=incidents.flapping.changes,
            flap_within=incidents.flapping.within,
            outage_tolerated=entry.outage_tolerated if entry else None,
            review=self.review_of(service, contacts),
            crisis=crisis_plan_of(self.crises, service, contacts),
            restore_within=entry.restore_within if entry else None,
            integrity_kept=entry.integrity_kept if entry else False,
            carries=entry.carries if entry else (),
            depends_on=entry.depends_on if entry else (),
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """Which probes a reload adds, removes and changes; the others keep their schedule."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def difference(old: Setup, new: Setup) -> Difference:
    """Compare the probes of two configurations."""
    return Difference(
        added=tuple(name for name in new.probes if name not in old.probes),
        removed=tuple(name for name in old.probes if name not in new.probes),
        changed=tuple(
            name
            for name, probe in new.probes.items()
            if name in old.probes and old.probes[name].fingerprint != probe.fingerprint
        ),
    )


def build(config: Config, digest: str, folder: Path) -> Setup:
    """Make the setup of a configuration that has been found good. ``folder`` is where its own file is."""
    single: Mapping[str, Any] = config.single
    told = cast(Watchdog, single["watchdog"]).self_alert
    tickets = cast(TicketsEntry, single["tickets"])
    opens = tickets.open
    targets = cast(m.TargetRules, single["target_policy"])
    server = cast(m.Server, single["server"])
    calendars = Calendars(config.calendars, config.site.timezone, config.site.country or "")
    contracts = Contracts(config.sla, calendars)
    return Setup(
        site=config.site,
        server=server,
        storage=single["storage"],
        engine=single["engine"],
        policy=TargetPolicy(deny=targets.deny, allow=targets.allow),
        resolvers=config.ordered.resolvers,
        probes={name: _probe(name, entry, config) for name, entry in config.probes.items()},
        channels={name: _channel(name, entry) for name, entry in config.channels.items()},
        calendars=calendars,
        contracts=contracts,
        services={name: _service(name, config.services) for name in config.services},
        directory=directory_of(config, calendars),
        rules=rules_of(config),
        group_by=config.ordered.group_by,
        escalations={name: escalation_of(entry) for name, entry in config.escalations.items()},
        watch_at=Watches(calendars, {name: entry.sla for name, entry in config.services.items()}, contracts),
        recipients=tuple(listener_of(entry) for _, entry in config.recipients),
        crises=dict(config.crises),
        reports=tuple(report_of(entry) for _, entry in config.reports),
        changes=plans_of(single["changes"], terms_of(config.services), calendars, config.site.timezone),
        last_resort=told.to,
        last_resort_by=told.by,
        status_pages=pages_of(config),
        tickets=Tickets(
            TICKETS[tickets.backend], opens.min_level, opens.within, tickets.mirror, tickets.required_on_close
        ),
        watchdog=single["watchdog"],
        unattended=unattended_of(config),
        incidents=single["incidents"],
        isolation=single["isolation"],
        support=single["support"],
        intake=single["intake"],
        auth=single["auth"],
        inhibit=tuple(inhibit_of(entry, number) for number, entry in config.inhibit),
        silences=recurring_of(config.silences, config.site.timezone),
        modules=folder / server.probe.modules if server.probe.modules else None,
        folder=folder,
        hash=digest,
    )


def _fingerprint(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _probe(name: str, entry: Kinded, config: Config) -> ProbePlan:
    shared, kind = cast(m.ProbeEntry, entry.shared), cast(ProbeKind, entry.kind)
    timing = timing_of(shared, config.defaults)
    if kind.passive:  # Looking at what was heard costs nothing and needs no second look.
        timing = replace(timing, interval=shared.interval or PASSIVE_INTERVAL, attempts=0, need=0)
    return ProbePlan(
        name=name,
        type=kind.name,
        options=entry.options,
        targets=entry.targets,
        interval_s=timing.interval.total_seconds(),
        timeout_s=timing.timeout.total_seconds(),
        fingerprint=_fingerprint(entry.raw, timing),
        confirm=confirm_of(timing),
        recover_need=timing.recover_need,
        quorum=quorum_of(shared, len(entry.targets)),
        service=shared.service,
        title=shared.title or "",
        runbook=shared.runbook or "",
        functional=kind.functional,
        critical=shared.critical,
        passive=kind.passive,
        paused=shared.paused,
        labels={**dict(kind.labels), **shared.labels},
    )


def _channel(name: str, entry: Kinded) -> ChannelPlan:
    shared = cast(m.ChannelEntry, entry.shared)
    return ChannelPlan(
        name=name,
        kind=entry.kind.name,
        options=entry.options,
        address=address_of(entry),
        fallback=shared.fallback,
        providers=shared.providers,
        countries=shared.countries,
        concurrency=shared.concurrency,
        flow=flow_of(shared.budget, address_of(entry)),
        retry_for_s=shared.retry_for.total_seconds(),
        fingerprint=_fingerprint(entry.raw),
    )


def _service(name: str, services: Mapping[str, m.ServiceEntry]) -> ServicePlan:
    entry = services[name]
    runbook = entry.runbook
    # Rule SLA-9: without a contract nothing was promised, unless somebody wrote it.
    tolerance = entry.tolerance or (Tolerance() if entry.sla else None)
    return ServicePlan(
        id=name,
        name=entry.name or name,
        customer=entry.customer or "",
        sla=entry.sla,
        outage_tolerated=tolerance.outage if tolerance else None,
        restore_within=tolerance.restore if tolerance else None,
        integrity_kept=tolerance is not None and tolerance.integrity_loss == NO_LOSS_PERCENT,
        hours=entry.hours,
        availability_percent=entry.availability,
        escalation=entry.escalation,
        runbook=runbook.url if isinstance(runbook, m.Runbook) else runbook or "",
        runbook_expected=runbook.expected if isinstance(runbook, m.Runbook) else None,
        redundancy=entry.redundancy,
        carries=entry.carries,
        depends_on=causes_of(name, services),
        contacts=dict(entry.contacts),
    )

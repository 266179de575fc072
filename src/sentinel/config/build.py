"""From what is written to what runs: ``Setup`` is all that the daemon is told of the configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from sentinel import rules
from sentinel.config import model as m
from sentinel.config.calendars import BUSINESS, Calendars
from sentinel.config.checks import DEFAULT_ESCALATION, address_of
from sentinel.config.contracts import Contracts
from sentinel.config.fields import HostPort
from sentinel.config.handling import IncidentRules, Tolerance
from sentinel.config.people import directory_of, listener_of, step_of
from sentinel.config.ruling import rules_of
from sentinel.config.sections import Config, Kinded
from sentinel.config.telling import Tickets as TicketsEntry
from sentinel.config.telling import Watchdog
from sentinel.config.timing import timing_of
from sentinel.core.model import Directory, Listener, Plan, Step, Verdict
from sentinel.core.sla import Contract
from sentinel.probes.base import ProbeKind
from sentinel.probes.net import TargetPolicy
from sentinel.probes.plan import Confirm, ProbePlan

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
    concurrency: int
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
    escalation: str
    runbook: str
    runbook_expected: timedelta | None
    redundancy: bool
    contacts: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Tickets:
    """Which back-end keeps tickets (empty: none), and from which level on."""

    backend: str
    min_level: int


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
    escalations: dict[str, tuple[Step, ...]]
    recipients: tuple[Listener, ...]
    last_resort: tuple[str, ...]
    last_resort_by: tuple[str, ...]
    tickets: Tickets
    incidents: IncidentRules
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

    def plan_for(self, service: str, verdict: Verdict) -> Plan:
        """Return what is to happen with an incident of a service: who is told when, who listens, which ticket.

        A service without an escalation of its own has the one called ``default``. A group that the rule names is
        told too: at once when there is no escalation, otherwise as a listener.
        """
        entry, incidents = self.services.get(service), self.incidents
        contacts = entry.contacts if entry else {}
        ladder = self.escalations.get((entry.escalation if entry else "") or DEFAULT_ESCALATION, ())
        listeners = tuple(one for one in self.recipients if not one.services or service in one.services)
        if verdict.group and not ladder:
            ladder = (Step(after=timedelta(0), to=(verdict.group,), min_level=1),)
        elif verdict.group:
            listeners = (*listeners, Listener(who=verdict.group, min_level=1))
        return Plan(
            ladder=ladder,
            listeners=listeners,
            last_resort=self.last_resort,
            last_resort_by=self.last_resort_by,
            ticket=self.tickets.backend if verdict.level >= self.tickets.min_level else "",
            runbook=entry.runbook if entry else "",
            manager=contacts.get("incident_manager", ()),
            operations=contacts.get("operations", ()) if verdict.level >= incidents.receipt_min_level else (),
            intervention=contacts.get("intervention", contacts.get("technical", ())),
            expected=entry.runbook_expected if entry else None,
            immediate_within=incidents.immediate_within,
            cascade_after=incidents.cascade_after or None,
            cascade_ticket=self.tickets.backend,
            problem_after=incidents.problems.after,
            problem_unknown_cause=incidents.problems.unknown_cause,
            flap_changes=incidents.flapping.changes,
            flap_within=incidents.flapping.within,
            outage_tolerated=entry.outage_tolerated if entry else None,
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
    incidents = cast(IncidentRules, single["incidents"])
    targets = cast(m.TargetRules, single["target_policy"])
    server = cast(m.Server, single["server"])
    calendars = Calendars(config.calendars, config.site.timezone, config.site.country or "")
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
        contracts=Contracts(config.sla, calendars),
        services={name: _service(name, entry) for name, entry in config.services.items()},
        directory=directory_of(config, calendars),
        rules=rules_of(config),
        group_by=config.ordered.group_by,
        escalations={name: tuple(map(step_of, entry.steps)) for name, entry in config.escalations.items()},
        recipients=tuple(listener_of(entry) for _, entry in config.recipients),
        last_resort=told.to,
        last_resort_by=told.by,
        tickets=Tickets(TICKETS[tickets.backend], tickets.open.min_level),
        incidents=incidents,
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
        targets=entry.options.targets(),
        interval_s=timing.interval.total_seconds(),
        timeout_s=timing.timeout.total_seconds(),
        fingerprint=_fingerprint(entry.raw, timing),
        confirm=Confirm(
            attempts=timing.attempts,
            every_s=timing.every.total_seconds(),
            need=timing.need,
            within_s=timing.within.total_seconds(),
        ),
        recover_need=timing.recover_need,
        service=shared.service,
        title=shared.title or "",
        runbook=shared.runbook or "",
        functional=kind.functional,
        critical=shared.critical,
        passive=kind.passive,
        paused=shared.paused,
        labels=dict(shared.labels),
    )


def _channel(name: str, entry: Kinded) -> ChannelPlan:
    shared = cast(m.ChannelEntry, entry.shared)
    return ChannelPlan(
        name=name,
        kind=entry.kind.name,
        options=entry.options,
        address=address_of(entry),
        fallback=shared.fallback,
        concurrency=shared.concurrency,
        retry_for_s=shared.retry_for.total_seconds(),
        fingerprint=_fingerprint(entry.raw),
    )


def _service(name: str, entry: m.ServiceEntry) -> ServicePlan:
    runbook = entry.runbook
    # Rule SLA-9: without a contract nothing was promised, unless somebody wrote it.
    tolerance = entry.tolerance or (Tolerance() if entry.sla else None)
    return ServicePlan(
        id=name,
        name=entry.name or name,
        customer=entry.customer or "",
        sla=entry.sla,
        outage_tolerated=tolerance.outage if tolerance else None,
        escalation=entry.escalation,
        runbook=runbook.url if isinstance(runbook, m.Runbook) else runbook or "",
        runbook_expected=runbook.expected if isinstance(runbook, m.Runbook) else None,
        redundancy=entry.redundancy,
        contacts=dict(entry.contacts),
    )

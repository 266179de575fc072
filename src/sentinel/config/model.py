"""What a configuration may hold: one model a section, in the words of the file.

Kinds of probes and channels bring their own options; here stands what all of them share.
"""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from sentinel.config.base import Country, LevelField, Section, Text
from sentinel.config.budgets import BudgetEntry
from sentinel.config.calendars import ALWAYS_NAME, CalendarEntry
from sentinel.config.changing import ChangesSection
from sentinel.config.contracts import ContractEntry
from sentinel.config.crises import CrisisEntry
from sentinel.config.fields import (
    CidrNetwork,
    Count,
    Duration,
    Flag,
    HostPort,
    MailAddress,
    Mobile,
    OneOrMany,
    Percent,
    Positive,
    TimeZoneName,
    Url,
    quoted,
    wrong,
)
from sentinel.config.handling import IncidentRules, Tolerance
from sentinel.config.inhibition import InhibitEntry
from sentinel.config.intake import IntakeSection
from sentinel.config.isolation import IsolationRules
from sentinel.config.ladders import EscalationEntry
from sentinel.config.matrices import MatrixEntry
from sentinel.config.portal import AuthSection, StatusPageEntry
from sentinel.config.prefixes import PrefixField
from sentinel.config.quantities import read_whole
from sentinel.config.readings import Listen, Resolver, StorageUrl
from sentinel.config.reporting import ReportEntry
from sentinel.config.rotas import RotaEntry
from sentinel.config.rule_entry import RuleEntry
from sentinel.config.shares import Share
from sentinel.config.silencing import SilenceEntry
from sentinel.config.sites import LOCAL, From
from sentinel.config.support import SupportEntry
from sentinel.config.telling import RecipientEntry
from sentinel.config.ticketing import Tickets
from sentinel.config.watchdog import Watchdog
from sentinel.config.working import WorkersField
from sentinel.core.model import Language

LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
INTERVAL_MAX: Final = timedelta(days=31)
TIMEOUT_MAX: Final = timedelta(minutes=10)
Side = Literal["provider", "customer", "partner"]
# `admin` is short for `administrator`; who is a customer is said by `customer`.
PersonRole = Literal["viewer", "operator", "incident_manager", "delivery_manager", "administrator", "admin"]
Interval = Annotated[Duration, Field(ge=timedelta(milliseconds=100), le=INTERVAL_MAX)]
Timeout = Annotated[Duration, Field(ge=timedelta(milliseconds=1), le=TIMEOUT_MAX)]


# --------------------------------------------------------------------------------------------- the site and its server


class Site(Section):
    """Who runs this Sentinel, and what holds for everyone unless they say otherwise."""

    name: Text = "Sentinel"
    url: Url | None = None
    timezone: TimeZoneName = "Europe/Paris"
    language: Language = "fr"
    country: Country | None = None


class MetricsPage(Section):
    """Where the metrics are, and who may read them."""

    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]*$", max_length=200)] = "/metrics"
    allow: OneOrMany[CidrNetwork] = LOOPBACK
    people: Flag = True


class ProbePage(Section):
    """``/probe``: a blackbox_exporter file, and the networks that may be probed besides the configured targets."""

    modules: Text | None = None
    allow: OneOrMany[CidrNetwork] = ()


class Server(Section):
    """The one port, and others at whose ``/`` one door is, for clients that take no path."""

    listen: Listen = HostPort("127.0.0.1", 9115)
    roots: dict[Literal["am", "opsgenie"], Listen] = {}
    metrics: MetricsPage = MetricsPage.defaults()
    probe: ProbePage = ProbePage.defaults()


class Keep(Section):
    """For how long things are kept."""

    results: Annotated[Duration, Field(ge=timedelta(hours=1))] = timedelta(days=90)
    incidents: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=5 * 365)


class Storage(Section):
    """Where things are kept. ``synchronous: normal`` risks the last moments before a power cut."""

    url: StorageUrl | None = None
    keep: Keep = Keep.defaults()
    synchronous: Literal["full", "normal"] = "full"


class TargetRules(Section):
    """Addresses that must not be spoken to, and exceptions. Link-local and metadata addresses always are denied."""

    deny: OneOrMany[CidrNetwork] = ()
    allow: OneOrMany[CidrNetwork] = ()


class EngineLimits(Section):
    """How much is done at once and in how many processes, and from which lag results count as suspect."""

    max_in_flight: Positive = 500
    per_host: Positive = 8
    loop_lag_suspect: Duration = timedelta(milliseconds=250)
    workers: WorkersField = 0


# ------------------------------------------------------------------------------------------------- people and channels


NTFY_TOPIC: Final = r"^[-_A-Za-z0-9]{1,64}$"  # as its server takes them


class PersonEntry(Section):
    """Someone who can be told."""

    name: Text | None = None
    email: MailAddress | None = None
    mobile: Mobile | None = None
    ntfy: Annotated[str, Field(pattern=NTFY_TOPIC)] | None = None
    language: Language | None = None
    timezone: TimeZoneName | None = None
    role: PersonRole = "operator"
    side: Side = "provider"
    customer: Text | None = None
    by: OneOrMany[str] = ()

    @model_validator(mode="after")
    def _can_be_reached(self) -> PersonEntry:
        if self.email is None and self.mobile is None and self.ntfy is None:
            raise wrong("there is no address", "write `email` or `mobile`")
        return self


class GroupEntry(Section):
    """Several people, and mail addresses of the group's own."""

    name: Text | None = None
    side: Side = "provider"
    members: OneOrMany[str] = ()
    email: OneOrMany[MailAddress] = ()

    @model_validator(mode="after")
    def _is_not_empty(self) -> GroupEntry:
        if not self.members and not self.email:
            raise wrong("the group is empty", "write `members` or `email`")
        return self


class ChannelEntry(Section):
    """What all channels share; the kind's own options come beside."""

    type: str
    fallback: str = ""
    providers: OneOrMany[str] = ()
    countries: OneOrMany[PrefixField] = ()
    concurrency: Positive = 4
    retry_for: Duration = timedelta(hours=4)
    budget: BudgetEntry = BudgetEntry.defaults()


# ------------------------------------------------------------------------------------------------- probes and services


class Confirm(Section):
    """How a failed run makes sure: so many more attempts, so far apart; so many must fail too; within so long."""

    attempts: Annotated[Count, Field(le=20)] | None = None
    every: Duration | None = None
    need: Count | None = None
    within: Duration | None = None


class Recover(Section):
    """How many good runs in a row end a failure."""

    need: Positive | None = None


class Defaults(Section):
    """What holds for every probe that does not say otherwise."""

    interval: Interval = timedelta(minutes=5)
    timeout: Timeout = timedelta(seconds=8)  # with the rest, an outage is seen within 5 min 30 s (rule SRC-1)
    confirm: Confirm = Confirm.defaults()
    recover: Recover = Recover.defaults()
    from_: From = Field((LOCAL,), alias="from")


class ProbeEntry(Section):
    """What all probes share; the kind's own options come beside."""

    type: str
    service: str = ""
    interval: Interval | None = None
    timeout: Timeout | None = None
    confirm: Confirm = Confirm.defaults()
    recover: Recover = Recover.defaults()
    quorum: Share | None = None
    labels: dict[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")], Text] = {}
    critical: Flag = False
    title: Text | None = None
    runbook: Text | None = None
    paused: Flag = False
    from_: From | None = Field(None, alias="from")


class Runbook(Section):
    """What to do, and how long it should take."""

    url: Url
    expected: Duration | None = None


class ServiceEntry(Section):
    """What is watched for a customer."""

    name: Text | None = None
    customer: Text | None = None
    sla: str = ""
    tolerance: Tolerance | None = None
    hours: str = ALWAYS_NAME
    availability: Annotated[Percent, Field(gt=0)] | None = None
    escalation: str = ""
    runbook: Runbook | Text | None = None
    redundancy: Flag = False
    stability: LevelField | None = None
    improvement: LevelField | None = None
    components: OneOrMany[Text] = ()
    carries: OneOrMany[str] = ()
    depends_on: OneOrMany[str] = ()
    status_page: str = ""
    contacts: dict[str, OneOrMany[str]] = {}


class Version(Section):
    """Not a section, but checked like one."""

    version: Annotated[Literal[1], BeforeValidator(read_whole)] = 1


# Every top section by its shape. Named ones map names to entries; lists are ordered.
SINGLE: Final[dict[str, type[Section]]] = {
    "site": Site,
    "server": Server,
    "storage": Storage,
    "target_policy": TargetRules,
    "engine": EngineLimits,
    "defaults": Defaults,
    "incidents": IncidentRules,
    "isolation": IsolationRules,
    "intake": IntakeSection,
    "support": SupportEntry,
    "changes": ChangesSection,
    "tickets": Tickets,
    "watchdog": Watchdog,
    "auth": AuthSection,
}
NAMED: Final[dict[str, type[Section]]] = {
    "people": PersonEntry,
    "groups": GroupEntry,
    "channels": ChannelEntry,
    "services": ServiceEntry,
    "probes": ProbeEntry,
    "escalations": EscalationEntry,
    "calendars": CalendarEntry,
    "sla": ContractEntry,
    "rotas": RotaEntry,
    "matrices": MatrixEntry,
    "crises": CrisisEntry,
    "status_pages": StatusPageEntry,
    "silences": SilenceEntry,
}
LISTED: Final[dict[str, type[Section]]] = {
    "rules": RuleEntry,
    "inhibit": InhibitEntry,
    "recipients": RecipientEntry,
    "reports": ReportEntry,
}

_GROUPABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def read_group_by(value: Any) -> Any:
    """Read the name of a label, or of one of the facts every failure has."""
    if not isinstance(value, str) or not _GROUPABLE.fullmatch(value):
        raise wrong(f"{quoted(value)} is not the name of a label", "write `service`, `probe`, `target` or a label")
    return value


class Ordered(Section):
    """Top keys that hold plain lists."""

    group_by: OneOrMany[Annotated[str, BeforeValidator(read_group_by)]] = ("service",)
    resolvers: OneOrMany[Resolver] = ()


TOP_KEYS: Final = ("version", "include", *SINGLE, *NAMED, *LISTED, *Ordered.model_fields)

"""What the handlers are handed: everything of the daemon that a request may ask of or look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web

from sentinel.core.model import Directory, Language, Refused, Result, Verdict
from sentinel.core.pings import NOTHING, Heard, Kind, Said
from sentinel.core.report.model import NoService, Report, Wanted
from sentinel.core.sla import Contract
from sentinel.messages.links import Links
from sentinel.rules import Facts, classify

if TYPE_CHECKING:
    from sentinel.channels.sms_inbound import SmsDoor
    from sentinel.core.change import Change
    from sentinel.core.mapping import BodyMapping
    from sentinel.core.signing import Signature
    from sentinel.engine.accounts import Accounts
    from sentinel.engine.addresses import Addresses
    from sentinel.engine.alerts import Alerts
    from sentinel.engine.answers import Answers
    from sentinel.engine.changes import Changes
    from sentinel.engine.desk import Desk
    from sentinel.engine.evidence import Evidence
    from sentinel.engine.live import Live
    from sentinel.engine.matrices import Matrices
    from sentinel.engine.news import News
    from sentinel.engine.overload import OverloadWatch
    from sentinel.engine.portal import Portal
    from sentinel.engine.problems import Problems
    from sentinel.engine.recurring_silences import RecurringSilences
    from sentinel.engine.rotas import Rotas
    from sentinel.engine.tested import ContactTests
    from sentinel.engine.tokens import Tokens
    from sentinel.intake.answering import Answering
    from sentinel.intake.mail import MailDoor
    from sentinel.intake.opsgenie.watch import Watch as OpsgenieWatch
    from sentinel.intake.receipts import Receipts
    from sentinel.openid.provider import Provider
    from sentinel.store.base import ResultStore, Store
    from sentinel.web.configuration import Configuration

Loopback = Literal["auto", "yes", "no"]
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The backup support entry: the secret of its link, what it is about, how many reports an hour it takes."""

    key: str = field(repr=False)
    services: tuple[str, ...]
    phone: str = ""
    per_hour: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDoor:
    """The doors for alerts of other tools: who may come in by address or by key, and what they are told."""

    enabled: bool = True
    allow: tuple[IPv4Network | IPv6Network, ...] = ()
    key: str = field(default="", repr=False)
    resolve_timeout: timedelta = timedelta(minutes=5)
    compat_version: str = "0.33.1"
    group_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that calls: its probe, its key, its slug; ``meaning`` reads what a body says.

    An alert with all the labels of ``alert`` is a call too.
    """

    name: str
    key: str = field(default="", repr=False)
    slug: str = ""
    post_only: bool = False
    alert: Mapping[str, str] = field(default_factory=dict)
    meaning: Callable[[str], Kind] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """A sender with a key of its own, PagerDuty's or Opsgenie's: its name, the key, what it is about."""

    name: str
    key: str = field(repr=False)
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An address for JSON bodies: its key, how they are read, and how they are signed where they are."""

    key: str = field(repr=False)
    mapping: BodyMapping
    signature: Signature | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInProxy:
    """A proxy that signs people in before us: the header in which it names them, and where it is."""

    header: str
    networks: tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the web needs to know of the configuration. ``ping_key`` is that of all jobs, which are then told by slugs.

    ``owners`` says which customer a service is of. ``loopback`` says whether this machine needs a token, ``auto``: when
    there is one. ``limit`` is how many requests a second one client may make in the long run, and how many at once.
    ``sign_in_with`` is what people call the identity provider, where there is one.
    """

    directory: Directory
    listen_host: str = "127.0.0.1"
    site_name: str = "Sentinel"
    site_url: str = ""
    timezone: str = "Europe/Paris"
    language: Language = "en"
    metrics_path: str = "/metrics"
    metrics_allow: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    services: Mapping[str, str] = field(default_factory=dict)
    customers: tuple[str, ...] = ()
    jobs: tuple[Job, ...] = ()
    ping_key: str = field(default="", repr=False)
    support: Support | None = None
    alerts: AlertDoor = AlertDoor()
    problems: AlertDoor = AlertDoor(enabled=False)
    integrations: tuple[Integration, ...] = ()
    opsgenie: tuple[Integration, ...] = ()
    hooks: tuple[Hook, ...] = ()
    ticket_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    sms_doors: Mapping[str, SmsDoor] = field(default_factory=dict, repr=False)
    owners: Mapping[str, str] = field(default_factory=dict)
    loopback: Loopback = "auto"
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    limit: tuple[float, float] = (100.0, 1_000.0)
    sign_in_proxy: SignInProxy | None = None
    local_accounts: bool = True
    sign_in_with: str = ""

    @property
    def sign_in_ways(self) -> tuple[str, ...]:
        """Return how people can sign in without an account of their own here."""
        return (*(("proxy",) if self.sign_in_proxy else ()), *(("oidc",) if self.sign_in_with else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What was agreed about a service: with whom, what is promised, who is in charge by role, what hangs on what.

    ``contacts`` are people, groups and rotas as the configuration writes them.
    """

    name: str
    customer: str = ""
    contract: Contract | None = None
    hours: str = ""
    availability_percent: float | None = None
    outage_tolerated: timedelta | None = None
    restore_within: timedelta | None = None
    escalation: str = ""
    runbook: str = ""
    depends_on: tuple[str, ...] = ()
    contacts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What came of the last self-test: when one last passed, and what fails by the name of its check."""

    passed_at: datetime | None = None
    failing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the daemon is. ``problems`` are sentences; ``last_run_at`` is when a probe last ended.

    A self-test that fails does not make it unready: it goes on taking what comes in.
    """

    version: str
    started_at: datetime
    ready: bool
    probes: int
    last_run_at: datetime | None = None
    problems: tuple[str, ...] = ()
    self_test: SelfTest = SelfTest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOutcome:
    """What came of reading the configuration again; with mistakes the old one goes on."""

    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Tell whether the new configuration is in use."""
        return not self.mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What came of one test message: ``error`` is empty when the carrier took it."""

    channel: str
    reference: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """What ``/probe`` answers."""

    status: int
    text: str
    content_type: str = "text/plain; version=0.0.4; charset=utf-8"


async def no_canary(_text: str, _by: Literal["mail", "sms", "webhook", "receipt"]) -> bool:
    """Say that this is no canary."""
    return False


async def no_ticket(name: str, _headers: Mapping[str, str], _body: bytes) -> None:
    """Know no ticket back-end."""
    raise KeyError(name)


async def no_change(number: str, _by: str) -> Change:
    """Say that there is no such change."""
    raise Refused(f"There is no change {number}.")


async def no_report(_wanted: Wanted) -> Report:
    """Say that there is nothing to report about."""
    raise NoService("There is no service.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The daemon, as far as requests may see it; filled in by ``daemon.py``.

    ``read`` runs a blocking read of the store in a reader thread. ``heard`` keeps what a job said, and
    returns when that is on disk; ``job`` returns what is known of one. ``probe_once`` runs all targets of a probe
    now, and returns nothing for a name that is not configured. ``notify_test`` raises ``KeyError`` for a person
    nobody knows.
    ``blackbox`` answers ``/probe``, given its query and headers, ``blackbox_told`` its pages ``config`` and ``logs``.
    ``served`` is told of each request: the pattern of its path, its method, the code of the answer and the seconds it
    took. ``classify`` says what the rules make of a report, ``words`` which values of a label they ask for.
    ``agreed`` knows the services of the configuration.
    ``alerts_heard`` is told of alerts from elsewhere: the source, how many fire, are over, make no sense.
    """

    settings: Callable[[], Settings]
    desk: Desk
    rotas: Rotas
    matrices: Matrices
    overload: OverloadWatch
    addresses: Addresses
    problems: Problems
    store: Store
    results: ResultStore
    live: Live
    news: News
    read: Callable[..., Awaitable[Any]]
    now: Callable[[], datetime]
    health: Callable[[], Health]
    reload: Callable[[], Awaitable[ReloadOutcome]]
    metrics_page: Callable[[str], tuple[Iterator[bytes], str]]
    heard: Callable[[str, Said], Awaitable[None]]
    probe_once: Callable[[str], Awaitable[list[Result] | None]]
    notify_test: Callable[[str], Awaitable[list[Delivered]]]
    blackbox: Callable[[Mapping[str, str], Mapping[str, str]], Awaitable[ProbeAnswer]]
    blackbox_told: Callable[[str, Mapping[str, str]], Awaitable[ProbeAnswer]]
    served: Callable[[str, str, int, float | None], None] = lambda *_: None
    job: Callable[[str], Heard] = lambda _name: NOTHING
    classify: Callable[[Facts], Verdict | None] = lambda facts: classify(facts, (), ())
    words: Callable[[str], tuple[str, ...]] = lambda _label: ()
    links: Callable[[], Links | None] = lambda: None
    openid: Callable[[], Provider | None] = lambda: None
    report: Callable[[Wanted], Awaitable[Report]] = no_report
    agreed: Callable[[str], Agreed | None] = lambda _service: None
    alerts: Alerts | None = None
    alerts_heard: Callable[[str, int, int, int], None] = lambda *_: None
    answering: Answering | None = None
    receipts: Receipts | None = None
    mail: MailDoor | None = None
    tokens: Tokens | None = None
    accounts: Accounts | None = None
    tested: ContactTests | None = None
    configuration: Callable[[], Awaitable[Configuration]] | None = None
    answers: Answers | None = None
    changes: Changes | None = None
    portal: Portal | None = None
    evidence: Evidence | None = None
    opsgenie: OpsgenieWatch | None = None
    ticket_told: Callable[[str, Mapping[str, str], bytes], Awaitable[None]] = no_ticket
    recurring: RecurringSilences | None = None
    finish_change: Callable[[str, str], Awaitable[Change]] = no_change
    canary: Callable[[str, Literal["mail", "sms", "webhook", "receipt"]], Awaitable[bool]] = no_canary


CONTEXT = web.AppKey("CONTEXT", Context)

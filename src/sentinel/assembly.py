"""From a configuration to the parts that depend on it: what a reload makes anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from socket import getfqdn
from typing import TYPE_CHECKING

import msgspec

from sentinel import channels as channel_kinds
from sentinel import tickets as ticket_kinds
from sentinel.channels.base import Message, Surroundings, Undelivered
from sentinel.channels.mail_message import local_part
from sentinel.channels.providers import Counted, Providers, provider_pairs, uncounted
from sentinel.config.build import Setup
from sentinel.config.meanings import meanings_of, rules_for_alerts
from sentinel.config.ruling import open_calendars, priorities_of
from sentinel.config.silencing import Recurring
from sentinel.config.silencing_said import recurring_said
from sentinel.core.actions import ActionDates
from sentinel.core.model import Page, Person, Plan, Verdict
from sentinel.core.overload import Limits as OverloadLimits
from sentinel.core.terms import Terms
from sentinel.engine import canary
from sentinel.engine.alert_meaning import AlertSettings
from sentinel.engine.backup import Backups
from sentinel.engine.change_watch import Backup
from sentinel.engine.changes import Means
from sentinel.engine.draft import Policy
from sentinel.engine.gathering import Occasion
from sentinel.engine.isolation import Isolation
from sentinel.engine.judge import Rulebook
from sentinel.engine.passage import CONCURRENCY, Carrier
from sentinel.engine.recurring_silences import Wanted
from sentinel.engine.rota_watch import RotaWatch, Sample
from sentinel.engine.scheduler import Limits
from sentinel.engine.workers.fleet import Working
from sentinel.engine.workers.wire import Settings as WorkerSettings
from sentinel.messages import bulletins, replies
from sentinel.messages import digest as digests
from sentinel.messages.canary import Cage
from sentinel.messages.canary import write as written_canary
from sentinel.messages.changes import ChangeWords
from sentinel.messages.compose import compose
from sentinel.messages.links import Links
from sentinel.messages.notice import Notice
from sentinel.messages.problems import ProblemMessages
from sentinel.messages.rotas import RotaWords
from sentinel.messages.telling import envelope
from sentinel.metrics import Expected, Meters
from sentinel.store.base import OutboxRow
from sentinel.tickets.base import TicketBackend
from sentinel.tickets.common import TellsTime

if TYPE_CHECKING:
    from sentinel.probes.blackbox import Modules

PLANS_MAX = 4_096  # Plans that are kept put together: one for each service, level and group.
DEFAULT_MODULES = Path(__file__).with_name("probes") / "default_modules.yml"

_notices = msgspec.json.Decoder(Notice)


def policy_of(setup: Setup) -> Policy:
    """Return what the configuration says to the desk."""
    terms = Terms(
        contract_of=setup.contract_of,
        remind_at=setup.remind_at,
        close_by=setup.close_by,
        watch_at=setup.watch_at,
        review_dates=setup.review_dates,
        action_dates=setup.action_dates,
    )
    return Policy(
        directory=msgspec.structs.replace(setup.directory, terms=terms),
        plan_for=plans_of(setup),
        close_by=setup.close_by,
        retry_for=setup.retry_for,
        reopen_within=setup.incidents.reopen_within,
        problem_within=setup.incidents.problems.within if setup.incidents.problems.after else None,
    )


def plans_of(setup: Setup) -> Callable[[str, Verdict], Plan]:
    """Return what gives the plan of an incident; put together once for a service, a level and a group."""
    known: dict[tuple[str, int, str], Plan] = {}

    def plan_for(service: str, verdict: Verdict) -> Plan:
        if verdict.kind == "request":
            return setup.plan_for(service, verdict)
        asked = service, verdict.level, verdict.group
        if asked not in known:
            if len(known) >= PLANS_MAX:
                known.clear()
            known[asked] = setup.plan_for(service, verdict)
        return known[asked]

    return plan_for


def overload_limits_of(setup: Setup) -> OverloadLimits | None:
    """Return how long the queue may get before overload begins by itself; nothing when only people switch it."""
    entry = setup.incidents.overload
    if entry is None:
        return None
    return OverloadLimits(queue=entry.queue, until=entry.queue // 2 if entry.until is None else entry.until)


def rulebook_of(setup: Setup) -> Rulebook:
    """Return what the configuration says to the judge."""
    return Rulebook(
        rules=setup.rules,
        for_alerts=rules_for_alerts(meanings_of(setup.intake)),
        inhibit=setup.inhibit,
        group_by=setup.group_by,
        priorities={
            name: priorities_of(setup.contracts[service.sla]) for name, service in setup.services.items() if service.sla
        },
        redundant=frozenset(name for name, service in setup.services.items() if service.redundancy),
        open_at=partial(open_calendars, setup.rules, setup.calendars),
    )


def alert_settings_of(setup: Setup) -> AlertSettings:
    """Return what the configuration says of alerts that other tools send."""
    door = setup.intake.alertmanager
    return AlertSettings(
        resolve_timeout=door.resolve_timeout,
        service_label=door.service_label,
        services=frozenset(setup.services),
        meanings=meanings_of(setup.intake),
    )


def change_means_of(setup: Setup) -> Means:
    """Return what the configuration says about planned changes, who listens to them, and the words for them."""
    names = {name: service.name for name, service in setup.services.items()}
    people = {person.id: person.name for person in setup.directory.people.values()}
    words = ChangeWords(names, people, setup.site.url or "")
    return Means(plans=setup.changes, listeners=setup.recipients, words=words)


def backup_of(setup: Setup, backups: Backups) -> Backup | None:
    """Return what backs a service up, if the configuration names a program (rule CHG-3)."""
    program = setup.changes.backup
    if program is None:
        return None
    return lambda service: backups.run(program.arguments(service), program.timeout_s)


def recurring_of(name: str, wanted: Wanted) -> Recurring:
    """Return a silence that somebody wants again and again.

    Raises:
        Refused: it makes no sense.
    """
    more = {"timezone": wanted.timezone, "comment": wanted.comment, "by": wanted.by}
    return recurring_said(name, wanted.matchers, wanted.every, wanted.for_s, **more)


def limits_of(setup: Setup) -> Limits:
    """Return how much may be probed at once."""
    return Limits(in_flight=setup.engine.max_in_flight, per_host=setup.engine.per_host)


def working_of(setup: Setup) -> Working:
    """Return how many workers are to probe, and what all of them are told."""
    settings = WorkerSettings(
        servers=tuple(map(str, setup.resolvers)),
        deny=tuple(map(str, setup.policy.deny)),
        allow=tuple(map(str, setup.policy.allow)),
        lag_limit_s=setup.engine.loop_lag_suspect.total_seconds(),
    )
    return Working(setup.engine.workers, settings)


def set_canaries(isolation: Isolation, setup: Setup) -> None:
    """Say which probes tell that the host itself is cut off, and how many of them must fail (rule SRC-9)."""
    isolation.canaries = tuple(setup.probes[name] for name in setup.isolation.canaries)
    isolation.need = setup.isolation.need or 0


def expect(setup: Setup, meters: Meters) -> None:
    """Put on the metrics page what this configuration can count."""
    expected = Expected(
        kinds=frozenset(plan.type for plan in setup.probes.values()),
        channels=frozenset(setup.channels),
        providers=provider_pairs({name: plan.providers for name, plan in setup.channels.items()}),
        services=frozenset({plan.service for plan in setup.probes.values()} | setup.services.keys()),
        backends=frozenset({"builtin", *(mirror.called for mirror in setup.tickets.mirrors)}),
    )
    meters.expect(expected)


def rota_states(watch: RotaWatch, setup: Callable[[], Setup]) -> dict[str, Callable[[], list[Sample]]]:
    """Return the metrics of the rotas. Who is on call is the only thing they say of people, and may be hidden."""
    return {
        "sentinel_oncall_info": lambda: watch.on_call() if setup().server.metrics.people else [],
        "sentinel_oncall_filled_until_timestamp_seconds": watch.filled_until,
    }


def problem_words(setup: Setup) -> ProblemMessages:
    """Return what speaks of problems."""
    people = setup.directory.people
    return ProblemMessages(
        services={name: service.name for name, service in setup.services.items()},
        url=setup.site.url or "",
        name_of=lambda who: people[who].name if who in people else who,
    )


def action_dates_of(setup: Setup) -> Callable[[date], ActionDates]:
    """Return what says when the owner of a problem's action is reminded, and from when on it is late."""
    plan = setup.review_of("", {})
    return lambda due_on: setup.action_dates(plan, due_on)


def rota_words_of(setup: Setup) -> RotaWords:
    """Return what speaks of rotas."""
    return RotaWords(setup.site.language, setup.site.url or "")


def envelope_of(setup: Setup) -> Callable[..., bytes]:
    """Return how to write down what there is to tell."""
    return partial(
        envelope,
        directory=setup.directory,
        services={name: service.name for name, service in setup.services.items()},
        url=setup.site.url or "",
    )


def mirrors_of(setup: Setup, now: Callable[[], datetime]) -> dict[str, TicketBackend]:
    """Build the ticket back-ends that follow the first one, by their names."""
    kind = ticket_kinds.kind
    backends = {one.called: kind(one.backend).build(one, setup.policy) for one in setup.tickets.mirrors}
    for backend in backends.values():
        if isinstance(backend, TellsTime):
            backend.now = lambda: now().timestamp()
    return backends


def modules_of(setup: Setup) -> Modules | None:
    """Return the modules of ``/probe`` that are configured; without any the built-in ones are read when asked for.

    Raises:
        ConfigError: the file cannot be used.
    """
    return _load_modules(setup.modules) if setup.modules else None


def built_in_modules() -> Modules:
    """Return the modules of ``/probe`` that Sentinel brings along."""
    return _load_modules(DEFAULT_MODULES)


def _load_modules(path: Path) -> Modules:
    from sentinel.probes.blackbox import load  # noqa: PLC0415  it takes a tenth of a second that few starts need

    return load(path)


def fixed(old: Setup, new: Setup) -> list[str]:
    """Name what a reload cannot change."""
    pairs = (
        *((f"server.{one}", getattr(old.server, one), getattr(new.server, one)) for one in ("listen", "roots")),
        ("server.metrics.path", old.server.metrics.path, new.server.metrics.path),
        ("storage.url", old.storage.url, new.storage.url),
    )
    return [f"{name} changes at the next start only" for name, before, after in pairs if before != after]


def carriers_of(setup: Setup, now: Callable[[], datetime], counted: Counted = uncounted) -> dict[str, Carrier]:
    """Build every channel; ``counted`` is told what comes of messages at each of several providers."""
    surroundings = Surroundings(
        policy=setup.policy,
        hostname=hostname(),
        site=setup.site.name,
        now=lambda: now().timestamp(),
        folder=setup.folder,
        url=setup.site.url or "",
    )
    senders = {
        name: channel_kinds.kind(plan.kind).build(plan.options, replace(surroundings, channel=name))
        for name, plan in setup.channels.items()
    }
    carriers = {}
    for name, plan in setup.channels.items():
        others = [(one, senders[one]) for one in plan.providers]
        sender = Providers(senders[name], others, partial(counted, name)) if others else senders[name]
        carriers[name] = Carrier(sender, plan.concurrency or CONCURRENCY, plan.flow)
    return carriers


@cache
def hostname() -> str:
    """Return the name of this machine, as it stands in Message-IDs."""
    return getfqdn()  # It may ask a resolver that is slow to answer: once, at the start.


@dataclass(frozen=True, slots=True)
class Composition:
    """Writes outbox rows out as messages, to the addresses of now."""

    setup: Callable[[], Setup]
    links: Callable[[], Links | None] = lambda: None
    proof: Callable[[str], str] = lambda _message: ""
    bulletin: Callable[[OutboxRow], Message] | None = None

    def __call__(self, row: OutboxRow) -> Message:
        """Return the message of a row.

        Raises:
            Undelivered: nobody knows the person any more, or they have no address for the channel.
        """
        # What a mail server sends back of a mail of no incident must be known without a look at the database.
        return replace(self._written(row), proof=self.proof(row.id if row.incident else local_part(row.id)))

    def _written(self, row: OutboxRow) -> Message:
        if not row.incident and row.id.startswith(replies.KEY):
            return self._reply(row)
        if not row.incident and row.id.startswith(canary.KEY):
            return self._canary(row)
        if self.bulletin is not None and not row.incident and row.id.startswith(bulletins.KEY):
            return self.bulletin(row)
        notice = _notices.decode(row.body)
        links = self.links()
        if links is not None and row.incident:  # Here, so that no link to act by lies in the database.
            page = Page(row.person, row.channel)
            notice = msgspec.structs.replace(notice, ack_url=links.to(row.incident, row.sequence, page))
        return self.write(notice, row.person, row.channel)

    def _reply(self, row: OutboxRow) -> Message:
        person, address = self._reader(row.person, row.channel)
        return replies.write(replies.read(row.body), person, to=address, site=self.setup().site.name)

    def _canary(self, row: OutboxRow) -> Message:
        setup = self.setup()
        plan, way = setup.watchdog.canary, setup.directory.channels.get(row.channel)
        if plan is None or way is None:
            raise Undelivered("the canary is not configured any more", permanent=True)
        cage = Cage(
            to=plan.address(way.address),
            site=setup.site.name,
            language=setup.site.language,
            timezone=setup.site.timezone,
        )
        return written_canary(row.id, canary.mark_of(row.id, self.proof(row.id)), row.created_at, cage)

    def alone(self, row: OutboxRow) -> bool:
        """Tell whether a message is never gathered in a storm; what cannot be read is found out by itself."""
        try:
            return _notices.decode(row.body).kind in digests.ALONE
        except msgspec.DecodeError:
            return True

    def entry(self, row: OutboxRow) -> digests.Entry:
        """Return a message as a line of a digest."""
        setup = self.setup()
        stranger = Person(id="", name="", addresses={}, language=setup.site.language, timezone=setup.site.timezone)
        return digests.entry(_notices.decode(row.body), setup.directory.people.get(row.person, stranger))

    def digest(self, occasion: Occasion, entries: Sequence[digests.Entry]) -> Message:
        """Return a digest (rule DSP-7).

        Raises:
            Undelivered: nobody knows the person any more, or they have no address for the channel.
        """
        setup = self.setup()
        person, to = self._reader(occasion.person, occasion.channel)
        envelope = digests.Envelope(occasion.id, occasion.at, to, setup.site.name, setup.site.url or "")
        return replace(digests.compose(entries, person, envelope), proof=self.proof(local_part(occasion.id)))

    def write(self, notice: Notice, person_id: str, channel: str) -> Message:
        """Return a notice as a message to a person by a channel."""
        person, to = self._reader(person_id, channel)
        return compose(notice, person, to=to, site=self.setup().site.name, form="mail" if "@" in to else "other")

    def _reader(self, person_id: str, channel: str) -> tuple[Person, str]:
        setup = self.setup()
        way = setup.directory.channels.get(channel)
        if way is None:
            raise Undelivered(f"channel {channel} is not configured any more", permanent=True)
        if not way.address:
            language, timezone = setup.site.language, setup.site.timezone
            return Person(id="", name=channel, addresses={}, language=language, timezone=timezone), ""
        person = setup.directory.people.get(person_id)
        address = person.addresses.get(way.address, "") if person else ""
        if person is None or not address:
            raise Undelivered(f"{person_id} has no {way.address} address any more", permanent=True)
        countries = setup.channels[channel].countries
        if countries and not address.startswith(countries):
            raise Undelivered(f"{channel} may not send to the country of {person_id}'s number", permanent=True)
        return person, address

"""From a configuration to the parts that depend on it: what a reload makes anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from socket import getfqdn
from typing import TYPE_CHECKING

import msgspec

from sentinel import channels as channel_kinds
from sentinel.channels.base import Message, Surroundings, Undelivered
from sentinel.config.build import Setup
from sentinel.config.ruling import open_calendars, priorities_of
from sentinel.core.model import Person
from sentinel.core.terms import Terms
from sentinel.dispatch import CONCURRENCY, Carrier
from sentinel.engine.draft import Policy
from sentinel.engine.judge import Rulebook
from sentinel.engine.rota_watch import RotaWatch, Sample
from sentinel.engine.scheduler import Limits
from sentinel.messages.compose import compose
from sentinel.messages.notice import Notice
from sentinel.messages.telling import envelope
from sentinel.metrics import Expected, Meters
from sentinel.probes.heartbeat import HeartbeatOptions
from sentinel.store.base import OutboxRow
from sentinel.web.context import Settings

if TYPE_CHECKING:
    from sentinel.probes.blackbox import Modules

DEFAULT_MODULES = Path(__file__).with_name("probes") / "default_modules.yml"

_notices = msgspec.json.Decoder(Notice)


def policy_of(setup: Setup) -> Policy:
    """Return what the configuration says to the desk."""
    terms = Terms(contract_of=setup.contract_of, remind_at=setup.remind_at, close_by=setup.close_by)
    return Policy(
        directory=msgspec.structs.replace(setup.directory, terms=terms),
        plan_for=setup.plan_for,
        close_by=setup.close_by,
        retry_for=setup.retry_for,
        reopen_within=setup.incidents.reopen_within,
        problem_within=setup.incidents.problems.within if setup.incidents.problems.after else None,
    )


def rulebook_of(setup: Setup) -> Rulebook:
    """Return what the configuration says to the judge."""
    return Rulebook(
        rules=setup.rules,
        group_by=setup.group_by,
        priorities={
            name: priorities_of(setup.contracts[service.sla]) for name, service in setup.services.items() if service.sla
        },
        open_at=partial(open_calendars, setup.rules, setup.calendars),
    )


def limits_of(setup: Setup) -> Limits:
    """Return how much may be probed at once."""
    return Limits(in_flight=setup.engine.max_in_flight, per_host=setup.engine.per_host)


def settings_of(setup: Setup) -> Settings:
    """Return what the web needs to know."""
    return Settings(
        directory=setup.directory,
        listen_host=setup.listen.host,
        site_name=setup.site.name,
        site_url=setup.site.url or "",
        timezone=setup.site.timezone,
        language=setup.site.language,
        metrics_path=setup.server.metrics.path,
        metrics_allow=tuple(setup.server.metrics.allow),
        services={name: service.name for name, service in setup.services.items()},
        heartbeats={
            plan.options.token.reveal(): name
            for name, plan in setup.probes.items()
            if isinstance(plan.options, HeartbeatOptions)
        },
    )


def expect(setup: Setup, meters: Meters) -> None:
    """Put on the metrics page what this configuration can count."""
    expected = Expected(
        kinds=frozenset(plan.type for plan in setup.probes.values()),
        channels=frozenset(setup.channels),
        services=frozenset({plan.service for plan in setup.probes.values()} | setup.services.keys()),
        backends=frozenset({"builtin"}),
    )
    meters.expect(expected)


def rota_states(watch: RotaWatch, setup: Callable[[], Setup]) -> dict[str, Callable[[], list[Sample]]]:
    """Return the metrics of the rotas. Who is on call is the only thing they say of people, and may be hidden."""
    return {
        "sentinel_oncall_info": lambda: watch.on_call() if setup().server.metrics.people else [],
        "sentinel_oncall_filled_until_timestamp_seconds": watch.filled_until,
    }


def envelope_of(setup: Setup) -> Callable[..., bytes]:
    """Return how to write down what there is to tell."""
    return partial(
        envelope,
        directory=setup.directory,
        services={name: service.name for name, service in setup.services.items()},
        url=setup.site.url or "",
    )


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
        ("server.listen", old.listen, new.listen),
        ("server.metrics.path", old.server.metrics.path, new.server.metrics.path),
        ("storage.url", old.storage.url, new.storage.url),
    )
    return [f"{name} changes at the next start only" for name, before, after in pairs if before != after]


def carriers_of(setup: Setup, now: Callable[[], datetime]) -> dict[str, Carrier]:
    """Build every channel."""
    surroundings = Surroundings(
        policy=setup.policy,
        hostname=_hostname(),
        site=setup.site.name,
        now=lambda: now().timestamp(),
        folder=setup.folder,
    )
    return {
        name: Carrier(channel_kinds.kind(plan.kind).build(plan.options, surroundings), plan.concurrency or CONCURRENCY)
        for name, plan in setup.channels.items()
    }


@cache
def _hostname() -> str:
    return getfqdn()  # It may ask a resolver that is slow to answer: once, at the start.


@dataclass(frozen=True, slots=True)
class Composition:
    """Writes outbox rows out as messages, to the addresses of now."""

    setup: Callable[[], Setup]

    def __call__(self, row: OutboxRow) -> Message:
        """Return the message of a row.

        Raises:
            Undelivered: nobody knows the person any more, or they have no address for the channel.
        """
        return self.write(_notices.decode(row.body), row.person, row.channel)

    def write(self, notice: Notice, person_id: str, channel: str) -> Message:
        """Return a notice as a message to a person by a channel."""
        setup = self.setup()
        way = setup.directory.channels.get(channel)
        if way is None:
            raise Undelivered(f"channel {channel} is not configured any more", permanent=True)
        if not way.address:
            place = Person(
                id="", name=channel, addresses={}, language=setup.site.language, timezone=setup.site.timezone
            )
            return compose(notice, place, to="", site=setup.site.name)
        person = setup.directory.people.get(person_id)
        address = person.addresses.get(way.address, "") if person else ""
        if person is None or not address:
            raise Undelivered(f"{person_id} has no {way.address} address any more", permanent=True)
        return compose(notice, person, to=address, site=setup.site.name)

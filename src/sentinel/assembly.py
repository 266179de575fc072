"""From a configuration to the parts that depend on it: what a reload makes anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from socket import getfqdn

import msgspec

from sentinel import channels as channel_kinds
from sentinel.channels.base import Message, Surroundings, Undelivered
from sentinel.config.build import Setup
from sentinel.core.model import Person
from sentinel.dispatch import CONCURRENCY, Carrier
from sentinel.engine.draft import Policy
from sentinel.engine.judge import Rulebook
from sentinel.engine.scheduler import Limits
from sentinel.messages.compose import compose
from sentinel.messages.notice import Notice
from sentinel.messages.telling import envelope
from sentinel.probes.heartbeat import HeartbeatOptions
from sentinel.store.base import OutboxRow
from sentinel.web.context import Settings

_notices = msgspec.json.Decoder(Notice)


def policy_of(setup: Setup) -> Policy:
    """Return what the configuration says to the desk."""
    return Policy(
        directory=setup.directory,
        plan_for=setup.plan_for,
        close_by=setup.close_by,
        retry_for=setup.retry_for,
        reopen_within=setup.reopen_within,
    )


def rulebook_of(setup: Setup) -> Rulebook:
    """Return what the configuration says to the judge."""
    return Rulebook(rules=setup.rules, group_by=setup.group_by)


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


def envelope_of(setup: Setup) -> Callable[..., bytes]:
    """Return how to write down what there is to tell."""
    return partial(
        envelope,
        directory=setup.directory,
        services={name: service.name for name, service in setup.services.items()},
        url=setup.site.url or "",
    )


def carriers_of(setup: Setup, now: Callable[[], datetime]) -> dict[str, Carrier]:
    """Build every channel."""
    surroundings = Surroundings(
        policy=setup.policy,
        hostname=getfqdn(),
        site=setup.site.name,
        now=lambda: now().timestamp(),
        folder=setup.folder,
    )
    return {
        name: Carrier(channel_kinds.kind(plan.kind).build(plan.options, surroundings), plan.concurrency or CONCURRENCY)
        for name, plan in setup.channels.items()
    }


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

"""From what is written of people, groups, channels and steps to what the core is told of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from sentinel.config import model as m
from sentinel.config.calendars import Calendars
from sentinel.config.matrices import matrix_of
from sentinel.config.rotas import rota_of
from sentinel.config.sections import Config
from sentinel.config.telling import RecipientEntry, StepEntry
from sentinel.config.watchdog import Watchdog
from sentinel.config.ways import address_of
from sentinel.core.model import Channel, Directory, Listener, Person, Step


def directory_of(config: Config, calendars: Calendars) -> Directory:
    """Return who can be told, and how."""
    people = {name: _person(name, entry, config.site) for name, entry in config.people.items()}
    groups: dict[str, tuple[str, ...]] = {}
    for name, group in config.groups.items():
        mailboxes = {mailbox.id: mailbox for mailbox in _mailboxes(name, group, config.site)}
        people |= mailboxes
        groups[name] = (*group.members, *mailboxes)
    channels = {
        name: Channel(
            name=name,
            address=cast(Any, address_of(entry)),
            fallback=entry.shared.fallback,
            providers=entry.shared.providers,
        )
        for name, entry in config.channels.items()
    }
    told = cast(Watchdog, config.single["watchdog"]).self_alert.to
    rotas = {name: rota_of(name, entry, calendars, config.site.timezone, told) for name, entry in config.rotas.items()}
    matrices = {name: matrix_of(name, entry) for name, entry in config.matrices.items()}
    return Directory(people=people, groups=groups, channels=channels, rotas=rotas, matrices=matrices)


def _person(name: str, entry: m.PersonEntry, site: m.Site) -> Person:
    return Person(
        id=name,
        name=entry.name or name,
        addresses={kind: address for kind in ("email", "mobile", "ntfy") if (address := getattr(entry, kind))},
        language=entry.language or site.language,
        timezone=entry.timezone or site.timezone,
        by=entry.by,
        side=entry.side,
        role="administrator" if entry.role == "admin" else entry.role,
        customer=entry.customer or "",
    )


def _mailboxes(name: str, group: m.GroupEntry, site: m.Site) -> list[Person]:
    """A group's own mail addresses are told as people are, under ids nobody can give to a person."""
    return [
        Person(
            id=f"group:{name}/{address}",
            name=group.name or name,
            addresses={"email": address},
            language=site.language,
            timezone=site.timezone,
            side=group.side,
            role="viewer",
        )
        for address in group.email
    ]


def step_of(entry: StepEntry) -> Step:
    """Return a rung of an escalation."""
    repeat = entry.repeat
    return Step(
        after=entry.at,
        to=entry.to,
        by=entry.by,
        unless=entry.unless,
        repeats=repeat.times if repeat else 0,
        every=repeat.every if repeat else timedelta(minutes=5),
        min_level=entry.min_level,
    )


def listener_of(entry: RecipientEntry) -> Listener:
    """Return who else hears of incidents."""
    return Listener(who=entry.who, by=entry.by, on=entry.on, min_level=entry.min_level, services=entry.services)

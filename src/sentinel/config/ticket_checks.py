"""What the section ``tickets`` refers to must be there, and what it asks for must make sense."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sentinel.config.contract_checks import Fault
from sentinel.config.portal_checks import REFER, WRITTEN
from sentinel.config.sections import Config, written_secrets
from sentinel.config.ticketing import Tickets
from sentinel.config.watchdog import Watchdog
from sentinel.config.words import did_you_mean, quoted


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield services of mirrors that are not there, and secrets that stand in the file."""
    known = config.names["services"]
    tickets = cast(Tickets, config.single["tickets"])
    for number, mirror in enumerate(tickets.mirror):
        for place, service in enumerate(mirror.services):
            if service not in known:
                path = ("tickets", "mirror", number, "services", place)
                yield Fault(path, f"unknown service {quoted(service)}", did_you_mean(service, sorted(known)))
    for loc in written_secrets(tickets):
        yield Fault(("tickets", *loc), WRITTEN, REFER)


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield a promise of tickets that nobody would be told was broken, or that there are no tickets for."""
    tickets = cast(Tickets, config.single["tickets"])
    if tickets.open.within is None:
        return
    path = ("tickets", "open", "within")
    if tickets.backend == "none" and not tickets.mirror:
        yield Fault(path, "there are no tickets that could be late", "name a `backend` or a `mirror`")
    elif not cast(Watchdog, config.single["watchdog"]).self_alert.to:
        yield Fault(path, "nobody is told of a late ticket", "name somebody at watchdog.self_alert.to")
